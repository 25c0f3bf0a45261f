"""From corrections to trades: sells first, each buy naming the sells that fund it, all on the venue's grids."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from decimal import Decimal

from trimtab.domain.amounts import ZERO, floor_to, quantise
from trimtab.domain.ids import derive
from trimtab.domain.market import Market, Quote
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import Limits
from trimtab.drift.costs import limit_price, net
from trimtab.drift.funding import Purse, capped, funded
from trimtab.drift.holdings import Account, Holdings, View
from trimtab.drift.policy import Assessment, Correction
from trimtab.drift.reasons import Reason
from trimtab.messages import Trade


@dataclass(frozen=True, slots=True)
class Plan:
    """The trades, and which assets were left out of them for a reason of the venue's or the owner's limits."""

    trades: tuple[Trade, ...]
    deferred: tuple[tuple[str, Reason], ...]


def plan(
    signal_id: str,
    view: View,
    assessment: Assessment,
    holdings: Holdings,
    market: Market,
    limits: Limits,
    volatility: Mapping[str, Decimal],
) -> Plan:
    """Turn an assessment into trades that every account can pay for, also at the worst prices they allow.

    `volatility` is by asset, per square root of a year. Runs under the caller's decimal context.
    """
    corrections = capped(assessment.corrections, limits.max_trade_share)
    corrections = funded(corrections, assessment.room, view.cash_weight, limits.max_trade_share)
    draft = _Draft(signal_id, view, holdings, market, limits, volatility, _purses(view, holdings))
    for correction in corrections:
        if correction.change < 0:
            draft.sell(correction)
    for correction in corrections:
        if correction.change > 0:
            draft.buy(correction)
    return Plan(tuple(draft.trades), tuple(draft.deferred))


@dataclass(slots=True)
class _Draft:
    signal_id: str
    view: View
    holdings: Holdings
    market: Market
    limits: Limits
    volatility: Mapping[str, Decimal]
    purses: dict[str, Purse]
    trades: list[Trade] = field(default_factory=list)
    deferred: list[tuple[str, Reason]] = field(default_factory=list)

    def sell(self, correction: Correction) -> None:
        left = -correction.change * self.view.equity
        count = len(self.trades)
        for account, quote in self._places(correction.asset):
            available = account.available.get(correction.asset, ZERO)
            trade = self._trade(account, quote, Side.SELL, min(left / quote.mid, available))
            if trade is not None:
                self.trades.append(trade)
                left -= trade.quantity * quote.mid
                worst = net(Side.SELL, trade.limit_price, quote.instrument.taker_fee) * trade.quantity
                self.purses[account.name].proceeds.append((trade.trade_id, worst))
        self._note(correction.asset, count)

    def buy(self, correction: Correction) -> None:
        left = correction.change * self.view.equity
        count = len(self.trades)
        for account, quote in self._places(correction.asset):
            purse = self.purses[account.name]
            worst = limit_price(quote, Side.BUY, self.limits.slippage_budget_spreads)
            unit = net(Side.BUY, worst, quote.instrument.taker_fee)
            trade = self._trade(account, quote, Side.BUY, min(left / quote.mid, purse.total / unit))
            if trade is not None:
                left -= trade.quantity * quote.mid
                self.trades.append(replace(trade, depends_on=purse.draw(unit * trade.quantity)))
        self._note(correction.asset, count)

    def _places(self, asset: str) -> Iterator[tuple[Account, Quote]]:
        """Yield where the asset can be traded, in the portfolio's order of preference."""
        for account in self.holdings.accounts:
            quote = self.market.quotes.get(f"{account.venue}:{asset}/{self.holdings.quote}")
            if quote is not None and quote.fault() is None and quote.instrument.tradable:
                yield account, quote

    def _trade(self, account: Account, quote: Quote, side: Side, wanted: Decimal) -> Trade | None:
        """Return the trade on the instrument's grids, or None if it is smaller than venue or owner allow."""
        rules = quote.instrument
        if wanted <= 0:
            return None
        quantity = floor_to(wanted, rules.step)
        limit = limit_price(quote, side, self.limits.slippage_budget_spreads)
        enough = (
            quantity * min(limit, quote.mid) >= rules.min_notional and quantity * quote.mid >= self.limits.min_trade
        )
        if quantity <= 0 or quantity < rules.min_quantity or not enough:
            return None
        return Trade(
            trade_id=derive("trade", self.signal_id, account.name, rules.symbol, side),
            venue=rules.venue,
            account=account.name,
            instrument=rules.symbol,
            base=rules.base,
            quote=rules.quote,
            side=side,
            quantity=quantise(quantity),
            decision_price=quantise(quote.mid),
            limit_price=quantise(limit),
            volatility=self.volatility.get(rules.base, ZERO),
            depends_on=(),
        )

    def _note(self, asset: str, count: int) -> None:
        if len(self.trades) == count:
            listed = next(self._places(asset), None) is not None
            reason = Reason.BELOW_MINIMUM_TRADE if listed else Reason.INSTRUMENT_NOT_TRADABLE
            self.deferred.append((asset, reason))


def _purses(view: View, holdings: Holdings) -> dict[str, Purse]:
    """Split each account's available cash into what the portfolio has too much of, and what it wants to keep."""
    surplus = max(view.cash_weight - view.cash_target, ZERO) * view.equity
    purses = {}
    for account in holdings.accounts:
        available = max(account.available.get(holdings.quote, ZERO), ZERO)
        spare = min(available, surplus)
        surplus -= spare
        purses[account.name] = Purse(spare, available - spare)
    return purses
