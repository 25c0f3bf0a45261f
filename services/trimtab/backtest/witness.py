"""Who looks on while a world plays, and changes nothing."""

from typing import Protocol

from trimtab.backtest.worker import Worker
from trimtab.messages import Message, Signal


class Witness(Protocol):
    """Told in the world's own order; times are the market's, UTC microseconds."""

    def decided(self, signal: Signal, now_us: int) -> None:
        """Hear of a signal when it is decided."""
        ...

    def looked(self, worker: Worker, now_us: int) -> None:
        """See the worker after every frame."""
        ...

    def heard(self, message: Message, now_us: int) -> None:
        """Hear what the ledger tells of orders and fills."""
        ...


class Unwitnessed:
    """Implements Witness for a world that nobody looks at."""

    def decided(self, signal: Signal, now_us: int) -> None:
        """Take no note."""

    def looked(self, worker: Worker, now_us: int) -> None:
        """Take no note."""

    def heard(self, message: Message, now_us: int) -> None:
        """Take no note."""
