"""The matching engine: own orders of all accounts against a replayed book. Pure: time comes in with every call.

Every call answers with what happened, in order, as reports of orders and changes of balances. Used by the exchange's
process and by backtests alike.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal

from trimtab.exchange import errors
from trimtab.exchange.accounts import MARKET, OUTSIDE, Account, Accounts
from trimtab.exchange.average import AveragePrice
from trimtab.exchange.book import ZERO
from trimtab.exchange.fees import commission, quote_commission
from trimtab.exchange.history import History
from trimtab.exchange.house import BINANCE, House
from trimtab.exchange.instruments import Instrument, Prevention
from trimtab.exchange.market import DepthUpdate, MarketEvent, Quote, Snapshot
from trimtab.exchange.matching import Pit, Plan, opposite
from trimtab.exchange.orders import (
    BalanceChange,
    EngineEvent,
    Execution,
    NewOrder,
    Order,
    PreventedMatch,
    Report,
    ReportKind,
    Status,
)
from trimtab.exchange.prevention import expires_taker, prevented_match


class Engine:
    """All symbols and accounts of one exchange.

    `fixed_prices` (quote units by asset) price a fee asset that has no book here; ids count from `first_id`.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        fixed_prices: Mapping[str, Decimal] | None = None,
        first_id: int = 1,
        house: House = BINANCE,
    ) -> None:
        self.instruments = dict(instruments)
        self.house = house
        self.accounts = Accounts()
        self.history = History(first_id)
        self.pits = {symbol: Pit() for symbol in self.instruments}
        self.halted: dict[str, str] = {}  # symbols that do not trade at present, and their status
        self.averages = {symbol: AveragePrice() for symbol in self.instruments}
        self.fixed_prices = dict(fixed_prices or {})

    # Accounts

    def open_account(self, account: Account, deposits: Mapping[str, Decimal], time_us: int) -> list[EngineEvent]:
        """Add an account with its first deposits (asset to units)."""
        self.accounts.open(account)
        return [self.transfer(account.name, asset, amount, time_us) for asset, amount in deposits.items()]

    def transfer(self, name: str, asset: str, amount: Decimal, time_us: int) -> BalanceChange:
        """A deposit (positive) or withdrawal (negative) of free units.

        Raises BalanceError if less is free than withdrawn.
        """
        reason = "deposit" if amount >= 0 else "withdrawal"
        change = self.accounts.move(name, asset, amount, OUTSIDE, reason, time_us)
        self.history.transferred(change)
        return change

    # Market

    def market(self, event: MarketEvent) -> list[EngineEvent]:
        """Let the market move; answers with what it did to resting orders."""
        pit = self.pits[event.symbol]
        if isinstance(event, Quote):
            pit.liquidity.quote(event)
        elif isinstance(event, DepthUpdate):
            pit.liquidity.update(event)
        elif isinstance(event, Snapshot):
            pit.liquidity.reset(event)
        else:
            self.averages[event.symbol].trade(event)
            return self._fill_resting(pit, pit.on_trade(event), event.time_us) if _any_resting(pit) else []
        return self._fill_resting(pit, pit.on_book(), event.time_us) if _any_resting(pit) else []

    def reference(self, symbol: str) -> Decimal | None:
        """The mid price of the published book, quote units; None unless both sides stand."""
        liquidity = self.pits[symbol].liquidity
        bid, ask = liquidity.book.bids.best(), liquidity.book.asks.best()
        return (bid + ask) / 2 if bid is not None and ask is not None else None

    def average(self, symbol: str, time_us: int) -> Decimal | None:
        """What the filters hold prices against: the mean of the last five minutes' trades, before any the mid price."""
        price = self.averages[symbol].price(time_us)
        return self.reference(symbol) if price is None else price

    def price_of(self, asset: str, quote: str) -> Decimal | None:
        """Price of a fee asset in quote units: from its book, else the fixed one, else None."""
        if asset == quote:
            return Decimal(1)
        symbol = f"{asset}{quote}"
        price = self.reference(symbol) if symbol in self.pits else None
        return price if price is not None else self.fixed_prices.get(asset)

    # Orders

    def place(self, name: str, new: NewOrder, time_us: int) -> tuple[Order, list[EngineEvent]]:
        """Accept an order, match it, let the rest queue or expire.

        Raises VenueError (nothing has changed then) for an unknown symbol, a filter, a self-trade prevention that the
        symbol does not allow, a client id of an open order, too little free balance, an empty book where the quantity
        is to come from it, or a LIMIT_MAKER order that would match.
        """
        rules = self.instruments.get(new.symbol)
        if rules is None:
            raise errors.invalid_symbol()
        if new.symbol in self.halted:
            raise errors.market_closed()
        self.house.check(new, rules, self.average(new.symbol, time_us), self.history.open_count(name, new.symbol))
        prevention = new.prevention or rules.prevention
        if prevention not in rules.preventions:
            raise errors.prevention_not_allowed()
        taken = self.house.unique_client_ids and self.history.find_open(name, new.symbol, new.client_order_id)
        if taken:
            raise errors.duplicate_order()
        pit = self.pits[new.symbol]
        if new.type == "LIMIT_MAKER" and pit.crosses(new.side, new.price):
            raise errors.would_take()
        plan = self._plan(pit, name, new, rules, prevention)
        if new.quote_quantity and not (plan.filled or plan.prevented):
            raise errors.too_little_liquidity(empty=not pit.offers(new.side))
        needed = self._needed(name, new, plan)
        asset = rules.quote if new.side == "BUY" else rules.base
        if self.accounts.by_name[name].balance(asset).free < needed:
            raise errors.insufficient_balance()
        order = self._accept(name, new, plan, prevention, time_us)
        order.locked = needed
        events: list[EngineEvent] = [_report("NEW", order, time_us)]
        if needed:
            events.append(self.accounts.lock(name, asset, needed, "order", time_us))
        if new.time_in_force == "FOK" and plan.filled < order.quantity:
            plan = Plan([], [])
        events += self._execute(pit, order, plan, time_us)
        if order.is_open:
            events += self._settle_rest(pit, order, time_us)
        return order, events

    def cancel(
        self, name: str, symbol: str, order_id: int | None, client_order_id: str | None, request_id: str, time_us: int
    ) -> tuple[Order, list[EngineEvent]]:
        """Cancel an open order, found by either id; `request_id` is the cancellation's own client id.

        Raises VenueError -2011 if no such order is open.
        """
        if symbol not in self.instruments:
            raise errors.invalid_symbol()
        order = self.history.find(name, symbol, order_id, client_order_id)
        if order is None or not order.is_open:
            raise errors.unknown_order()
        self.pits[symbol].remove(order)
        return order, self._close(order, "CANCELED", "CANCELED", time_us, request_id)

    def delist(self, symbol: str, time_us: int) -> list[EngineEvent]:
        """Take a symbol off the list: its open orders are cancelled, of whatever account.

        Its `instruments` entry is what lists it again.
        """
        events = self.cancel_all(symbol, time_us)
        del self.instruments[symbol]
        return events

    def cancel_all(self, symbol: str, time_us: int) -> list[EngineEvent]:
        """Cancel every open order of a symbol, of whatever account, as the exchange itself does."""
        events: list[EngineEvent] = []
        for resting in self.pits[symbol].resting.values():
            for order in list(resting):
                resting.remove(order)
                events += self._close(order, "CANCELED", "CANCELED", time_us)
        return events

    @staticmethod
    def _plan(pit: Pit, name: str, new: NewOrder, rules: Instrument, prevention: Prevention) -> Plan:
        if new.quote_quantity:
            return pit.plan_cost(new.side, name, new.quote_quantity, rules.step, prevention)
        return pit.plan(new.side, name, None if new.type == "MARKET" else new.price, new.quantity, prevention)

    def _needed(self, name: str, new: NewOrder, plan: Plan) -> Decimal:
        """What the order locks: of the quote asset for a buy, of the base asset for a sell."""
        if new.side == "SELL":
            return max(plan.filled, new.quantity)
        return self._with_fee(name, plan.cost if new.type == "MARKET" else new.price * new.quantity)

    def _with_fee(self, name: str, cost: Decimal) -> Decimal:
        """What a buy of this cost locks: the fee as well, where it is paid in the same asset."""
        if not self.house.fees_in_quote:
            return cost
        account = self.accounts.by_name[name]
        return cost * (1 + max(account.maker_fee, account.taker_fee))

    def _accept(self, name: str, new: NewOrder, plan: Plan, prevention: Prevention, time_us: int) -> Order:
        quantity = new.quantity or plan.filled + plan.cut
        order = Order(
            account=name,
            symbol=new.symbol,
            order_id=self.history.next_order_id(new.symbol),
            client_order_id=new.client_order_id,
            side=new.side,
            type=new.type,
            time_in_force=new.time_in_force,
            price=new.price,
            quantity=quantity,
            quote_quantity=new.quote_quantity,
            created_us=time_us,
            updated_us=time_us,
            prevention=prevention,
        )
        self.history.accepted(order)
        return order

    def _execute(self, pit: Pit, order: Order, plan: Plan, time_us: int) -> list[EngineEvent]:
        events: list[EngineEvent] = []
        taker_stays = not expires_taker(order.prevention)
        if taker_stays:
            events += self._prevent(pit, order, plan, time_us)
        maker_side = opposite(order.side)
        for match in plan.matches:
            trade_id = self.history.next_trade_id(order.symbol)
            events += self._fill(order, match.price, match.quantity, trade_id, time_us, maker=False)
            if match.maker is None:
                pit.consume(maker_side, match.price, match.quantity)
            else:
                events += self._fill(match.maker, match.price, match.quantity, trade_id, time_us, maker=True)
                if not match.maker.is_open:
                    pit.remove(match.maker)
        if not taker_stays:
            events += self._prevent(pit, order, plan, time_us)
        return events

    def _prevent(self, pit: Pit, taker: Order, plan: Plan, time_us: int) -> list[EngineEvent]:
        """Expire what would trade with its own account: orders in the way, the incoming one, or both."""
        events: list[EngineEvent] = []
        for maker in plan.prevented:
            match = prevented_match(taker, maker, self.history.next_match_id(taker.symbol), time_us)
            self.history.prevented(match)
            if match.maker_prevented:
                pit.remove(maker)
                events += self._expire_in_match(maker, match, match.maker_prevented)
            if match.taker_prevented:
                events += self._expire_in_match(taker, match, match.taker_prevented)
        return events

    def _expire_in_match(self, order: Order, match: PreventedMatch, quantity: Decimal) -> list[EngineEvent]:
        order.prevented, order.prevented_match_id = quantity, match.match_id
        return self._close(order, "TRADE_PREVENTION", "EXPIRED_IN_MATCH", match.time_us, prevented=match)

    def _settle_rest(self, pit: Pit, order: Order, time_us: int) -> list[EngineEvent]:
        """Queue what may wait; everything else expires."""
        if order.type == "MARKET" or order.time_in_force != "GTC":
            return self._close(order, "EXPIRED", "EXPIRED", time_us)
        pit.rest(order)
        return []

    def _fill_resting(self, pit: Pit, fills: Sequence[tuple[Order, Decimal]], time_us: int) -> list[EngineEvent]:
        events: list[EngineEvent] = []
        for order, quantity in fills:
            trade_id = self.history.next_trade_id(order.symbol)
            events += self._fill(order, order.price, quantity, trade_id, time_us, maker=True)
            if not order.is_open:
                pit.remove(order)
        return events

    def _fill(
        self, order: Order, price: Decimal, quantity: Decimal, trade_id: int, time_us: int, *, maker: bool
    ) -> list[EngineEvent]:
        rules, name = self.instruments[order.symbol], order.account
        account, cost = self.accounts.by_name[name], price * quantity
        if self.house.fees_in_quote:
            fee, fee_asset = quote_commission(account, rules, (price, quantity), maker=maker)
        else:
            fill = price, quantity
            fee, fee_asset = commission(account, rules, order.side, fill, maker=maker, price_of=self.price_of)
        order.executed += quantity
        order.executed_quote += cost
        order.updated_us = time_us
        order.status = "FILLED" if order.executed == order.quantity else "PARTIALLY_FILLED"
        paid, received = (rules.quote, rules.base) if order.side == "BUY" else (rules.base, rules.quote)
        spent, gained = (cost, quantity) if order.side == "BUY" else (quantity, cost)
        held = self._with_fee(name, (order.price or price) * quantity) if order.side == "BUY" else spent
        order.locked -= held
        execution = Execution(
            name, order.symbol, trade_id, order.order_id, order.client_order_id, order.side, price, quantity, cost,
            fee, fee_asset, maker, time_us,
        )  # fmt: skip
        self.history.executed(execution)
        events: list[EngineEvent] = [_report("TRADE", order, time_us, execution)]
        if held != spent:
            events.append(self.accounts.lock(name, paid, spent - held, "better price", time_us))
        events.append(self.accounts.spend(name, paid, spent, "fill", time_us))
        events.append(self.accounts.move(name, received, gained, MARKET, "fill", time_us))
        if fee:
            events.append(self.accounts.pay_fee(name, fee_asset, fee, time_us))
        return events

    def _close(
        self,
        order: Order,
        kind: ReportKind,
        status: Status,
        time_us: int,
        request_id: str | None = None,
        prevented: PreventedMatch | None = None,
    ) -> list[EngineEvent]:
        """End an order that is not filled and release what is still locked for it."""
        rules = self.instruments[order.symbol]
        order.status, order.updated_us = status, time_us
        released, order.locked = order.locked, ZERO
        events: list[EngineEvent] = [_report(kind, order, time_us, None, request_id, prevented)]
        if released:
            asset = rules.quote if order.side == "BUY" else rules.base
            events.append(self.accounts.lock(order.account, asset, -released, "released", time_us))
        return events


def _any_resting(pit: Pit) -> bool:
    return bool(pit.resting["BUY"] or pit.resting["SELL"])


def _report(
    kind: ReportKind,
    order: Order,
    time_us: int,
    execution: Execution | None = None,
    request_id: str | None = None,
    prevented: PreventedMatch | None = None,
) -> Report:
    return Report(kind, replace(order), time_us, request_id or order.client_order_id, execution, prevented)
