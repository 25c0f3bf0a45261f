"""Publishes the outbox: each message once, in order per key, whichever process wrote it and however often one dies."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import datetime

import structlog
from psycopg.rows import DictRow

from trimtab.adapters.postgres.sessions import Sessions
from trimtab.adapters.postgres.statements import Statements
from trimtab.domain.errors import TrimtabError, UnreachableError
from trimtab.ports.metrics import Meter, Unmetered

Place = tuple[int, int]  # partition and offset
# Publishes (topic, key, payload, headers) and returns its place once the broker has acknowledged it.
Send = Callable[[str, bytes, bytes, list[tuple[str, bytes]]], Awaitable[Place]]
# Returns the event ids in a topic and their places, of each partition from after the offset given for it to the end;
# a partition without one is read from its beginning.
FindPublished = Callable[[str, Mapping[int, int]], Awaitable[Mapping[str, Place]]]

_BLOCKED_SECONDS = 0.05
# After a commit the orders it allows go out first; and commits that come close together leave together.
_BREATH_SECONDS = 0.002
_KEYS_MAX = 16
_ROWS_MAX = 200

_log = structlog.get_logger("trimtab.outbox")


class Relay:
    """One process's share in publishing the outbox. Several may run at once.

    A claim on a key's oldest unsent row holds the key until the claiming transaction ends. A process publishes what it
    wrote itself straight away. Whatever else is unsent after `stale_seconds` was left by a crash or a broker that did
    not answer: it may be in the topic already, so the topic is read back first, and so it is after a failed attempt.
    """

    def __init__(
        self,
        sessions: Sessions,
        writer: str,
        send: Send,
        find_published: FindPublished,
        *,
        stale_seconds: float = 3.0,
        sweep_seconds: float = 1.0,
        meter: Meter | None = None,
    ) -> None:
        self._sessions = sessions
        self._writer = writer
        self._send = send
        self._find_published = find_published
        self._stale_seconds = stale_seconds
        self._sweep_seconds = sweep_seconds
        self._meter: Meter = meter or Unmetered()
        self._attempted: set[int] = set()
        self._due = asyncio.Event()

    def notify(self) -> None:
        """Something was committed that wants to leave."""
        self._due.set()

    async def run(self) -> None:
        """Publish whenever notified and on a timer, until cancelled. A failure is logged and tried again."""
        while True:
            self._due.clear()
            try:
                await self.drain()
                # What is left of our own stands behind another process's row of the same key, for a moment.
                blocked = await self._measure() > 0
            except TrimtabError as error:
                _log.warning("outbox waits", reason=str(error))
                await asyncio.sleep(self._sweep_seconds)
                continue
            pause = min(_BLOCKED_SECONDS, self._sweep_seconds) if blocked else self._sweep_seconds
            with suppress(TimeoutError):
                # Not wait_for: in Python 3.11 it loses a cancellation that comes together with the event.
                async with asyncio.timeout(pause):
                    await self._due.wait()
            await asyncio.sleep(_BREATH_SECONDS)

    async def drain(self) -> int:
        """Publish what may be published now; return how many rows were marked sent.

        Raises:
            UnreachableError: if the broker or the database does not answer; what was acknowledged is marked.

        """
        total = 0
        while (sent := await self._publish_claimed()) > 0:
            total += sent
        return total

    async def _measure(self) -> int:
        """Publish the outbox's lag as a measure; return how many rows of this process still wait."""
        (row,) = await self._sessions.rows("outbox_lag", {"writer": self._writer})
        self._meter.set("outbox_lag_seconds", row["seconds"])
        return int(row["own"])

    async def _publish_claimed(self) -> int:
        """Claim keys, publish their rows in order and mark them, in one transaction; return how many.

        What was sent is marked even if the broker fails on a later row.
        """
        failure: TrimtabError | None = None
        marked: list[int] = []
        async with self._sessions.transaction() as statements:
            await statements.send("be_patient")
            await statements.send("be_patient_overall")
            values = {"writer": self._writer, "stale_seconds": self._stale_seconds, "keys_max": _KEYS_MAX}
            for head in await statements.rows("claim_keys", values):
                try:
                    await self._publish_key(statements, head, marked)
                except _BrokerError as error:
                    failure = error.cause
                    if isinstance(failure, UnreachableError):
                        break
                    # A message that no broker takes holds up its own key, not everybody's.
        self._attempted.difference_update(marked)
        if failure is not None:
            raise failure
        return len(marked)

    async def _publish_key(self, statements: Statements, head: DictRow, marked: list[int]) -> None:
        rows = await statements.rows("unsent_of_key", {"key": head["key"], "rows_max": _ROWS_MAX})
        # Rows of a key leave in order, so if its oldest cannot have been sent, none of them can.
        surely_unsent = head["writer"] == self._writer and not head["stale"] and head["id"] not in self._attempted
        there = {} if surely_unsent else await self._published(statements, rows)
        for row in rows:
            place = there.get((row["topic"], row["event_id"])) or await self._publish(head["key"], row)
            await statements.send("mark_sent", {"id": row["id"], "partition": place[0], "offset": place[1]})
            marked.append(row["id"])

    async def _publish(self, key: str, row: DictRow) -> Place:
        self._attempted.add(row["id"])
        headers = list(zip(row["header_names"], row["header_values"], strict=True))
        try:
            return await self._send(row["topic"], key.encode(), row["payload"], headers)
        except TrimtabError as error:
            raise _BrokerError(error) from error

    async def _published(self, statements: Statements, rows: Sequence[DictRow]) -> dict[tuple[str, str], Place]:
        """Return the places of those rows that are in their topic already."""
        oldest: dict[str, datetime] = {}
        for row in rows:
            oldest.setdefault(row["topic"], row["created_at"])
        there: dict[tuple[str, str], Place] = {}
        for topic, created_at in oldest.items():
            known = await statements.rows("sent_before", {"topic": topic, "created_at": created_at})
            try:
                found = await self._find_published(topic, {row["partition"]: row["offset"] for row in known})
            except TrimtabError as error:
                raise _BrokerError(error) from error
            there |= {(topic, event_id): place for event_id, place in found.items()}
        return there


class _BrokerError(Exception):
    """Carries the broker's failure out of the claim, past the marks that are still to be committed."""

    def __init__(self, cause: TrimtabError) -> None:
        super().__init__(str(cause))
        self.cause = cause
