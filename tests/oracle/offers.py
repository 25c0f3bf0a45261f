"""Where something can be traded now, and at what terms: `drift.offers` from its words."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache

from oracle.cost import impact, mid, of_trade
from oracle.rounding import root
from oracle.value import Book
from trimtab.domain.market import Quote
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import Limits, Portfolio
from trimtab.messages import PortfolioState
from trimtab.settings import DriftSettings

Key = tuple[str, str, Side]  # account, symbol, side


def up(value: Fraction, grid: Fraction) -> Fraction:
    """Return the smallest multiple of a grid that is not below a value."""
    return -(-value // grid) * grid


def worst_price(quote: Quote, side: Side, limits: Limits) -> Fraction:
    """Return the limit: the mid and the budget in spreads on the tick, at least one tick through the touch."""
    bid, ask = quote.bids[0].price, quote.asks[0].price
    return _worst_price(bid, ask, quote.instrument.tick, side, limits.slippage_budget_spreads)


@lru_cache(maxsize=256)
def _worst_price(bid: Decimal, ask: Decimal, tick: Decimal, side: Side, spreads: Decimal) -> Fraction:
    first, last, grid = Fraction(bid), Fraction(ask), Fraction(tick)
    middle, budget = (first + last) / 2, Fraction(spreads) * (last - first)
    if side is Side.BUY:
        return max((middle + budget) // grid * grid, last + grid)
    return max(min(up(middle - budget, grid), first - grid), grid)


@lru_cache(maxsize=256)
def _moved(price: Fraction, middle: Fraction, fee: Decimal, sign: int) -> Fraction:
    return price * (1 + Fraction(fee) * sign) / middle


def moved(quote: Quote, side: Side, limits: Limits) -> Fraction:
    """Return the cash that one unit of base moves at the worst price, fee included, over its mid."""
    return _moved(worst_price(quote, side, limits), mid(quote), quote.instrument.taker_fee, side.sign)


@dataclass(frozen=True)
class Account:
    """An account's name, venue and available balances, posted less reserved."""

    name: str
    venue: str
    available: Mapping[str, Fraction]


@dataclass(frozen=True)
class Offer:
    """One book of one account in one direction; `worth` is the value of one unit of base."""

    rank: int
    key: Key
    book: Quote
    side: Side
    mid: Fraction
    limit: Fraction
    worth: Fraction
    smallest: Fraction
    impact: Fraction
    volatility: Fraction
    turn: int  # sells, crosses, buys

    @property
    def base(self) -> str:
        return self.book.instrument.base

    @property
    def quote(self) -> str:
        return self.book.instrument.quote

    @property
    def step(self) -> Fraction:
        return Fraction(self.book.instrument.step)

    @property
    def fee(self) -> Fraction:
        return Fraction(self.book.instrument.taker_fee)

    @property
    def spends(self) -> Fraction:
        """Return what one unit of base spends at worst: itself, or quote currency with the fee."""
        return self.limit * (1 + self.fee) if self.side is Side.BUY else Fraction(1)

    @property
    def brings(self) -> Fraction:
        return self.limit * (1 - self.fee) if self.side is Side.SELL else Fraction(1)

    def fits(self, wanted: Fraction) -> Fraction:
        """Return a quantity rounded down to the step, zero if that is below the smallest order."""
        quantity = wanted // self.step * self.step
        return quantity if quantity >= self.smallest else Fraction(0)

    def cost(self, value: Fraction) -> Fraction:
        """Return what it costs to trade this value here, as a fraction."""
        return of_trade(self.book, self.side, value / self.worth * self.mid, self.impact)


@dataclass
class Stall:
    """All offers to one portfolio; `variances` has S in counts of 1e-18 a year."""

    cash: str
    accounts: Sequence[Account]
    book: Book
    limits: Limits
    settings: DriftSettings
    covariance: Mapping[tuple[str, str], int]
    _offers: dict[object, Offer | None] = field(default_factory=dict)

    def offers(self, asset: str, side: Side) -> list[Offer]:
        """Return the offers against cash, preferred accounts first."""
        found = (self.offer(rank, asset, self.cash, side) for rank in range(len(self.accounts)))
        return [offer for offer in found if offer is not None]

    def offer(self, rank: int, base: str, quote: str, side: Side) -> Offer | None:
        """Return what this account offers, if its book and the one that prices the base are sound, fresh and open."""
        key = (rank, base, quote, side)
        if key not in self._offers:
            self._offers[key] = self._offer(*key)
        return self._offers[key]

    def variance(self, base: str, quote: str) -> Fraction:
        """Return the variance a year of one asset's price in another."""
        between = self.covariance.get
        both = between((base, base), 0) + between((quote, quote), 0) - 2 * between((base, quote), 0)
        return Fraction(max(both, 0), 10**18)

    def _offer(self, rank: int, base: str, quote: str, side: Side) -> Offer | None:
        account = self.accounts[rank]
        found, priced = (self._usable(f"{account.venue}:{base}/{other}") for other in (quote, self.cash))
        if found is None or priced is None:
            return None
        rules, limit, worth = found.instrument, worst_price(found, side, self.limits), mid(priced)
        least = (
            Fraction(rules.min_quantity),
            Fraction(rules.min_notional) / min(limit, mid(found)),
            Fraction(self.limits.min_trade) / worth,
            Fraction(rules.step),
        )
        return Offer(
            rank,
            (account.name, rules.symbol, side),
            found,
            side,
            mid(found),
            limit,
            worth,
            max(up(amount, Fraction(rules.step)) for amount in least),
            impact(
                Fraction(self.settings.impact_coefficient),
                self.variance(base, quote),
                self.settings.signal_lifetime_seconds,
            ),
            root(self.variance(base, quote)),
            1 if quote != self.cash else 0 if side is Side.SELL else 2,
        )

    def _usable(self, key: str) -> Quote | None:
        quote = self.book.market.quotes.get(key)
        return quote if quote is not None and not self.book.fault(key) and quote.instrument.tradable else None


def accounts_of(state: PortfolioState, portfolio: Portfolio) -> list[Account]:
    """Return the accounts that hold anything, the portfolio's order of preference first, then by name."""
    venues = {position.account: position.venue for position in state.positions}
    order = [name for name in portfolio.accounts if name in venues]
    order += sorted(name for name in venues if name not in portfolio.accounts)
    return [
        Account(
            name,
            venues[name],
            {p.asset: Fraction(p.posted) - Fraction(p.reserved) for p in state.positions if p.account == name},
        )
        for name in order
    ]
