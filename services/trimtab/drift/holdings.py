"""What a portfolio has, as far as open orders are expected to go, and what it is worth at a market."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal, localcontext

from trimtab.domain.amounts import CONTEXT, ZERO, quantise
from trimtab.domain.market import Market, Quote
from trimtab.domain.portfolio import Portfolio
from trimtab.drift.costs import impact_coefficient
from trimtab.drift.reasons import Reason
from trimtab.messages import PortfolioState
from trimtab.settings import DriftSettings


@dataclass(frozen=True, slots=True)
class Account:
    """A venue account of the portfolio with what is available in it (posted minus reserved), by asset."""

    name: str
    venue: str
    available: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Asset:
    """One risky asset: its target weight, and the projected quantity per instrument that prices it.

    Costs are taken from the first instrument that holds some of it, or from the first listed one.
    """

    name: str
    target: Decimal
    lots: tuple[tuple[str, Decimal], ...]


@dataclass(frozen=True, slots=True)
class Holdings:
    """A portfolio's projected holdings: posted balances plus what open orders still expect to fill at their limit."""

    quote: str
    cash: Decimal
    cash_target: Decimal
    assets: tuple[Asset, ...]
    accounts: tuple[Account, ...]

    @classmethod
    def of(cls, state: PortfolioState, portfolio: Portfolio) -> "Holdings":
        """Sum a state up; assets that are held but not wanted have the target zero."""
        with localcontext(CONTEXT):
            accounts = _accounts(state, portfolio)
            quantities = _projected(state, {account.name: account.venue for account in accounts})
            targets = dict(portfolio.targets)
            names = ({asset for _, asset in quantities} | set(targets)) - {portfolio.quote}
            cash = sum((held for (_, asset), held in quantities.items() if asset == portfolio.quote), ZERO)
            venues = tuple(dict.fromkeys(account.venue for account in accounts))
            assets = tuple(
                Asset(name, targets.get(name, ZERO), _lots(name, portfolio.quote, venues, quantities))
                for name in sorted(names)
            )
        return cls(portfolio.quote, cash, targets.get(portfolio.quote, ZERO), assets, accounts)


@dataclass(frozen=True, slots=True)
class View:
    """A portfolio at one market, as its policy sees it. Sequences run over `names`; weights are fractions of equity.

    `quotes` holds None for an asset nobody wants and nobody lists: it counts for nothing and is left alone.
    `impact_coefficient` is Y of the square-root law (costs.py).
    """

    equity: Decimal
    names: tuple[str, ...]
    weights: tuple[Decimal, ...]
    targets: tuple[Decimal, ...]
    drifts: tuple[Decimal, ...]
    quotes: tuple[Quote | None, ...]
    cash_weight: Decimal
    cash_target: Decimal
    impact_coefficient: Decimal


@dataclass(frozen=True, slots=True)
class Unpriced:
    """Why a portfolio has no value now, and which instrument is to blame (empty: none)."""

    reason: Reason
    instrument: str


def appraise(holdings: Holdings, market: Market, settings: DriftSettings) -> View | Unpriced:
    """Value the holdings at the mids of a market. Runs under the caller's decimal context."""
    oldest_us = market.event_time_us - int(settings.quote_age_max_seconds * 1_000_000)
    values: list[Decimal] = []
    quotes: list[Quote | None] = []
    equity = holdings.cash
    for asset in holdings.assets:
        value, first = ZERO, None
        for key, quantity in asset.lots:
            unlisted = key not in market.instruments
            if (unlisted and not (quantity and asset.target)) or (first and not quantity):
                continue
            quote = market.quotes.get(key)
            if (fault := _fault(quote, oldest_us)) or quote is None:
                return Unpriced(fault or Reason.MISSING_PRICE, key)
            value += quantity * quote.mid
            first = first or quote
        if first is None and asset.target:
            return Unpriced(Reason.MISSING_PRICE, f"{asset.name}/{holdings.quote}")
        values.append(value)
        quotes.append(first)
        equity += value
    if equity <= 0:
        return Unpriced(Reason.EQUITY_NOT_POSITIVE, "")
    weights = tuple(quantise(value / equity) for value in values)
    targets = tuple(asset.target for asset in holdings.assets)
    return View(
        equity=equity,
        names=tuple(asset.name for asset in holdings.assets),
        weights=weights,
        targets=targets,
        drifts=tuple(weight - target for weight, target in zip(weights, targets, strict=True)),
        quotes=tuple(quotes),
        cash_weight=quantise(holdings.cash / equity),
        cash_target=holdings.cash_target,
        impact_coefficient=impact_coefficient(market, settings),
    )


def _fault(quote: Quote | None, oldest_us: int) -> Reason | None:
    if quote is None:
        return Reason.MISSING_PRICE
    fault = quote.fault()
    if fault is not None:
        return Reason(fault)
    return Reason.STALE_PRICE if quote.event_time_us < oldest_us else None


def _accounts(state: PortfolioState, portfolio: Portfolio) -> tuple[Account, ...]:
    """Return the accounts that hold anything, the portfolio's own order of preference first."""
    available: dict[str, dict[str, Decimal]] = defaultdict(dict)
    venues: dict[str, str] = {}
    for position in state.positions:
        venues[position.account] = position.venue
        available[position.account][position.asset] = position.posted - position.reserved
    wanted = [name for name in portfolio.accounts if name in venues]
    order = [*wanted, *sorted(set(venues) - set(wanted))]
    return tuple(Account(name, venues[name], available[name]) for name in order)


def _projected(state: PortfolioState, venues: Mapping[str, str]) -> dict[tuple[str, str], Decimal]:
    """Return the quantity by (venue, asset), zeros left out."""
    held: dict[tuple[str, str], Decimal] = defaultdict(lambda: ZERO)
    for position in state.positions:
        held[position.venue, position.asset] += position.posted
    for order in state.open_orders:
        venue = venues.get(order.account, "")
        signed = order.leaves * order.side.sign
        held[venue, order.base] += signed
        held[venue, order.quote] -= signed * order.limit_price
    return {key: quantity for key, quantity in held.items() if quantity}


def _lots(
    name: str, quote: str, venues: tuple[str, ...], quantities: Mapping[tuple[str, str], Decimal]
) -> tuple[tuple[str, Decimal], ...]:
    """Return what is held where it can be priced, in the accounts' order of preference, zeros included."""
    return tuple((f"{venue}:{name}/{quote}", quantities.get((venue, name), ZERO)) for venue in venues)
