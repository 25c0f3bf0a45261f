"""The threshold rule of `trimtab bench books` in nautilus_trader: its engine, its matching, a strategy in Python."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from nautilus_trader.backtest.engine import BacktestEngine, BacktestEngineConfig
from nautilus_trader.config import LoggingConfig
from nautilus_trader.model.currencies import BTC, ETH, USDT
from nautilus_trader.model.data import BookOrder, OrderBookDelta, OrderBookDeltas
from nautilus_trader.model.enums import AccountType, BookAction, BookType, OmsType, OrderSide, RecordFlag
from nautilus_trader.model.identifiers import InstrumentId, Symbol, Venue
from nautilus_trader.model.instruments import CurrencyPair
from nautilus_trader.model.objects import Currency, Money, Price, Quantity
from nautilus_trader.trading.strategy import Strategy

from trimtab.exchange.instruments import Instrument
from trimtab.exchange.market import DepthUpdate, Level, Snapshot

_VENUE = Venue("BINANCE")
_CURRENCIES = {"BTC": BTC, "ETH": ETH, "USDT": USDT}
_NS = 1_000  # in a microsecond


@dataclass(slots=True)
class Tally:
    """What came of a run: updates that the strategy heard of, rebalances, traded notional, and what is held then."""

    seconds: float = 0.0
    updates: int = 0
    rebalances: int = 0
    traded: float = 0.0
    holdings: dict[str, float] = field(default_factory=dict)


class Threshold(Strategy):  # type: ignore[misc]  # its types are not complete
    """Brings every asset back to its target when a weight, the cash's too, is off by `bound`; a market order each."""

    def __init__(self, pairs: Mapping[str, CurrencyPair], targets: Mapping[str, float], bound: float) -> None:
        super().__init__()
        self.tally = Tally()
        self._pairs, self._targets, self._bound = pairs, targets, bound

    def on_start(self) -> None:
        """Subscribe to the books, which the engine keeps."""
        for pair in self._pairs.values():
            self.subscribe_order_book_deltas(pair.id, BookType.L2_MBP)

    def on_order_book_deltas(self, deltas: OrderBookDeltas) -> None:
        """Look at all weights."""
        del deltas
        self.tally.updates += 1
        account = self.portfolio.account(_VENUE)
        mids, values = {}, {}
        for asset, pair in self._pairs.items():
            mid = self.cache.order_book(pair.id).midpoint()
            if mid is None:
                return
            mids[asset], values[asset] = mid, account.balance_total(_CURRENCIES[asset]).as_double() * mid
        equity = sum(values.values()) + account.balance_total(USDT).as_double()
        drifts = {asset: value / equity - self._targets[asset] for asset, value in values.items()}
        if max(*map(abs, drifts.values()), abs(sum(drifts.values()))) >= self._bound:
            self.tally.rebalances += 1
            for asset, drift in sorted(drifts.items(), key=lambda each: -each[1]):  # sells before what they pay for
                self._trade(self._pairs[asset], -drift * equity / mids[asset])

    def on_order_filled(self, event: object) -> None:
        """Count what is traded."""
        self.tally.traded += float(event.last_qty) * float(event.last_px)  # type: ignore[attr-defined]  # OrderFilled

    def _trade(self, pair: CurrencyPair, units: float) -> None:
        quantity = pair.make_qty(abs(units), round_down=True)
        if quantity > 0:
            side = OrderSide.BUY if units > 0 else OrderSide.SELL
            self.submit_order(self.order_factory.market(pair.id, side, quantity))


class Peer:
    """The library's engine on book updates that were made its own beforehand."""

    def __init__(self, rules: Mapping[str, Instrument], events: Sequence[Snapshot | DepthUpdate]) -> None:
        self._pairs = {symbol: _pair(own) for symbol, own in rules.items()}
        self._data = [_deltas(self._pairs[event.symbol], event) for event in events]

    def run(self, start: Mapping[str, Decimal], targets: Mapping[str, float], bound: float) -> Tally:
        """Return what comes of it; its time is the processor's, of `run` alone."""
        config = BacktestEngineConfig(logging=LoggingConfig(bypass_logging=True), run_analysis=False)
        engine = BacktestEngine(config)
        balances = [Money(amount, _CURRENCIES[asset]) for asset, amount in start.items()]
        engine.add_venue(_VENUE, OmsType.NETTING, AccountType.CASH, balances, book_type=BookType.L2_MBP)
        pairs = {pair.base_currency.code: pair for pair in self._pairs.values()}
        for pair in pairs.values():
            engine.add_instrument(pair)
        engine.add_data(self._data)
        strategy = Threshold(pairs, targets, bound)
        engine.add_strategy(strategy)
        began = time.process_time()
        engine.run()
        tally = strategy.tally
        tally.seconds = time.process_time() - began
        account = engine.portfolio.account(_VENUE)
        tally.holdings = {asset: account.balance_total(_CURRENCIES[asset]).as_double() for asset in start}
        engine.dispose()
        return tally


def _pair(rules: Instrument) -> CurrencyPair:
    name = InstrumentId(Symbol(rules.symbol), _VENUE)
    base, quote = _currency(rules.base), _currency(rules.quote)
    tick, step = _places(rules.tick), _places(rules.step)
    return CurrencyPair(
        name, name.symbol, base, quote, tick, step, Price(rules.tick, tick), Quantity(rules.step, step), 0, 0,
        maker_fee=Decimal(0), taker_fee=Decimal(0),
    )  # fmt: skip


def _currency(code: str) -> Currency:
    return _CURRENCIES[code]


def _places(unit: Decimal) -> int:
    exponent = unit.normalize().as_tuple().exponent
    return -int(exponent)


def _deltas(pair: CurrencyPair, event: Snapshot | DepthUpdate) -> OrderBookDeltas:
    whole, time_ns = isinstance(event, Snapshot), event.time_us * _NS
    rows: list[OrderBookDelta] = []
    if whole:
        rows.append(OrderBookDelta.clear(pair.id, event.last_id, time_ns, time_ns))
    sides: tuple[tuple[OrderSide, tuple[Level, ...]], ...] = (OrderSide.BUY, event.bids), (OrderSide.SELL, event.asks)
    levels = [(side, level) for side, ladder in sides for level in ladder]
    for number, (side, (price, size)) in enumerate(levels, start=1):
        action = BookAction.DELETE if not size else BookAction.ADD if whole else BookAction.UPDATE
        order = BookOrder(side, Price(price, pair.price_precision), Quantity(size, pair.size_precision), 0)
        flags = (RecordFlag.F_SNAPSHOT if whole else 0) | (RecordFlag.F_LAST if number == len(levels) else 0)
        rows.append(OrderBookDelta(pair.id, action, order, flags, event.last_id, time_ns, time_ns))
    return OrderBookDeltas(pair.id, rows)
