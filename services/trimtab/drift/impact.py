"""What own trades have moved: Y of the square-root law, refit from orders for more than the book showed.

Of such an order, in shares of its quantity: v is the visible depth, t what takers' fills make up, r what is left of it
when it has settled. The law (costs.py) says of a taker's unit, against the decision price,

    slippage = shown + Y s x(t),   x(t) = (t - v) / t sqrt((t - v) / v), 0 up to v

with what the book shows, the whole depth and for the rest its last price. s is the volatility over the signal's
lifetime, which also is what the price moves by itself meanwhile. So for the order as a whole

    z = (shortfall - t shown) / s = Y x1 + noise,   x1 = (t + r) x(t)

**All of the order.** Orders have a limit: what is filled is what the price did not run away from, and fills alone
would show far too little. So its shortfall is that of Perold (1988): of every fill, and of what is left at the mid of
the time, which own trades have moved by what they paid for on average (fair pricing: Farmer et al. 2013). The noise has
a variance of 1 at most by the deadline, and of 1 more for each lifetime that goes by until the order settles.

**Ordered, not taken.** How much is taken depends on the noise for the same reason, but what was ordered does not: x0 =
x(1). So it is the instrument (two-stage least squares: Theil 1953), and every order counts, carried out or not:

    A = sum w x0^2,   B = sum w x0 x1,   C = sum w x0 z,   g = B / A    the part that is carried out
    Y = (g C + m Y0) / (g B + m),   m = 1 / PRIOR_DEVIATION^2

with the prior N(Y0, PRIOR_DEVIATION^2), Y0 the setting, and weights w = 2^(-age / HALF_LIFE) over the noise's variance.
Where all is taken that is Bayes' linear regression of z on x0.

**Bounds.** No order says more than the prior: an x0 above `REGRESSOR_MAX`, where x0^2 is m, is scaled down to it, and
x1 and z with it. Nor does the price's own move, however large: z counts as within `NOISE_MAX` of Y0 x1 (winsorised:
Huber 1964). Orders on one symbol that settle in the same record share that move, and together count as one. Whatever
comes of it all, Y stays within `impact_bounds`. Without such orders it is Y0 exactly. One Y is for all instruments: it
is found to be much the same everywhere (Toth et al. 2011). Another Y0 in the settings is another prior; what was learnt
stays.

The sums' parts are rounded each for itself, so that the order of trades and fills does not matter.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trimtab.cost_rows import PendingTrade
from trimtab.domain.amounts import ONE, ZERO, quantise
from trimtab.domain.market import Market
from trimtab.drift.memory import weight_of_age
from trimtab.drift.pending import followed, settled, slippage, with_fills
from trimtab.messages import Costs, Fill, Signal

# Orders past the visible depth are rare, and Y is taken for a constant of markets: they may count for long.
HALF_LIFE_US = 90 * 24 * 3_600_000_000
PRIOR_DEVIATION = Decimal("0.25")
PRIOR_WEIGHT = ONE / PRIOR_DEVIATION**2
REGRESSOR_MAX = ONE / PRIOR_DEVIATION
NOISE_MAX = Decimal(3)
PUBLISHED_MIN, PUBLISHED_MAX = Decimal("0.5"), ONE
PENDING_MAX = 100  # in one record, which everybody reads


@dataclass(frozen=True, slots=True)
class Sums:
    """Weighted sums over settled orders: their number, x0^2, x0 x1 and x0 z."""

    trades: Decimal = ZERO
    squares: Decimal = ZERO
    taken: Decimal = ZERO
    products: Decimal = ZERO

    @classmethod
    def of(cls, costs: Costs) -> "Sums":
        """Return those of a record."""
        return cls(costs.impact_trades, costs.impact_squares, costs.impact_taken, costs.impact_products)

    def plus(self, other: "Sums", weight: Decimal) -> "Sums":
        """Return the sums with others at this weight."""
        return Sums(
            self.trades + quantise(weight * other.trades),
            self.squares + quantise(weight * other.squares),
            self.taken + quantise(weight * other.taken),
            self.products + quantise(weight * other.products),
        )


@dataclass(frozen=True, slots=True)
class Impact:
    """What is known of Y: its prior, the sums over settled orders, and those that are pending."""

    prior: Decimal
    sums: Sums
    pending: tuple[PendingTrade, ...]

    @property
    def coefficient(self) -> Decimal:
        """Return Y. Runs under the caller's decimal context."""
        low, high = impact_bounds(self.prior)
        part = self.sums.taken / self.sums.squares if self.sums.squares > 0 else ZERO
        drawn = part * self.sums.products + PRIOR_WEIGHT * self.prior
        return quantise(min(max(drawn / (part * self.sums.taken + PRIOR_WEIGHT), low), high))


