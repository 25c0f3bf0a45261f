"""What any plan must keep, whatever led to it: grids, limits, and cash that closes at the worst prices."""

from collections import defaultdict
from collections.abc import Iterator
from fractions import Fraction

from oracle.fast import Judged
from oracle.holders import Holder
from oracle.worlds import World
from trimtab.domain.orders import Side
from trimtab.messages import Signal, Trade


def faults(world: World, holder: Holder, found: Judged) -> Iterator[str]:
    """Tell what is wrong with the trades of a signal."""
    if not isinstance(found.decision, Signal):
        return
    trades = found.decision.trades
    if not trades:
        yield "a signal without trades"
    for trade in trades:
        yield from (f"{trade.side} {trade.base}: {text}" for text in _grids(world, holder, trade))
    equity = Fraction(found.decision.equity)
    yield from _direction(world, holder, trades, equity)
    yield from _sales(world, holder, trades)
    yield from _cash(world, holder, trades)


def _grids(world: World, holder: Holder, trade: Trade) -> Iterator[str]:
    quote = world.market.quotes[f"{trade.venue}:{trade.instrument}"]
    rules, limits = quote.instrument, holder.portfolio.limits
    quantity, limit = Fraction(trade.quantity), Fraction(trade.limit_price)
    bid, ask = Fraction(quote.bids[0].price), Fraction(quote.asks[0].price)
    mid, tick = (bid + ask) / 2, Fraction(rules.tick)
    if quantity % Fraction(rules.step) or quantity <= 0 or quantity < Fraction(rules.min_quantity):
        yield f"quantity {trade.quantity}"
    direct = world.market.quotes[f"{trade.venue}:{trade.base}/{holder.portfolio.quote}"]
    value = quantity * (Fraction(direct.bids[0].price) + Fraction(direct.asks[0].price)) / 2
    if quantity * min(limit, mid) < Fraction(rules.min_notional) or value < Fraction(limits.min_trade):
        yield f"too small: {float(quantity * mid)}"
    budget = Fraction(limits.slippage_budget_spreads) * (ask - bid)
    if trade.side is Side.BUY:
        worst = max((mid + budget) // tick * tick, ask + tick)
    else:
        worst = max(min(-((budget - mid) // tick) * tick, bid - tick), tick)
    if limit != worst:
        yield f"limit price {trade.limit_price}, not {float(worst)}"
    if abs(Fraction(trade.decision_price) - mid) > Fraction(1, 10**18) or not rules.tradable:
        yield f"decision price {trade.decision_price}"


def _direction(world: World, holder: Holder, trades: tuple[Trade, ...], equity: Fraction) -> Iterator[str]:
    """No asset is traded further than one trade may, nor both ways."""
    moved: dict[tuple[str, Side], Fraction] = defaultdict(Fraction)
    for trade in trades:
        fee = Fraction(world.market.quotes[f"{trade.venue}:{trade.instrument}"].instrument.taker_fee)
        for asset, side, units in _both(trade, fee):
            book = world.market.quotes.get(f"{trade.venue}:{asset}/{holder.portfolio.quote}")
            if book is not None:
                moved[asset, side] += units * (Fraction(book.bids[0].price) + Fraction(book.asks[0].price)) / 2 / equity
    for (asset, side), part in moved.items():
        if part > Fraction(holder.portfolio.limits.max_trade_share) * (1 + Fraction(1, 10**12)):
            yield f"{side} {asset}: {float(part)} of equity"
        if (asset, Side.BUY if side is Side.SELL else Side.SELL) in moved:
            yield f"{asset} is both bought and sold"


def _both(trade: Trade, fee: Fraction) -> Iterator[tuple[str, Side, Fraction]]:
    """Yield what an order moves: its base, and its quote at the mid, fee included."""
    quantity, against = Fraction(trade.quantity), Side.SELL if trade.side is Side.BUY else Side.BUY
    yield trade.base, trade.side, quantity
    yield trade.quote, against, quantity * Fraction(trade.decision_price) * (1 + fee * trade.side.sign)


def _sales(world: World, holder: Holder, trades: tuple[Trade, ...]) -> Iterator[str]:
    sold: dict[tuple[str, str], Fraction] = defaultdict(Fraction)
    for trade in trades:
        if trade.side is Side.SELL:
            sold[trade.account, trade.base] += Fraction(trade.quantity)
        elif trade.quote != holder.portfolio.quote:
            sold[trade.account, trade.quote] += _worst(world, trade)
    available = {(p.account, p.asset): Fraction(p.posted) - Fraction(p.reserved) for p in holder.state.positions}
    for place, quantity in sold.items():
        if quantity > available.get(place, 0):
            yield f"sells {float(quantity)} in {place}, available is {float(available.get(place, 0))}"


def _cash(world: World, holder: Holder, trades: tuple[Trade, ...]) -> Iterator[str]:
    """Each account pays for its buys with its cash and the sales that the buys name, all at the worst prices."""
    quote = holder.portfolio.quote
    sales = {t.trade_id: t for t in trades if t.side is Side.SELL and t.quote == quote}
    seen_buy = False
    for trade in trades:
        seen_buy |= trade.side is Side.BUY
        if trade.side is Side.SELL and trade.quote == quote and seen_buy:
            yield "a sale after a buy"
        if any(name not in sales or sales[name].account != trade.account for name in trade.depends_on):
            yield f"{trade.base} depends on what is no sale of its account"
            return
    for account in {trade.account for trade in trades}:
        cash = sum(
            Fraction(p.posted) - Fraction(p.reserved)
            for p in holder.state.positions
            if (p.account, p.asset) == (account, quote)
        )
        buys = [t for t in trades if t.side is Side.BUY and t.account == account and t.quote == quote]
        named = {name for buy in buys for name in buy.depends_on}
        paid = sum(_worst(world, buy) for buy in buys)
        got = sum(_worst(world, sales[name]) for name in named)
        if buys and paid > max(cash, 0) + got:
            yield f"{account}: buys cost {float(paid)}, there are {float(cash)} and {float(got)} of the sales named"


def _worst(world: World, trade: Trade) -> Fraction:
    """Return the cash that a trade moves at its limit price, fee included."""
    fee = Fraction(world.market.quotes[f"{trade.venue}:{trade.instrument}"].instrument.taker_fee)
    return Fraction(trade.quantity) * Fraction(trade.limit_price) * (1 + fee * trade.side.sign)
