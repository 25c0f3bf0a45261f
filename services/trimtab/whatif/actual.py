"""What was: a portfolio's recorded signals and fills, billed on the recorded books as a world bills its own."""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trimtab.backtest.arrival import Arrival
from trimtab.backtest.bill import Bill
from trimtab.backtest.diary import Diary
from trimtab.backtest.outcome import Outcome
from trimtab.backtest.score import Scores
from trimtab.backtest.shown import Shown, Top
from trimtab.documents import parse_document
from trimtab.domain.amounts import ONE, ZERO
from trimtab.domain.orders import OrderState, ParentState
from trimtab.drift.targets import aimed, counts
from trimtab.exchange.market import MarketEvent
from trimtab.messages import Fill, OrderEvent, ParentEvent, Signal, Targets
from trimtab.ports.recorded import Recorded
from trimtab.ports.topics import Record
from trimtab.topics import (
    EXECUTION_FILLS,
    EXECUTION_ORDERS,
    EXECUTION_PARENTS,
    PORTFOLIO_TARGETS,
    REBALANCE_SIGNALS,
)
from trimtab.whatif.life import Life, Stage, brought

NAME = "recorded"
_AT_ONCE_US = 1_000  # books of one time lie less than this apart (frame_market.py): what happens then finds them all
_Happening = Signal | Fill | ParentEvent | Targets | Stage
_RANKS: dict[type[_Happening], int] = {Signal: 0, Fill: 1, ParentEvent: 2, Targets: 3, Stage: 4}


@dataclass(frozen=True, slots=True)
class Dealings:
    """What a portfolio really did in a span: the signals that were accepted in it, and all that came of these.

    `placed` is how many orders the venue was sent for them.
    """

    signals: Sequence[Signal]
    fills: Sequence[Fill]
    closed: Sequence[ParentEvent]
    targets: Sequence[Targets]
    placed: int


def dealings(recorded: Recorded, portfolio_id: str, begin_us: int, end_us: int) -> Dealings:
    """Read them; `begin_us` and `end_us` (event time, both included) are of when signals were decided.

    Raises:
        UnreachableError: if the topics are not to be had.
    """
    parents = [each.message for each in recorded.history(EXECUTION_PARENTS, portfolio_id).records]
    taken = {each.signal_id for each in parents}
    sent = [each.message for each in recorded.history(REBALANCE_SIGNALS, portfolio_id).records]
    signals = {
        each.signal_id: each for each in sent if each.signal_id in taken and begin_us <= each.event_time_us <= end_us
    }
    # Topics may have a record twice, as everything that is sent again after a failure.
    fills = {each.message.event_id: each.message for each in recorded.history(EXECUTION_FILLS, portfolio_id).records}
    closed = {each.parent_id: each for each in parents if each.state is ParentState.CLOSED}
    orders = [each.message for each in recorded.history(EXECUTION_ORDERS, portfolio_id).records]
    targets = [each.message for each in recorded.history(PORTFOLIO_TARGETS, portfolio_id).records]
    return Dealings(
        sorted(signals.values(), key=lambda each: (each.event_time_us, each.ledger_version)),
        [each for each in fills.values() if each.signal_id in signals and not each.dry_run],
        [each for each in closed.values() if each.signal_id in signals],
        targets,
        len({each.client_order_id for each in orders if _submitted(each) and each.signal_id in signals}),
    )


