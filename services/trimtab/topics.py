"""Every topic bound to its message and its key. `schemas/topics.yaml` says the same for everybody; a test compares."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, Generic

from trimtab.domain.errors import InvalidValueError
from trimtab.messages import (
    Book,
    Break,
    Costs,
    Fill,
    Frame,
    JournalEntry,
    Message,
    OrderEvent,
    ParentEvent,
    PortfolioState,
    Risk,
    Signal,
    Targets,
    Tick,
)
from trimtab.ports.topics import M


@dataclass(frozen=True, slots=True)
class Topic(Generic[M]):
    """A topic's name (without an installation's prefix), its message class and its key (None: any partition)."""

    name: str
    message: type[M]
    key: Callable[[M], str | None]

    @property
    def dead_letters(self) -> str:
        """Name of the topic that takes the records that are given up."""
        return f"{self.name}.dlq"


def _instrument(message: Tick | Book) -> str:
    return f"{message.venue}:{message.instrument}"


def _portfolio(message: Targets | PortfolioState | Signal | OrderEvent | ParentEvent | Fill) -> str:
    return message.portfolio_id


def _none(message: Frame | Risk | Costs | JournalEntry) -> None:  # noqa: ARG001 - a key function takes its message
    return None


def _portfolio_or_account(message: Break) -> str:
    return message.portfolio_id or message.account


MARKET_TICKS: Final = Topic("market.ticks", Tick, _instrument)
MARKET_BOOKS: Final = Topic("market.books", Book, _instrument)
MARKET_FRAMES: Final = Topic("market.frames", Frame, _none)
MARKET_RISK: Final = Topic("market.risk", Risk, _none)
MARKET_COSTS: Final = Topic("market.costs", Costs, _none)
PORTFOLIO_TARGETS: Final = Topic("portfolio.targets", Targets, _portfolio)
PORTFOLIO_STATE: Final = Topic("portfolio.state", PortfolioState, _portfolio)
REBALANCE_SIGNALS: Final = Topic("rebalance.signals", Signal, _portfolio)
EXECUTION_ORDERS: Final = Topic("execution.orders", OrderEvent, _portfolio)
EXECUTION_PARENTS: Final = Topic("execution.parents", ParentEvent, _portfolio)
EXECUTION_FILLS: Final = Topic("execution.fills", Fill, _portfolio)
DRIFT_JOURNAL: Final = Topic("drift.journal", JournalEntry, _none)
RECONCILIATION_BREAKS: Final = Topic("reconciliation.breaks", Break, _portfolio_or_account)

# Any: the tuple holds topics of different messages, and their key functions take only their own.
TOPICS: Final[tuple[Topic[Any], ...]] = (
    MARKET_TICKS,
    MARKET_BOOKS,
    MARKET_FRAMES,
    MARKET_RISK,
    MARKET_COSTS,
    PORTFOLIO_TARGETS,
    PORTFOLIO_STATE,
    REBALANCE_SIGNALS,
    EXECUTION_ORDERS,
    EXECUTION_PARENTS,
    EXECUTION_FILLS,
    RECONCILIATION_BREAKS,
    DRIFT_JOURNAL,
)

_BY_NAME: Final = {topic.name: topic for topic in TOPICS}
_BY_MESSAGE: Final = {topic.message: topic for topic in TOPICS}


def topic_named(name: str) -> Topic[Any]:
    """Return the topic of this name (without prefix).

    Raises:
        InvalidValueError: if there is none.

    """
    topic = _BY_NAME.get(name)
    if topic is None:
        raise InvalidValueError("topic", name, ", ".join(sorted(_BY_NAME)))
    return topic


def topic_of(message: Message) -> Topic[Any]:
    """Return the topic that this message travels on."""
    return _BY_MESSAGE[type(message)]
