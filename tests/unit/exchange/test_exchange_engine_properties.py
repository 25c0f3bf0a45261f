"""The matching engine under arbitrary markets and orders: money is conserved and everyone is served in their turn."""

from collections import defaultdict
from decimal import ROUND_DOWN, Decimal
from itertools import pairwise

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from trimtab.exchange.accounts import FEES, Account, BalanceError
from trimtab.exchange.book import ZERO
from trimtab.exchange.engine import Engine
from trimtab.exchange.errors import VenueError
from trimtab.exchange.instruments import PREVENTIONS, Instrument, Prevention
from trimtab.exchange.liquidity import Side
from trimtab.exchange.market import DepthUpdate, Quote, Snapshot, Trade
from trimtab.exchange.matching import opposite
from trimtab.exchange.orders import EngineEvent, Execution, NewOrder, Order, Report

D = Decimal
SYMBOL = "BTCUSDT"
RULES = Instrument(SYMBOL, "BTC", "USDT", D("0.01"), D("0.001"), min_notional=D("0.01"))
ASSETS = ("USDT", "BTC", "BNB")
NAMES = ("ann", "bob", "cyn")

ticks = st.integers(9990, 10010)
steps = st.integers(0, 4000)
sides = st.sampled_from(("BUY", "SELL"))


def price(tick: int) -> Decimal:
    return tick * RULES.tick


def better(side: str, one: Decimal, other: Decimal) -> bool:
    """Whether a resting order of `side` at `one` trades before one at `other`."""
    return one > other if side == "BUY" else one < other


def fee_of(fill: Execution) -> Decimal:
    """The accounts' 7 or 11 hundredths of a per cent of what came in, or a quarter less in BNB at its 500 USDT."""
    rate, cost = D("0.0007") if fill.maker else D("0.0011"), fill.price * fill.quantity
    if fill.fee_asset == "BNB":
        assert fill.account == NAMES[0]
        fee = cost * rate * D("0.75") / 500
    else:
        assert fill.fee_asset == ("BTC" if fill.side == "BUY" else "USDT")
        fee = (fill.quantity if fill.side == "BUY" else cost) * rate
    return fee.quantize(D("0.00000001"), ROUND_DOWN)