class Actual:
    """Looks on while the market passes, and bills what was done on the books as they stood then.

    `shown` are books of its own; equity is looked at every `pause_us`, as that of a world. Fees in what has no price
    here stand in `unpriced`, by asset, and in no sum.
    """

    def __init__(
        self, life: Life, done: Dealings, shown: Shown, quote: str, pairs: Sequence[str], pause_us: int
    ) -> None:
        self.bill = Bill()
        self.diary = Diary()
        self.unpriced: dict[str, Decimal] = {}
        self.arrivals: list[Arrival] = []
        self._coming = deque(sorted(_happenings(life, done), key=lambda each: each[:2]))
        self._shown = shown
        self._quote = quote
        self._pairs = pairs
        self._scores = Scores([NAME], pairs, pause_us)
        self._stage: Stage | None = None
        self._aims: list[Targets] = []
        self.bill.placed = done.placed

    def watch(self, events: Iterable[MarketEvent]) -> Iterator[MarketEvent]:
        """Yield the events, and take note of what happened before each."""
        time_us = 0
        for event in events:
            if self._shown.complete and event.time_us > time_us + self._at_once_us:
                self._catch_up(time_us + self._at_once_us + 1)
                if self._stage is not None and self._scores.due(time_us):
                    self._look(time_us)
                self._catch_up(event.time_us)
            self._shown.take(event)
            time_us = max(time_us, event.time_us)
            yield event
        self._catch_up(time_us + 1)
        self._look(time_us)

    def outcome(self) -> Outcome:
        """Return what came of it, once everything has passed."""
        assert self._stage is not None, "a life has a first stage"
        return Outcome(NAME, self.bill, self._scores.score(NAME), self._stage.holdings, diary=self.diary)

    @property
    def _at_once_us(self) -> int:
        """How much later a book is still of the same time: at first none, as worlds look at once at what they have."""
        return _AT_ONCE_US if self._stage is not None else 0

    def _catch_up(self, until_us: int) -> None:
        """Take what happened before this time."""
        while self._coming and self._coming[0][0] < until_us:
            match self._coming.popleft()[-1]:
                case Signal() as signal:
                    self.bill.accept(signal)
                    self.diary.accept(signal)
                case Fill() as fill:
                    self._fill(fill)
                case ParentEvent() as event:
                    missed = self.bill.close(event, self._shown.mid_of, self._price)
                    self.diary.close(event, missed)
                case Targets() as aim:
                    if counts(aim, self._aims[-1] if self._aims else None):
                        self._aims.append(aim)
                        self._hold()
                case stage:
                    self._live_on(stage)

    def _live_on(self, stage: Stage) -> None:
        moved = stage.holdings if self._stage is None else brought(self._stage, stage)
        rows = ((asset, amount, self._price(asset)) for asset, amount in sorted(moved.items()))
        self.arrivals += [Arrival(stage.time_us, *row) for row in rows]
        self._stage = stage
        self._hold()

    def _fill(self, fill: Fill) -> None:
        top = self._shown.top(f"{fill.base}{fill.quote}")
        if top is None:  # the book was away: nothing says what it showed, so nothing but the fee is a cost
            top = Top(fill.price, fill.price)
        if fill.fee and not self._price(fill.fee_asset):
            self.unpriced[fill.fee_asset] = self.unpriced.get(fill.fee_asset, ZERO) + fill.fee
        self.diary.fill(fill, self.bill.fill(fill, top, self._price))

    def _hold(self) -> None:
        """Tell the scores what it has and wants from now on."""
        if self._stage is None:
            return
        state, held = self._stage.state, self._stage.holdings
        portfolio = parse_document(state.document, state.document_version)
        aim = self._aims[-1] if self._aims else None
        portfolio = aimed(portfolio, None if aim is None else Record(aim, PORTFOLIO_TARGETS.name, 0, 0))
        quantities = {f"{asset}/{self._quote}": float(amount) for asset, amount in held.items()}
        targets = {f"{asset}/{self._quote}": float(weight) for asset, weight in portfolio.targets}
        self._scores.hold(NAME, quantities, float(held.get(self._quote, ZERO)), targets)

    def _look(self, time_us: int) -> None:
        prices = [float(self._shown.mid_of(pair) or 0) for pair in self._pairs]
        self._scores.look(time_us, prices, [float(self.bill.paid)])

    def _price(self, asset: str) -> Decimal:
        return ONE if asset == self._quote else self._shown.mid_of(f"{asset}/{self._quote}") or ZERO


def _happenings(life: Life, done: Dealings) -> Iterator[tuple[int, int, int, _Happening]]:
    """Yield what happened with its time (us), its rank among what happened at once, and its number."""
    # Whatever the venue's clock says: a fill counts after its signal, and an order's end after its fills.
    decided = {signal.signal_id: signal.event_time_us for signal in done.signals}
    times = {fill.event_id: max(fill.event_time_us, decided[fill.signal_id]) for fill in done.fills}
    ended: dict[str, int] = {}
    for fill in done.fills:
        ended[fill.parent_id] = max(ended.get(fill.parent_id, 0), times[fill.event_id])
    number = 0
    for stage in life.stages:
        yield stage.time_us, _RANKS[Stage], (number := number + 1), stage
    for aim in done.targets:
        yield aim.event_time_us, _RANKS[Targets], (number := number + 1), aim
    for signal in done.signals:
        yield signal.event_time_us, _RANKS[Signal], (number := number + 1), signal
    for fill in done.fills:
        yield times[fill.event_id], _RANKS[Fill], (number := number + 1), fill
    for event in done.closed:
        time_us = max(event.event_time_us, ended.get(event.parent_id, 0), decided[event.signal_id])
        yield time_us, _RANKS[ParentEvent], (number := number + 1), event


def _submitted(event: OrderEvent) -> bool:
    return event.state is OrderState.SUBMITTED
