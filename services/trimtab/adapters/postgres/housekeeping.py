"""What the ledger's tables need now and then: partitions made ahead, sent messages forgotten."""

from structlog.typing import FilteringBoundLogger

from trimtab.adapters.postgres.sessions import Sessions
from trimtab.ledger.turns import surviving
from trimtab.ports.clock import Clock
from trimtab.ports.metrics import Meter

_TURN_SECONDS = 3_600.0
_RETRY_SECONDS = 60.0
_PARTITION_MONTHS = 12
# Long after any repeat of an event could come, and any topic would be read back that far.
_OUTBOX_DAYS = 7
# A step of this size takes no lock for long, and ends well within a statement's time.
_ROWS_MAX = 5_000


class Housekeeping:
    """For the one role that may: the reconciler's. Several processes at once do no harm."""

    def __init__(self, sessions: Sessions, clock: Clock, meter: Meter, log: FilteringBoundLogger) -> None:
        self._sessions = sessions
        self._clock = clock
        self._meter = meter
        self._log = log

    async def run(self) -> None:
        """Make partitions and forget old messages once an hour, until cancelled. A failure is said and tried again."""
        while True:
            with surviving(self._log, self._meter, "housekeeping interrupted") as turn:
                partitions, messages = await self.make_partitions(), await self.forget_messages()
                self._log.info("house kept", partitions_made=partitions, messages_forgotten=messages)
            await self._clock.sleep(_RETRY_SECONDS if turn.failed else _TURN_SECONDS)

    async def make_partitions(self, months_ahead: int = _PARTITION_MONTHS) -> int:
        """Make the journal's partitions of this month and the next ones; return how many were missing."""
        (row,) = await self._sessions.rows("make_partitions", {"months_ahead": months_ahead})
        return int(row["made"])

    async def forget_messages(self, days: int = _OUTBOX_DAYS, rows_max: int = _ROWS_MAX) -> int:
        """Forget what left the outbox so many days ago, in steps of so many rows; return how many went.

        Of each partition the last of them stays: from there its topic is read back after a crash.
        """
        total = 0
        while True:
            (row,) = await self._sessions.rows("prune_outbox", {"days": days, "rows_max": rows_max})
            gone = int(row["gone"])
            total += gone
            if gone < rows_max:
                return total