def impact_bounds(prior: Decimal) -> tuple[Decimal, Decimal]:
    """Return what Y may be found to be: as published (0.5 to 1), widened to the prior."""
    return min(prior, PUBLISHED_MIN), max(prior, PUBLISHED_MAX)


def learnt(
    market: Market, fills: Iterable[Fill], signals: Iterable[Signal], before: Costs | None, prior: Decimal
) -> Impact:
    """Return what is known at this market; fills and signals are those that came after the record before.

    Runs under the caller's decimal context.
    """
    now_us, prior = market.event_time_us, quantise(prior)
    rows = _rows(now_us, fills, signals, before)
    lessons = [(row, found) for row in rows if settled(row, now_us) and (found := lesson(row, market, prior))]
    alike = Counter(row.instrument for row, _ in lessons)
    sums = Sums()
    if before is not None:
        sums = sums.plus(Sums.of(before), weight_of_age(now_us - before.event_time_us, HALF_LIFE_US))
    for row, found in lessons:
        weight = weight_of_age(now_us - row.deadline_us, HALF_LIFE_US) / _variance(row, now_us)
        sums = sums.plus(found, weight / alike[row.instrument])
    waiting = [row for row in rows if not settled(row, now_us)]
    return Impact(prior, sums, tuple(waiting[:PENDING_MAX]))


def lesson(row: PendingTrade, market: Market, prior: Decimal) -> Sums | None:
    """Return what a settled order says by itself; None if what may be left of it has no price at this market."""
    quote = market.quotes.get(f"{row.venue}:{row.instrument}")
    if quote is None or quote.fault():
        return None
    left = ONE - row.taken - row.made
    ordered, moved = _regressor(ONE, row.depth), (row.taken + left) * _regressor(row.taken, row.depth)
    walked = min(row.taken, row.depth) * row.depth_slippage + max(row.taken - row.depth, ZERO) * row.worst_slippage
    shortfall = row.slippage + left * slippage(row.side, quote.mid, row.decision_price)
    z = (shortfall - walked) / row.volatility
    scale = min(REGRESSOR_MAX / ordered, ONE)
    ordered, moved, z = ordered * scale, moved * scale, z * scale
    z = max(min(z, prior * moved + NOISE_MAX), prior * moved - NOISE_MAX)
    return Sums(ONE, ordered * ordered, ordered * moved, ordered * z)


def _rows(
    now_us: int, fills: Iterable[Fill], signals: Iterable[Signal], before: Costs | None
) -> Sequence[PendingTrade]:
    """Return the trades that are followed, with their fills, in the order of their deadlines.

    One that was settled by the time of the record before is not followed again; nor, at first, one of long ago.
    """
    since_us = before.event_time_us if before is not None else now_us
    rows = {row.trade_id: row for row in (before.pending if before is not None else ())}
    for row in followed(signals):
        if not settled(row, since_us):
            rows.setdefault(row.trade_id, row)
    found = _by_trade(fills, rows)
    return sorted(
        (with_fills(row, found[row.trade_id]) for row in rows.values()), key=lambda row: (row.deadline_us, row.trade_id)
    )


def _by_trade(fills: Iterable[Fill], rows: Mapping[str, PendingTrade]) -> Mapping[str, Sequence[Fill]]:
    found: dict[str, list[Fill]] = defaultdict(list)
    for fill in fills:
        if fill.parent_id in rows:
            found[fill.parent_id].append(fill)
    return found


def _variance(row: PendingTrade, now_us: int) -> Decimal:
    """Return the noise's variance; it must not depend on what was taken."""
    return ONE + Decimal(max(now_us - row.deadline_us, 0)) / (row.deadline_us - row.event_time_us)


def _regressor(taken: Decimal, depth: Decimal) -> Decimal:
    """Return x(t) of the law."""
    beyond = taken - depth
    return beyond / taken * (beyond / depth).sqrt() if beyond > 0 else ZERO
