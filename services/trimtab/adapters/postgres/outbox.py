"""The outbox inside a transaction: messages that leave once it has committed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from psycopg import AsyncCursor
from psycopg.rows import DictRow

from trimtab.adapters.postgres.statements import Statements, Values
from trimtab.domain.errors import LedgerRefusedError
from trimtab.messages import Fill, Message, OrderEvent, ParentEvent
from trimtab.topics import Topic, topic_of

EVENT_ID_HEADER = "event-id"
# Less than a broker takes by default, headers included: what is written must be able to leave.
PAYLOAD_BYTES_MAX = 900_000

Headers = Sequence[tuple[str, bytes]]
Place = tuple[str, str]  # topic and event id
# Messages whose `ledger_sequence` the ledger gives.
Numbered = OrderEvent | ParentEvent | Fill


class Encoder(Protocol):
    """Turns a message into the bytes of its record's value."""

    def encode(self, message: Message) -> bytes: ...


def no_headers() -> Headers:
    """No trace context: what a ledger without tracing writes."""
    return ()


@dataclass(frozen=True, slots=True)
class Desk:
    """What one process writes messages with. `writer` names the process, differently at each start."""

    writer: str
    encoder: Encoder
    headers: Callable[[], Headers] = no_headers


@dataclass(frozen=True, slots=True)
class _Held:
    """A message that waits for the end of its transaction."""

    topic: Topic[Any]
    message: Message
    key: str
    event_id: str


class Outbox:
    """The messages of one transaction, written at its end, in the order they were given.

    An event of an order, a parent or a fill takes the next number of its portfolio, and only a new one may: so what is
    there already is asked for first. Nobody else can write it meanwhile, its portfolio is locked.
    """

    def __init__(self, statements: Statements, desk: Desk) -> None:
        self._statements = statements
        self._desk = desk
        self._held: dict[Place, _Held] = {}
        self._unasked: list[Place] = []
        self._answers: list[AsyncCursor[DictRow]] = []
        self.written = 0

    def put(self, message: Message) -> None:
        """Hold a message; one with the id of an earlier one of its topic is dropped.

        Raises LedgerRefusedError for a message without an event id or a key: others could not tell it from its copy.
        """
        topic = topic_of(message)
        key = topic.key(message)
        event_id = getattr(message, "event_id", "")
        if not event_id or key is None:
            raise LedgerRefusedError(f"outbox: a message of {topic.name} needs an event id and a key")
        place = (topic.name, event_id)
        if place in self._held:
            return
        self._held[place] = _Held(topic, message, key, event_id)
        if isinstance(message, Numbered):
            self._unasked.append(place)

    async def ask(self) -> None:
        """Ask which of the held events are there already; whatever is read next brings the answer along."""
        if self._unasked:
            self._answers.append(await self._statements.send("known_messages", self._question()))

    def _question(self) -> Values:
        topics, event_ids = (list(column) for column in zip(*self._unasked, strict=True))
        self._unasked.clear()
        return {"topics": topics, "event_ids": event_ids}

    async def flush(self, number: Callable[[str], int]) -> None:
        """Write what is held and new. `number` gives the next one of a portfolio.

        Raises LedgerRefusedError for a message that no broker would take.
        """
        known = list(await self._statements.rows("known_messages", self._question())) if self._unasked else []
        for answer in self._answers:
            known += await answer.fetchall()
        for row in known:
            del self._held[row["topic"], row["event_id"]]
        rows = [(held.topic.name, held.key, held.event_id, self._payload(held, number)) for held in self._held.values()]
        self._held.clear()
        self._answers.clear()
        if rows:
            await self._write(rows)

    def _payload(self, held: _Held, number: Callable[[str], int]) -> bytes:
        message = held.message
        if isinstance(message, Numbered):
            message = replace(message, ledger_sequence=number(message.portfolio_id))
        payload = self._desk.encoder.encode(message)
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise LedgerRefusedError(
                f"outbox: a message of {held.topic.name} has {len(payload)} bytes; allowed: {PAYLOAD_BYTES_MAX}"
            )
        return payload

    async def _write(self, rows: Sequence[tuple[str, str, str, bytes]]) -> None:
        topics, keys, event_ids, payloads = (list(column) for column in zip(*rows, strict=True))
        headers = self._desk.headers()
        values = {
            "writer": self._desk.writer,
            "topics": topics,
            "keys": keys,
            "event_ids": event_ids,
            "payloads": payloads,
            "header_names": [*(name for name, _ in headers), EVENT_ID_HEADER],
            "header_values": [value for _, value in headers],
        }
        await self._statements.send("add_messages", values)
        self.written += len(rows)
