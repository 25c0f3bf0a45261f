"""What a portfolio has and what that is worth, or why nobody can say: `drift.holdings` from its words."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from oracle.rounding import UNIT, counts, nearest
from trimtab.domain.market import Market, Quote
from trimtab.domain.portfolio import Portfolio
from trimtab.messages import PortfolioState

_SCALE = 2 * UNIT**3  # values are counts of half of 1e-54: quantity times (bid + ask)


@dataclass(frozen=True)
class Book:
    """One market in whole numbers: by instrument key what (bid + ask) counts, and what is wrong with the quote."""

    market: Market
    sums: Mapping[str, int]
    faults: Mapping[str, str]

    @classmethod
    def of(cls, market: Market, quote_age_us_max: int) -> "Book":
        sums, faults = {}, {}
        for key, quote in market.quotes.items():
            faults[key] = _fault(quote, market.event_time_us - quote_age_us_max)
            if quote.bids and quote.asks:
                sums[key] = counts(quote.bids[0].price) + counts(quote.asks[0].price)
        return cls(market, sums, faults)

    def fault(self, key: str) -> str:
        """Return why this instrument has no price, or nothing."""
        return self.faults.get(key, "missing_price")


@dataclass(frozen=True)
class Worth:
    """Weights, targets and drifts in counts of 1e-18 over `names`; equity in units of 1e-54 / 2."""

    equity: int
    names: Sequence[str]
    weights: Sequence[int]
    targets: Sequence[int]
    drifts: Sequence[int]
    quotes: Sequence[Quote | None]
    cash_weight: int
    cash_target: int

    @property
    def equity_parts(self) -> tuple[int, int]:
        return self.equity, _SCALE


def _fault(quote: Quote, oldest_us: int) -> str:
    if not quote.bids or not quote.asks:
        return "empty_book"
    if quote.bids[0].price >= quote.asks[0].price:
        return "crossed_book"
    return "stale_price" if quote.event_time_us < oldest_us else ""


def venues_of(state: PortfolioState, portfolio: Portfolio) -> list[str]:
    """Return the venues of the accounts that hold anything, in the portfolio's order of preference, then by name."""
    places = {position.account: position.venue for position in state.positions}
    order = [name for name in portfolio.accounts if name in places]
    order += sorted(name for name in places if name not in portfolio.accounts)
    found: list[str] = []
    for name in order:
        if places[name] not in found:
            found.append(places[name])
    return found


def held(state: PortfolioState) -> dict[tuple[str, str], int]:
    """Return the projected quantities by (venue, asset), in units of 1e-36, without zeros."""
    places = {position.account: position.venue for position in state.positions}
    found: dict[tuple[str, str], int] = defaultdict(int)
    for position in state.positions:
        found[position.venue, position.asset] += counts(position.posted) * UNIT
    for order in state.open_orders:
        venue, signed = places.get(order.account, ""), counts(order.leaves) * order.side.sign
        found[venue, order.base] += signed * UNIT
        found[venue, order.quote] -= signed * counts(order.limit_price)
    return {key: quantity for key, quantity in found.items() if quantity}


def worth(state: PortfolioState, portfolio: Portfolio, book: Book) -> Worth | tuple[str, str]:
    """Return what the portfolio is worth, or (reason, what is to blame)."""
    quantities, wanted = held(state), dict(portfolio.targets)
    names = sorted(({asset for _, asset in quantities} | set(wanted)) - {portfolio.quote})
    cash = 2 * UNIT * sum(quantity for (_, asset), quantity in quantities.items() if asset == portfolio.quote)
    values, quotes = [], []
    venues = venues_of(state, portfolio)
    for name in names:
        value, quote = 0, None
        for venue in venues:
            key, quantity = f"{venue}:{name}/{portfolio.quote}", quantities.get((venue, name), 0)
            listed = key in book.market.instruments
            if not listed and not (quantity and wanted.get(name)):
                continue  # nobody lists it and nobody wants it, or there is none of it here
            if quote is not None and not quantity:
                continue
            if book.fault(key):
                return book.fault(key), key
            value += quantity * book.sums[key]
            quote = quote or book.market.quotes[key]
        if quote is None and wanted.get(name):
            return "missing_price", f"{name}/{portfolio.quote}"
        values.append(value)
        quotes.append(quote)
    equity = cash + sum(values)
    if equity <= 0:
        return "equity_not_positive", ""
    weights = [nearest(value * UNIT, equity) for value in values]
    targets = [counts(wanted[name]) if name in wanted else 0 for name in names]
    drifts = [weight - target for weight, target in zip(weights, targets, strict=True)]
    cash_target = counts(wanted[portfolio.quote]) if portfolio.quote in wanted else 0
    return Worth(equity, names, weights, targets, drifts, quotes, nearest(cash * UNIT, equity), cash_target)