class Trading(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        self.engine = Engine({SYMBOL: RULES}, {"BNB": D(500)})
        self.pit = self.engine.pits[SYMBOL]
        self.last_id = 1
        self.clients = 0
        self.deposited: defaultdict[tuple[str, str], Decimal] = defaultdict(Decimal)

    @initialize()
    def open(self) -> None:
        for number, name in enumerate(NAMES):
            account = Account(name, D("0.0007"), D("0.0011"), "BNB" if number == 0 else None)
            funds = {"USDT": D(1000), "BTC": D(10), "BNB": D("0.01")}
            self.engine.open_account(account, funds, 0)
            for asset, amount in funds.items():
                self.deposited[name, asset] = amount
        self.engine.market(Snapshot(SYMBOL, 0, 1, ((price(9999), D(2)),), ((price(10001), D(2)),)))

    # The market

    @rule(center=ticks, gap=st.integers(1, 4), sizes=st.lists(steps, min_size=8, max_size=8))
    def depth(self, center: int, gap: int, sizes: list[int]) -> None:
        """The published book becomes four levels on each side of a center; it is never crossed."""
        self.last_id += 1
        book = self.pit.liquidity.book
        bids = {p: ZERO for p, _ in book.bids.levels()}
        asks = {p: ZERO for p, _ in book.asks.levels()}
        for k in range(4):
            bids[price(center - k)] = sizes[k] * RULES.step
            asks[price(center + gap + k)] = sizes[4 + k] * RULES.step
        moved = DepthUpdate(SYMBOL, 1, 1, self.last_id, self.last_id, tuple(bids.items()), tuple(asks.items()))
        self.check_moved(moved)

    @rule(bid=ticks, gap=st.integers(1, 5), bid_size=st.integers(1, 4000), ask_size=st.integers(1, 4000))
    def quote(self, bid: int, gap: int, bid_size: int, ask_size: int) -> None:
        self.last_id += 1
        sizes = bid_size * RULES.step, ask_size * RULES.step
        moved = Quote(SYMBOL, 1, self.last_id, price(bid), sizes[0], price(bid + gap), sizes[1])
        self.check_moved(moved)

    @rule(tick=ticks, quantity=st.integers(1, 4000), buyer_is_maker=st.booleans())
    def trade(self, tick: int, quantity: int, *, buyer_is_maker: bool) -> None:
        volume = quantity * RULES.step
        happened = self.engine.market(Trade(SYMBOL, 1, 1, 1, price(tick), volume, buyer_is_maker))
        done = self.check_resting(happened)
        assert sum((fill.quantity for fill in done), ZERO) <= volume
        for fill in done:
            assert fill.side == ("BUY" if buyer_is_maker else "SELL")
            assert not better(fill.side, price(tick), fill.price)

    # Clients

    @rule(
        name=st.sampled_from(NAMES), side=sides, tick=ticks, quantity=st.integers(1, 5000),
        kind=st.sampled_from(("LIMIT", "LIMIT", "LIMIT_MAKER", "MARKET")),
        force=st.sampled_from(("GTC", "GTC", "IOC", "FOK")), mode=st.sampled_from((None, None, *PREVENTIONS)),
    )  # fmt: skip
    def place(
        self, name: str, side: Side, tick: int, quantity: int, kind: str, force: str, mode: Prevention | None
    ) -> None:
        self.clients += 1
        limit = kind != "MARKET"
        asked = NewOrder(
            SYMBOL, side, kind, f"c{self.clients}", quantity * RULES.step, price=price(tick) if limit else ZERO,
            time_in_force=force if kind == "LIMIT" else "GTC", prevention=mode,
        )  # type: ignore[arg-type]  # fmt: skip
        offered = self.offers(side, None if mode == "NONE" else name)
        own = self.engine.history.open_orders(name, SYMBOL)
        standing = dict(self.pit.liquidity.levels(opposite(side)))
        try:
            order, happened = self.engine.place(name, asked, 1)
        except VenueError as refused:
            assert refused.code in {-1013, -2010}  # noqa: PT017 - other codes would be wrong
            return
        self.check_taker(order, happened, offered)
        self.check_prevention(order, own)
        between = [e.execution for e in happened if isinstance(e, Report) and e.execution and e.execution.maker]
        gone = sum(standing.values()) - sum(size for _, size in self.pit.liquidity.levels(opposite(side)))
        assert gone == order.executed - sum(fill.quantity for fill in between)

    @rule(
        name=st.sampled_from(NAMES), quote=st.integers(1, 400), side=sides, mode=st.sampled_from((None, *PREVENTIONS))
    )  # fmt: skip
    def spend(self, name: str, quote: int, side: Side, mode: Prevention | None) -> None:
        self.clients += 1
        asked = NewOrder(SYMBOL, side, "MARKET", f"c{self.clients}", quote_quantity=D(quote), prevention=mode)
        offered = self.offers(side, None if mode == "NONE" else name)
        try:
            order, happened = self.engine.place(name, asked, 1)
        except VenueError:
            return
        assert order.executed_quote <= quote
        self.check_taker(order, happened, offered)

    @rule(name=st.sampled_from(NAMES), pick=st.integers(0, 100))
    def cancel(self, name: str, pick: int) -> None:
        orders = self.engine.history.open_orders(name, SYMBOL)
        if orders:
            order = orders[pick % len(orders)]
            self.engine.cancel(name, SYMBOL, order.order_id, None, "x", 1)
            assert order.status == "CANCELED"
            assert order.locked == 0

    @rule(name=st.sampled_from(NAMES), asset=st.sampled_from(ASSETS), units=st.integers(1, 5))
    def deposit(self, name: str, asset: str, units: int) -> None:
        self.engine.transfer(name, asset, D(units), 1)
        self.deposited[name, asset] += units

    @rule(name=st.sampled_from(NAMES), asset=st.sampled_from(ASSETS), units=st.integers(1, 5))
    def withdraw(self, name: str, asset: str, units: int) -> None:
        """What is free can leave, what is locked cannot."""
        free = self.engine.accounts.by_name[name].balance(asset).free
        try:
            self.engine.transfer(name, asset, D(-units), 1)
        except BalanceError:
            assert free < units
            return
        self.deposited[name, asset] -= units

    # What must hold

    def check_prevention(self, order: Order, own: list[Order]) -> None:
        """Only what the incoming order's mode names expires, and an account trades with itself only where it may."""
        ended = [other for other in own if other.status == "EXPIRED_IN_MATCH"]
        if ended:
            assert order.prevention in {"EXPIRE_MAKER", "EXPIRE_BOTH"}
        if order.status == "EXPIRED_IN_MATCH":
            assert order.prevention in {"EXPIRE_TAKER", "EXPIRE_BOTH"}
            assert order.executed + order.prevented == order.quantity
        if order.prevention == "EXPIRE_BOTH":
            assert len(ended) == (order.status == "EXPIRED_IN_MATCH")
        executions = self.engine.history.executions(order.account, SYMBOL)
        mine = {execution.trade_id for execution in executions if execution.order_id == order.order_id}
        with_itself = [e for e in executions if e.trade_id in mine and e.order_id != order.order_id]
        assert order.prevention == "NONE" or not with_itself

    def offers(self, side: Side, name: str | None) -> dict[Decimal, Decimal]:
        """What an order of this account could take at each price, before it comes; None of one that may take all."""
        found: defaultdict[Decimal, Decimal] = defaultdict(Decimal)
        for level, size in self.pit.liquidity.levels(opposite(side)):
            found[level] += size
        for order in self.pit.resting[opposite(side)]:
            if order.account != name:
                found[order.price] += order.leaves
        return found

    def check_moved(self, moved: DepthUpdate | Quote) -> None:
        """What resting orders got from a moved book is gone from it, to the last unit."""
        liquidity = self.pit.liquidity
        gone_before = {side: dict(gone) for side, gone in liquidity._taken.items()}
        done = self.check_resting(self.engine.market(moved))
        lost = ZERO
        for side, gone in gone_before.items():
            for at, published in liquidity._published_levels(side):
                here = published - min(gone.get(at, ZERO), published) - liquidity.size(side, at)
                met = [fill.price for fill in done if fill.side == opposite(side)]
                assert not here or any(p == at or better(opposite(side), p, at) for p in met), "filled beyond its limit"
                lost += here
        assert lost == sum((fill.quantity for fill in done), ZERO)

    def check_taker(self, order: Order, happened: list[EngineEvent], offered: dict[Decimal, Decimal]) -> None:
        done = [
            e.execution
            for e in happened
            if isinstance(e, Report) and e.execution and e.execution.order_id == order.order_id
        ]
        taken: defaultdict[Decimal, Decimal] = defaultdict(Decimal)
        for fill in done:
            taken[fill.price] += fill.quantity
        resting = opposite(order.side)
        if order.time_in_force == "FOK":
            assert order.executed in {ZERO, order.quantity}
        for at, quantity in taken.items():
            assert quantity <= offered[at], "took more than was there"
            assert order.type == "MARKET" or not better(resting, order.price, at), "beyond its limit"
            for other, size in offered.items():
                if better(resting, other, at):
                    assert taken[other] == size, "left a better price behind"
        self.check_turns(happened)

    def check_resting(self, happened: list[EngineEvent]) -> list[Execution]:
        done = [e.execution for e in happened if isinstance(e, Report) and e.execution]
        for event in happened:
            if isinstance(event, Report) and event.execution:
                assert event.execution.maker
                assert event.execution.price == event.order.price
        self.check_turns(happened)
        return done

    def check_turns(self, happened: list[EngineEvent]) -> None:
        """A resting order trades only when those of its side and price that came before it are filled."""
        for event in happened:
            if isinstance(event, Report) and event.execution and event.execution.maker:
                for other in self.pit.resting[event.order.side]:
                    same = other.price == event.order.price
                    if same and other.order_id < event.order.order_id:
                        raise AssertionError(f"{event.order.client_order_id} came before {other.client_order_id}")

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        for asset in ASSETS:
            assert self.engine.accounts.total(asset) == 0

    @invariant()
    def no_balance_is_negative_and_locked_is_what_open_orders_need(self) -> None:
        for name, account in self.engine.accounts.by_name.items():
            held: defaultdict[str, Decimal] = defaultdict(Decimal)
            for order in self.engine.history.open_orders(name):
                left = order.quantity - order.executed
                assert left > 0
                needed = order.price * left if order.side == "BUY" else left
                assert order.locked == needed
                held["USDT" if order.side == "BUY" else "BTC"] += needed
            for asset, balance in account.balances.items():
                assert balance.free >= 0
                assert balance.locked == held[asset]

    @invariant()
    def the_queues_hold_the_open_orders_in_their_turn(self) -> None:
        queued = [order for orders in self.pit.resting.values() for order in orders]
        opened = [o for name in NAMES for o in self.engine.history.open_orders(name)]
        assert sorted(o.order_id for o in queued) == sorted(o.order_id for o in opened)
        for side, orders in self.pit.resting.items():
            for one, other in pairwise(orders):
                first = better(side, one.price, other.price)
                assert first or (one.price == other.price and one.order_id < other.order_id)

    @invariant()
    def own_orders_are_never_crossed(self) -> None:
        buys, sells = self.pit.resting["BUY"], self.pit.resting["SELL"]
        assert not buys or not sells or buys[0].price < sells[0].price

    @invariant()
    def balances_follow_from_deposits_and_executions(self) -> None:
        """To the last unit, and so do the fees that the exchange has."""
        paid: defaultdict[str, Decimal] = defaultdict(Decimal)
        for name, account in self.engine.accounts.by_name.items():
            expected = {asset: self.deposited[name, asset] for asset in ASSETS}
            for fill in self.engine.history.executions(name, SYMBOL):
                sign = 1 if fill.side == "BUY" else -1
                expected["BTC"] += sign * fill.quantity
                expected["USDT"] -= sign * fill.price * fill.quantity
                expected[fill.fee_asset] -= fill.fee
                paid[fill.fee_asset] += fill.fee
                assert fill.fee == fee_of(fill)
            assert {asset: b.free + b.locked for asset, b in account.balances.items()} == expected
        assert all(self.engine.accounts.held(FEES)[asset] == fees for asset, fees in paid.items())

    @invariant()
    def executions_add_up_to_orders(self) -> None:
        for name in NAMES:
            filled: defaultdict[int, Decimal] = defaultdict(Decimal)
            for execution in self.engine.history.executions(name, SYMBOL):
                filled[execution.order_id] += execution.quantity
            for order in self.engine.history.orders(name, SYMBOL):
                assert filled[order.order_id] == order.executed


Trading.TestCase.settings = settings(max_examples=60, stateful_step_count=40)
TestTrading = Trading.TestCase
