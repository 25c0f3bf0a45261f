"""What is counted while the line runs: messages, drifts, and the time from tick to order."""

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from decimal import Decimal

from trimtab.domain.amounts import ZERO
from trimtab.domain.market import Market
from trimtab.domain.orders import OrderState
from trimtab.domain.portfolio import Portfolio
from trimtab.messages import Fill, OrderEvent, PortfolioState, Signal


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return the smallest value that at least `share` of all values do not exceed (nearest rank); None of nothing."""
    ordered = sorted(values)
    return ordered[max(math.ceil(share * len(ordered)) - 1, 0)] if ordered else None


@dataclass(slots=True)
class Measures:
    """Counted from the topics alone. Drifts are the largest |weight - target| of a portfolio's assets."""

    frames: int = 0
    signals: int = 0
    fills: list[Fill] = field(default_factory=list)
    orders: dict[str, OrderState] = field(default_factory=dict)
    wanted: dict[str, Decimal] = field(default_factory=dict)  # by parent, base
    parents: dict[str, str] = field(default_factory=dict)  # by client order id
    ever_unknown: set[str] = field(default_factory=set)
    ever_partial: set[str] = field(default_factory=set)
    states: dict[str, PortfolioState] = field(default_factory=dict)
    first_drifts: dict[str, Decimal] = field(default_factory=dict)
    drifts: dict[str, Decimal] = field(default_factory=dict)
    tick_to_order_ms: dict[str, float] = field(default_factory=dict)

    def on_signal(self, signal: Signal) -> None:
        self.signals += 1
        self.wanted |= {trade.trade_id: trade.quantity for trade in signal.trades}

    def on_fill(self, fill: Fill) -> None:
        self.fills.append(fill)

    def on_state(self, state: PortfolioState) -> None:
        self.states[state.portfolio_id] = state

    def on_order(self, event: OrderEvent, times_us: dict[str, int]) -> None:
        """Count an order's step; `times_us` are what its headers carry along (tick and answer, wall clock)."""
        self.orders[event.client_order_id] = event.state
        self.parents[event.client_order_id] = event.parent_id
        if event.state is OrderState.UNKNOWN:
            self.ever_unknown.add(event.client_order_id)
        if event.state is OrderState.PARTIALLY_FILLED:
            self.ever_partial.add(event.client_order_id)
        tick_us, answered_us = times_us.get("trimtab.tick_us"), times_us.get("trimtab.answered_us")
        first = event.client_order_id not in self.tick_to_order_ms
        if tick_us is not None and answered_us is not None and first:
            self.tick_to_order_ms[event.client_order_id] = (answered_us - tick_us) / 1_000

    def on_market(self, market: Market, portfolios: dict[str, Portfolio]) -> None:
        """Take every portfolio's drift at this market."""
        if not market.complete:
            return
        for portfolio_id, state in self.states.items():
            drift = largest_drift(state, portfolios[portfolio_id], market) if portfolio_id in portfolios else None
            if drift is None:
                continue
            self.drifts[portfolio_id] = drift
            if _funded(state, portfolios[portfolio_id]):
                self.first_drifts.setdefault(portfolio_id, drift)

    def asked(self) -> dict[str, tuple[str, Decimal]]:
        """Return what each order works for: its parent, and how much of it the signal wanted."""
        return {order: (parent, self.wanted[parent]) for order, parent in self.parents.items() if parent in self.wanted}

    def orders_by_outcome(self) -> dict[str, int]:
        """Return placed, filled, rejected, unknown (still so) and ever_unknown."""
        states = Counter(self.orders.values())
        return {
            "placed": len(self.orders),
            "filled": states[OrderState.FILLED],
            "partially_filled": len(self.ever_partial),
            "rejected": states[OrderState.REJECTED],
            "unknown": states[OrderState.UNKNOWN] + states[OrderState.SUBMITTED],
            "ever_unknown": len(self.ever_unknown),
        }


def _funded(state: PortfolioState, portfolio: Portfolio) -> bool:
    """Tell whether everything a portfolio starts with has arrived: it starts with some of every target."""
    held = {position.asset for position in state.positions if position.posted}
    return held >= {asset for asset, weight in portfolio.targets if weight}


def largest_drift(state: PortfolioState, portfolio: Portfolio, market: Market) -> Decimal | None:
    """Return the largest |weight - target| on posted balances at mid prices; None without money or prices."""
    targets = dict(portfolio.targets)
    held: dict[str, Decimal] = {}
    for position in state.positions:
        held[position.asset] = held.get(position.asset, ZERO) + position.posted
    prices = {portfolio.quote: Decimal(1)}
    for quote in market.quotes.values():
        if quote.instrument.quote == portfolio.quote and not quote.fault():
            prices[quote.instrument.base] = quote.mid
    if any(asset not in prices for asset, quantity in held.items() if quantity) or not targets.keys() <= prices.keys():
        return None
    values = {asset: held.get(asset, ZERO) * prices[asset] for asset in held.keys() | targets.keys() if asset in prices}
    equity = sum(values.values(), ZERO)
    if equity <= 0:
        return None
    return max(abs(value / equity - targets.get(asset, ZERO)) for asset, value in values.items())
