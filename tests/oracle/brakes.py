"""The gates, in the order in which they are looked at: `drift.gates` from its words."""

from datetime import UTC, datetime

from oracle.clock import due_us
from trimtab.domain.market import Market
from trimtab.domain.portfolio import Calendar, Hybrid, Portfolio
from trimtab.messages import PortfolioState

SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US


def braked(market: Market, state: PortfolioState, portfolio: Portfolio) -> str:
    """Return the reason of the first gate that is closed, or nothing."""
    now_us, limits = market.event_time_us, portfolio.limits
    past = [now_us - accepted_us for accepted_us in state.recent_signals_us]
    closed = {
        "market_incomplete": not market.complete,
        "halted": state.halted,
        "targets_missing": not portfolio.targets,
        "orders_in_flight": len(state.open_orders) > 0,
        "not_before": now_us < state.not_before_us,
        "outside_window": not _within(now_us, portfolio),
        "cooldown": any(age_us < limits.cooldown_seconds * SECOND_US for age_us in past),
        "signals_per_hour": len([age_us for age_us in past if age_us < HOUR_US]) >= limits.signals_per_hour,
        "not_due": isinstance(portfolio.policy, Calendar | Hybrid) and due_us(portfolio.policy, now_us, state) is None,
    }
    return next((reason for reason, holds in closed.items() if holds), "")


def _within(now_us: int, portfolio: Portfolio) -> bool:
    now = datetime.fromtimestamp(now_us // SECOND_US, tz=UTC)
    minute = 60 * now.hour + now.minute
    windows = portfolio.windows
    return now.weekday() in windows.weekdays and any(first <= minute < last for first, last in windows.minutes)
