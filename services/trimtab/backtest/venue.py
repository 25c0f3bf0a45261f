"""One account at the matching engine, as the executor sees a venue: it answers at once, and leaves nothing in doubt."""

from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from decimal import Decimal

from trimtab.backtest.backlog import Backlog
from trimtab.backtest.fees import Fees
from trimtab.backtest.shown import Shown, Top
from trimtab.domain.orders import ChildOrder, Liquidity, OrderKind, OrderState, ParentOrder, TimeInForce
from trimtab.exchange.accounts import Account
from trimtab.exchange.engine import Engine
from trimtab.exchange.errors import VenueError
from trimtab.exchange.orders import EngineEvent, NewOrder, OrderType, Report, Status
from trimtab.exchange.orders import TimeInForce as VenueTimeInForce
from trimtab.ports.clock import Clock
from trimtab.ports.venue import (
    Absent,
    Execution,
    ExecutionReport,
    NotPlaced,
    Reconnected,
    Refused,
    Unknown,
    VenueTrade,
)

_STATES: Mapping[Status, OrderState] = {
    "NEW": OrderState.ACCEPTED,
    "PARTIALLY_FILLED": OrderState.PARTIALLY_FILLED,
    "FILLED": OrderState.FILLED,
    "CANCELED": OrderState.CANCELED,
    "EXPIRED": OrderState.EXPIRED,
    "EXPIRED_IN_MATCH": OrderState.EXPIRED,
}
_KINDS: Mapping[OrderKind, OrderType] = {
    OrderKind.LIMIT: "LIMIT",
    OrderKind.LIMIT_MAKER: "LIMIT_MAKER",
    OrderKind.MARKET: "MARKET",
}
_TIMES: Mapping[TimeInForce, VenueTimeInForce] = {
    TimeInForce.GTC: "GTC",
    TimeInForce.IOC: "IOC",
    TimeInForce.FOK: "FOK",
}


