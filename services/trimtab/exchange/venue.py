"""The exchange as a whole: engine, journal, streams and faults behind the few things that can be asked of it.

Whatever changes something is written to the journal first, then told to the user streams, then answered.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal

from trimtab.exchange.accounts import Account, BalanceError
from trimtab.exchange.broadcast import Broadcast
from trimtab.exchange.clock import MarketClock, ServerClock, wall_us
from trimtab.exchange.conversions import convert_dust, redenominate
from trimtab.exchange.engine import Engine
from trimtab.exchange.errors import VenueError
from trimtab.exchange.faults import Fault, Faults
from trimtab.exchange.house import BINANCE, House
from trimtab.exchange.journal import Journal, entries
from trimtab.exchange.limits import Limits, Meters
from trimtab.exchange.market import Market, MarketEvent, Snapshot, Trade
from trimtab.exchange.mirror import Mirror
from trimtab.exchange.orders import EngineEvent, Execution, NewOrder, Order, PreventedMatch, Report
from trimtab.exchange.reads import Reads
from trimtab.exchange.scale import Scale
from trimtab.exchange.signing import Credentials, Keys
from trimtab.exchange.streams import Hub
from trimtab.exchange.tampering import Tampering
from trimtab.exchange.teller import BinanceTeller, Teller
from trimtab.exchange.tickers import Tape
from trimtab.exchange.users import UserStreams


class Venue:
    """One running exchange on one market. `fixed_prices` (USDT) price fee assets that have no book here; `limits` None
    are Binance's; `house` are the rules by which it takes orders.

    Attributes:
        teller: what tells of everything in streams; Binance's unless a dialect puts its own in its place.

    """

    def __init__(
        self,
        market: Market,
        journal: Journal,
        clock: MarketClock,
        faults: Faults,
        fixed_prices: Mapping[str, Decimal] | None = None,
        first_id: int = 1,
        limits: Limits | None = None,
        house: House = BINANCE,
    ) -> None:
        self.engine = Engine(market.instruments, fixed_prices, first_id, house)
        self.reads = Reads(self.engine)
        self.journal = journal
        self.clock = clock
        self.server_clock = ServerClock()
        self.faults = faults
        self.keys = Keys()
        self.meters = Meters(limits or Limits())
        self.tampering = Tampering(faults, self.note_fault)
        self.hub = Hub(self.tampering)
        self.users = UserStreams(self.hub, self.tampering)
        self.tapes = {symbol: Tape() for symbol in market.instruments}
        self.events = 0
        self.ended = False
        self.maintenance = False  # whether it says that it is, or will soon be, under maintenance
        self.closed = False  # whether it lets anybody in
        self.broken = ""  # why a recording could not be played to its end
        self.teller: Teller = BinanceTeller(Broadcast(self.hub, self.tapes), self.users)
        self._mirrors: dict[str, Mirror] = {}
        self._scales: dict[str, Scale] = {}  # of symbols whose assets were redenominated
        self._last_us = market.start_us
        journal.write("opened", market.start_us, symbols=sorted(market.instruments), market=type(market).__name__)
        journal.flush()

    def now_us(self) -> int:
        """Market time: never before an event that has happened."""
        self._last_us = max(self._last_us, self.clock.now_us())
        return self._last_us

    def server_us(self) -> int:
        """Server time, microseconds: what timestamps of requests are held against."""
        return self.server_clock.now_us()

    # Market

    def market(self, event: MarketEvent) -> None:
        """Let the market move and tell everybody."""
        self.events += 1
        self._last_us = max(self._last_us, event.time_us)
        if event.symbol in self._scales:
            event = self._scales[event.symbol].event(event)
        mirror = self._mirrors.get(event.symbol)
        self.show([event] if mirror is None else mirror.passed(event))
        self.teller.tick(event.time_us)

    def show(self, events: Iterable[MarketEvent]) -> None:
        """Let what the market shows happen here, and tell it."""
        for event in events:
            self._show(event)

    def mirror(self, symbol: str) -> Mirror:
        """What stands before a symbol's market when something is to be wrong with it."""
        if symbol not in self._mirrors:
            liquidity = self.engine.pits[symbol].liquidity
            self._mirrors[symbol] = Mirror(symbol, liquidity.book, liquidity.newest_id)
        return self._mirrors[symbol]

    def _show(self, event: MarketEvent) -> None:
        if isinstance(event, Trade):
            self.tapes[event.symbol].trade(event)
        elif isinstance(event, Snapshot):
            self.tapes[event.symbol].begin(event)
        happened = self.engine.market(event)
        self.teller.event(event)
        if happened:
            self._tell(happened)

    # Accounts

    def open_account(self, account: Account, credentials: Credentials, deposits: Mapping[str, Decimal]) -> None:
        """Add an account.

        Raises ValueError if name or API key is taken.
        """
        self.keys.add(credentials)
        moment = self.now_us()
        terms = {
            "account": account.name,
            "api_key": credentials.api_key,
            "maker_fee": account.maker_fee,
            "taker_fee": account.taker_fee,
            "fee_asset": account.fee_asset,
        }
        happened = self.engine.open_account(account, deposits, moment)
        self.journal.write("account", moment, **terms)
        self._tell(happened)

    def transfer(self, account: str, asset: str, amount: Decimal) -> None:
        """A deposit (positive) or withdrawal (negative) from outside.

        Raises VenueError -2010 if less is free than withdrawn.
        """
        try:
            change = self.engine.transfer(account, asset, amount, self.now_us())
        except BalanceError as error:
            raise VenueError(-2010, f"{account}: {error}") from error
        self._tell([change])

    def convert_dust(self, account: str, assets: Sequence[str], into: str) -> None:
        """Turn what is free of some assets of an account into another.

        Raises VenueError -1100 as `conversions` does.
        """
        self._tell(convert_dust(self.engine, account, assets, into, self.now_us()))

    def redenominate(self, asset: str, ratio: Decimal) -> None:
        """Give everybody `ratio` new units of an asset for each, and show its markets in them.

        Raises VenueError -1100 as `conversions` does.
        """
        moment = self.now_us()
        before = dict(self.engine.instruments)
        happened = redenominate(self.engine, asset, ratio, moment)
        self.journal.write("redenomination", moment, asset=asset, ratio=ratio)
        self._tell(happened)
        for symbol, rules in before.items():
            scale = Scale.of(rules, asset, ratio)
            if scale != Scale():
                self._scales[symbol] = self._scales.get(symbol, Scale()).then(scale)
                self.tapes[symbol].rescale(scale.price, scale.quantity)
                self.show(self.mirror(symbol).rescale(scale, moment))

    # Orders

    def place(
        self, account: str, new: NewOrder, *, by_hand: bool = False
    ) -> tuple[Order, list[Execution], list[PreventedMatch]]:
        """Place an order; it, as it is now, its immediate fills, and what was prevented of it.

        Raises VenueError as the engine does, and -1015 when the account has placed too many.
        """
        moment = self.now_us()
        asked = {"account": account, "method": "order.place", "by_hand": by_hand, **entries(new)}
        try:
            if self.engine.house.counts_orders:
                self.meters.orders.check(account, wall_us())
            order, happened = self.engine.place(account, new, moment)
        except VenueError as error:
            self._reject(asked, error, moment)
            raise
        self.meters.orders.placed(account, wall_us())
        self.journal.write("request", moment, events=self.events, order_id=order.order_id, **asked)
        self._tell(happened)
        fills = [e.execution for e in happened if isinstance(e, Report) and e.execution is not None]
        prevented = {e.prevented.match_id: e.prevented for e in happened if isinstance(e, Report) and e.prevented}
        return order, [fill for fill in fills if fill.order_id == order.order_id], list(prevented.values())

    def cancel(
        self,
        account: str,
        symbol: str,
        order_id: int | None,
        client_order_id: str | None,
        request_id: str,
        *,
        by_hand: bool = False,
    ) -> Order:
        """Cancel an open order.

        Raises VenueError as the engine does.
        """
        moment = self.now_us()
        asked = {
            "account": account,
            "method": "order.cancel",
            "by_hand": by_hand,
            "symbol": symbol,
            "order_id": order_id,
            "client_order_id": client_order_id,
        }
        try:
            order, happened = self.engine.cancel(account, symbol, order_id, client_order_id, request_id, moment)
        except VenueError as error:
            self._reject(asked, error, moment)
            raise
        self.journal.write("request", moment, events=self.events, request_id=request_id, **asked)
        self._tell(happened)
        return order

    def delist(self, symbol: str) -> Callable[[], None]:
        """Take a symbol off the list, its open orders with it; the way back."""
        rules, tape = self.engine.instruments[symbol], self.tapes.pop(symbol)
        self._tell(self.engine.delist(symbol, self.now_us()))

        def relist() -> None:
            self.engine.instruments[symbol] = rules
            self.tapes[symbol] = tape

        return relist

    # Limits and faults

    def note_limited(self, error: VenueError, who: str, asked: str) -> None:
        """Write down that an address or an account was turned away for asking too much."""
        self.journal.write("limited", self.now_us(), who=who, asked=asked, code=error.code, status=error.status)
        self.journal.flush()

    def note_fault(self, fault: Fault, struck: str, **more: object) -> None:
        """Write down that a fault has struck something."""
        self.journal.write("fault", self.now_us(), fault=fault.kind, fault_id=fault.fault_id, struck=struck, **more)
        self.journal.flush()

    def note_fault_over(self, fault: Fault, **more: object) -> None:
        """Write down that a fault which lasted is over."""
        self.journal.write("fault_over", self.now_us(), fault=fault.kind, fault_id=fault.fault_id, **more)
        self.journal.flush()

    def _reject(self, asked: Mapping[str, object], error: VenueError, moment: int) -> None:
        self.journal.write("rejected", moment, code=error.code, text=error.text, **asked)
        self.journal.flush()

    def _tell(self, happened: Iterable[EngineEvent]) -> None:
        events = list(happened)
        for event in events:
            self.journal.record(event)
            if isinstance(event, Report) and event.is_first_fill:
                maker = event.execution is not None and event.execution.maker
                self.meters.orders.first_filled(event.order.account, wall_us(), maker=maker)
        self.journal.flush()
        self.teller.happened(events)
