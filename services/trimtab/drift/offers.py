"""Where something can be traded now, and what an order there spends, brings, costs and must not fall short of."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import ONE, ZERO, ceil_to, floor_to
from trimtab.domain.market import Market, Quote
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import Limits
from trimtab.drift.costs import impact_coefficient, lifetime_volatility, limit_price, net, trade_cost
from trimtab.drift.covariance import Covariance
from trimtab.drift.holdings import Account, Holdings
from trimtab.settings import DriftSettings

Key = tuple[str, str, Side]


@dataclass(frozen=True, slots=True)
class Offer:
    """One instrument of one account in one direction.

    Attributes:
        rank: the account's place in the portfolio's order of preference.
        worth: value of one unit of base at the decision, in the portfolio's quote currency.
        limit: the worst price an order may have.
        smallest: the least quantity (base, on the grid) that venue and owner allow.

    """

    account: Account
    rank: int
    quote: Quote
    side: Side
    worth: Decimal
    limit: Decimal
    smallest: Decimal

    @property
    def key(self) -> Key:
        """What tells it from every other: account, symbol, side."""
        return self.account.name, self.quote.instrument.symbol, self.side

    @property
    def spends(self) -> Decimal:
        """Return what one unit of base spends at the worst price: base for a sell, quote and fee for a buy."""
        return ONE if self.side is Side.SELL else net(Side.BUY, self.limit, self.quote.instrument.taker_fee)

    @property
    def brings(self) -> Decimal:
        """Return what one unit of base brings at the worst price: quote less fee for a sell, base for a buy."""
        return net(Side.SELL, self.limit, self.quote.instrument.taker_fee) if self.side is Side.SELL else ONE

    def fitting(self, wanted: Decimal) -> Decimal:
        """Return the largest quantity on the grid that is not above `wanted`; zero if it is too small to be traded."""
        quantity = floor_to(wanted, self.quote.instrument.step)
        return quantity if quantity >= self.smallest else ZERO


@dataclass(frozen=True, slots=True)
class Places:
    """Everything the accounts of one portfolio can trade at one market."""

    holdings: Holdings
    market: Market
    limits: Limits
    covariance: Covariance
    settings: DriftSettings

    def offers(self, asset: str, side: Side) -> Iterator[Offer]:
        """Yield where an asset can be traded against the portfolio's quote currency, preferred accounts first."""
        for rank in range(len(self.holdings.accounts)):
            offer = self.offer(rank, asset, self.holdings.quote, side)
            if offer is not None:
                yield offer

    def offer(self, rank: int, base: str, quote: str, side: Side) -> Offer | None:
        """Return what the account of this rank offers, None if it cannot be traded or priced there now."""
        account, cash = self.holdings.accounts[rank], self.holdings.quote
        found = self._quote(account, base, quote)
        priced = found if quote == cash or found is None else self._quote(account, base, cash)
        if found is None or priced is None:
            return None
        rules, worth = found.instrument, priced.mid
        limit = limit_price(found, side, self.limits.slippage_budget_spreads)
        by_notional = rules.min_notional / min(limit, worth if priced is found else found.mid)
        smallest = max(rules.min_quantity, by_notional, self.limits.min_trade / worth, rules.step)
        return Offer(account, rank, found, side, worth, limit, ceil_to(smallest, rules.step))

    def cost(self, offer: Offer, value: Decimal) -> Decimal:
        """Return the live cost of trading this value (portfolio's quote currency), one way, as a fraction of it."""
        rules = offer.quote.instrument
        impact = self._impact(rules.base, rules.quote)
        return trade_cost(offer.quote, offer.side, value / offer.worth * offer.quote.mid, impact)

    def _quote(self, account: Account, base: str, quote: str) -> Quote | None:
        """Return a book that orders can be sent to: sound, fresh, and open."""
        found = self.market.quotes.get(f"{account.venue}:{base}/{quote}")
        if found is None or not found.instrument.tradable or found.fault():
            return None
        oldest_us = self.market.event_time_us - int(self.settings.quote_age_max_seconds * 1_000_000)
        return found if found.event_time_us >= oldest_us else None

    def _impact(self, base: str, quote: str) -> Decimal:
        """Return `Y s` of the square-root law (costs.py)."""
        variance = self.covariance.variance(base, quote)
        volatility = lifetime_volatility(variance, self.settings.signal_lifetime_seconds)
        return impact_coefficient(self.market, self.settings) * volatility