class EngineVenue:
    """Implements ports.venue.Venue over an engine of its own, so that portfolios take nothing from one another.

    Market events wait in the backlog until the engine is asked or has orders resting; that changes nothing of what it
    answers.
    """

    def __init__(self, account: str, shown: Shown, backlog: Backlog, fees: Fees, clock: Clock) -> None:
        self.name = shown.venue
        self.account = account
        instruments = shown.instruments
        self.engine = Engine(instruments)
        self.tops: dict[str, Top] = {}  # what the book showed at a fill, by trade id, until somebody takes it
        self._shown = shown
        self._backlog = backlog
        self._fees = fees
        self._clock = clock
        self._symbols = {f"{rules.base}/{rules.quote}": symbol for symbol, rules in instruments.items()}
        self._names = {symbol: name for name, symbol in self._symbols.items()}
        self._heard = dict.fromkeys(instruments, 0)  # number of the next event of each symbol
        self._open: set[str] = set()

    @property
    def absence_window_ms(self) -> int:
        """Nothing is ever under way."""
        return 0

    def fund(self, deposits: Mapping[str, Decimal]) -> None:
        """Open the account with these deposits."""
        account = Account(self.account, self._fees.maker, self._fees.taker)
        self.engine.open_account(account, deposits, self._clock.now_us())

    @property
    def resting(self) -> bool:
        """Whether it has orders that the market may reach: then it has to hear of every event at once."""
        return bool(self._open)

    def hear(self, symbol: str) -> list[ExecutionReport]:
        """Hear of all that has happened; answers with what that did to resting orders."""
        events, self._heard[symbol] = self._backlog.since(symbol, self._heard[symbol])
        return [report for event in events for report in self._reports(self.engine.market(event), merge=False)]

    async def place(self, parent: ParentOrder, child: ChildOrder) -> ExecutionReport | Refused | NotPlaced | Unknown:
        """Place a child: accepted, with what it took at once, or refused with the engine's own code."""
        symbol = self._symbols[parent.instrument]
        for other in self._heard:
            self.hear(other)
        new = NewOrder(
            symbol=symbol,
            side="BUY" if parent.side.sign > 0 else "SELL",
            type=_KINDS[child.kind],
            client_order_id=child.client_order_id,
            quantity=child.quantity,
            price=child.price,
            time_in_force=_TIMES[child.time_in_force],
        )
        try:
            order, happened = self.engine.place(self.account, new, self._clock.now_us())
        except VenueError as error:
            return Refused(str(error.code), error.text)
        if order.is_open:
            self._open.add(child.client_order_id)
        return self._reports(happened, merge=True)[0]

    async def cancel(self, parent: ParentOrder, child: ChildOrder) -> ExecutionReport | Absent | Unknown:
        """Take a child back."""
        symbol, name = self._symbols[parent.instrument], child.client_order_id
        try:
            _, happened = self.engine.cancel(self.account, symbol, None, name, f"{name}-c", self._clock.now_us())
        except VenueError:
            return Absent()
        self._open.discard(name)
        return self._reports(happened, merge=True)[0]

    async def find(self, parent: ParentOrder, child: ChildOrder) -> ExecutionReport | Absent | Unknown:
        """Every answer was given at once: there is nothing to look up."""
        del parent, child
        return Absent()

    async def trades(self, instrument: str, since_us: int) -> Sequence[VenueTrade] | Absent | Unknown:
        """Nobody compares here; see `find`."""
        del instrument, since_us
        return ()

    async def open_orders(self) -> Sequence[ExecutionReport] | Unknown:
        """Nobody compares here; see `find`."""
        return ()

    async def balances(self) -> dict[str, Decimal] | Unknown:
        """Return free plus locked, by asset, zeros left out."""
        return self.held()

    def free(self, asset: str) -> Decimal:
        """Return what of an asset no order has locked."""
        return self.engine.accounts.by_name[self.account].balance(asset).free

    def held(self) -> dict[str, Decimal]:
        """Return free plus locked, by asset, zeros left out."""
        balances = self.engine.accounts.by_name[self.account].balances
        return {asset: held for asset, row in sorted(balances.items()) if (held := row.free + row.locked)}

    async def reports(self) -> AsyncGenerator[ExecutionReport | Reconnected, None]:
        """Yield that it stands; what happens is told by `market`, in the world's own order."""
        yield Reconnected(self.account)

    def _reports(self, happened: Iterable[EngineEvent], *, merge: bool) -> list[ExecutionReport]:
        """Reports of orders; merged they are of one order, which is then as the last one has it."""
        found = [event for event in happened if isinstance(event, Report)]
        if merge and found:
            executions = tuple(self._execution(each) for each in found if each.execution is not None)
            return [self._report(found[-1], executions)]
        return [self._report(each, (self._execution(each),) if each.execution is not None else ()) for each in found]

    def _report(self, report: Report, executions: tuple[Execution, ...]) -> ExecutionReport:
        order = report.order
        if not order.is_open:
            self._open.discard(order.client_order_id)
        return ExecutionReport(
            venue=self.name,
            account=self.account,
            instrument=self._names[order.symbol],
            client_order_id=order.client_order_id,
            venue_order_id=str(order.order_id),
            state=_STATES[order.status],
            filled=order.executed,
            event_time_us=report.time_us,
            executions=executions,
        )

    def _execution(self, report: Report) -> Execution:
        found = report.execution
        assert found is not None
        trade_id = f"{found.symbol}:{found.trade_id}"
        top = self._shown.top(found.symbol)
        if top is not None:
            self.tops[trade_id] = top
        return Execution(
            trade_id=trade_id,
            price=found.price,
            quantity=found.quantity,
            fee=found.fee,
            fee_asset=found.fee_asset,
            liquidity=Liquidity.MAKER if found.maker else Liquidity.TAKER,
            event_time_us=found.time_us,
        )
