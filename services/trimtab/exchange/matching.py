"""Who trades with whom on one symbol: own orders among themselves and against the published book, by price, then time.

An own resting order queues behind the published quantity that stood at its price when it came (`Order.ahead`):

- a public trade at its price first uses up what stands ahead, then fills it; a trade at a worse price (through it)
  fills it at once;
- cancellations are taken to come from behind, until the level has become smaller than what stood ahead;
- when the published opposite side comes to its price, it is filled at its own price by what stands there, and what it
  took is gone.

Nothing here moves money: it answers with quantities, the engine books them.
"""

from bisect import insort
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal
from itertools import groupby

from trimtab.exchange.book import ZERO
from trimtab.exchange.instruments import Prevention
from trimtab.exchange.liquidity import Liquidity, Side
from trimtab.exchange.market import Trade
from trimtab.exchange.orders import Order


def opposite(side: Side) -> Side:
    """The other side."""
    return "SELL" if side == "BUY" else "BUY"


@dataclass(frozen=True, slots=True)
class Match:
    """A quantity to trade at a price: with the resting `maker`, or with the published book if None."""

    price: Decimal
    quantity: Decimal
    maker: Order | None


@dataclass(slots=True)
class Plan:
    """What an incoming order would do: its matches in order, and its own account's orders standing in its way.

    `cut` is what it could have bought or sold, for the quote units it had left, where it met an own order and ends.
    """

    matches: list[Match]
    prevented: list[Order]
    filled: Decimal = ZERO
    cost: Decimal = ZERO
    cut: Decimal = ZERO

    def add(self, price: Decimal, quantity: Decimal, maker: Order | None) -> None:
        """Append a match and count it."""
        self.matches.append(Match(price, quantity, maker))
        self.filled += quantity
        self.cost += price * quantity


class Pit:
    """One symbol: what the book offers and the own orders resting in it."""

    def __init__(self) -> None:
        self.liquidity = Liquidity()
        self.resting: dict[Side, list[Order]] = {"BUY": [], "SELL": []}

    def rest(self, order: Order) -> None:
        """Let an order queue at its price, behind all that stands there now."""
        order.ahead = self.liquidity.size(order.side, order.price)
        sign = -1 if order.side == "BUY" else 1
        insort(self.resting[order.side], order, key=lambda o: (sign * o.price, o.order_id))

    def remove(self, order: Order) -> None:
        """Take an order out of the queue."""
        self.resting[order.side].remove(order)

    def crosses(self, side: Side, price: Decimal) -> bool:
        """Whether an order of this side and price would match at once."""
        best = next(self._offers(opposite(side)), None)
        return best is not None and _reaches(side, price, best[0])

    def offers(self, side: Side) -> bool:
        """Whether an order of this side would find anything at all."""
        return next(self._offers(opposite(side)), None) is not None

    def plan(self, side: Side, account: str, limit: Decimal | None, quantity: Decimal, prevention: Prevention) -> Plan:
        """Walk the offers for up to `quantity` (base units), not past `limit`."""
        plan = Plan([], [])
        for price, offered, maker in self._offers(opposite(side)):
            if plan.filled >= quantity or (limit is not None and not _reaches(side, limit, price)):
                break
            if maker is not None and maker.account == account and prevention != "NONE":
                plan.prevented.append(maker)
                if prevention == "EXPIRE_MAKER":
                    continue
                break
            plan.add(price, min(offered, quantity - plan.filled), maker)
        return plan

    def plan_cost(
        self, side: Side, account: str, quote_quantity: Decimal, step: Decimal, prevention: Prevention
    ) -> Plan:
        """Walk the offers for up to `quote_quantity` (quote units), in whole steps."""
        plan = Plan([], [])
        for price, offered, maker in self._offers(opposite(side)):
            affordable = (quote_quantity - plan.cost) // (price * step) * step
            if affordable <= 0:
                break
            if maker is not None and maker.account == account and prevention != "NONE":
                plan.prevented.append(maker)
                if prevention == "EXPIRE_MAKER":
                    continue
                plan.cut = affordable
                break
            plan.add(price, min(offered, affordable), maker)
            if affordable < offered:
                break  # a lower bid may afford another step, but never past what is left of a better one
        return plan

    def consume(self, side: Side, price: Decimal, quantity: Decimal) -> None:
        """Take published quantity of the resting `side`; who queues behind it moves up."""
        self.liquidity.take(side, price, quantity)
        for order in self.resting[side]:
            if order.price == price:
                order.ahead = max(ZERO, order.ahead - quantity)

    def on_trade(self, trade: Trade) -> list[tuple[Order, Decimal]]:
        """Own resting orders that a public trade fills, and by how much."""
        side: Side = "BUY" if trade.buyer_is_maker else "SELL"
        fills: list[tuple[Order, Decimal]] = []
        volume = trade.quantity
        own = ZERO
        for order in self.resting[side]:
            if not _reaches(side, order.price, trade.price):
                break
            if order.price != trade.price:
                filled = min(order.leaves, volume)
                volume -= filled
            else:
                reach = max(ZERO, volume - own)
                filled = min(order.leaves, max(ZERO, reach - order.ahead))
                order.ahead = max(ZERO, order.ahead - reach)
                own += filled
            if filled > 0:
                fills.append((order, filled))
        return fills

    def on_book(self) -> list[tuple[Order, Decimal]]:
        """Own resting orders to whose price the opposite side has come, and by how much it fills them."""
        fills: list[tuple[Order, Decimal]] = []
        for side, orders in self.resting.items():
            for order in orders:
                filled = self._met(order)
                if filled > 0:
                    fills.append((order, filled))
                order.ahead = min(order.ahead, self.liquidity.size(side, order.price))
        return fills

    def _met(self, order: Order) -> Decimal:
        side = opposite(order.side)
        filled = ZERO
        while filled < order.leaves:
            best = next(self.liquidity.levels(side), None)
            if best is None or not _reaches(order.side, order.price, best[0]):
                break
            quantity = min(best[1], order.leaves - filled)
            self.liquidity.take(side, best[0], quantity)
            filled += quantity
        return filled

    def _offers(self, side: Side) -> Iterator[tuple[Decimal, Decimal, Order | None]]:
        """All that rests on a side, in the order in which it trades: price, quantity, own order or None."""
        own = [(price, list(orders)) for price, orders in groupby(self.resting[side], key=lambda o: o.price)]
        index = 0
        for price, size in self.liquidity.levels(side):
            while index < len(own) and own[index][0] != price and _reaches(side, own[index][0], price):
                yield from _queue(own[index][0], ZERO, own[index][1])
                index += 1
            if index < len(own) and own[index][0] == price:
                yield from _queue(price, size, own[index][1])
                index += 1
            else:
                yield price, size, None
        for price, orders in own[index:]:
            yield from _queue(price, ZERO, orders)


def _reaches(side: Side, price: Decimal, other: Decimal) -> bool:
    """Whether an order of `side` at `price` is at least as good as, or reaches, `other`."""
    return price >= other if side == "BUY" else price <= other


def _queue(price: Decimal, size: Decimal, orders: list[Order]) -> Iterator[tuple[Decimal, Decimal, Order | None]]:
    """One level in time order: published quantity and own orders between it."""
    passed = ZERO
    for order in orders:
        ahead = min(order.ahead, size) - passed
        if ahead > 0:
            yield price, ahead, None
            passed += ahead
        yield price, order.leaves, order
    if size > passed:
        yield price, size - passed, None
