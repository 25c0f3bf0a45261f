"""What keeps a portfolio from being looked at, each with its own reason: brakes, windows, calendars, open orders."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from trimtab.domain.market import Market
from trimtab.domain.portfolio import Portfolio
from trimtab.drift.dueness import due_turns, not_due
from trimtab.drift.reasons import Reason
from trimtab.messages import PortfolioState

HOUR_US = 3_600_000_000
FOREVER_US = 2**62
Gate = Callable[[Market, PortfolioState, Portfolio], bool]


def closed_gate(market: Market, state: PortfolioState, portfolio: Portfolio) -> Reason | None:
    """Return the first gate that is closed at this market, or None if the way is free."""
    return next((reason for reason, closed in GATES if closed(market, state, portfolio)), None)


def _incomplete(market: Market, _state: PortfolioState, _portfolio: Portfolio) -> bool:
    return not market.complete


def _halted(_market: Market, state: PortfolioState, _portfolio: Portfolio) -> bool:
    return state.halted


def _aimless(_market: Market, _state: PortfolioState, portfolio: Portfolio) -> bool:
    return not portfolio.targets


def _in_flight(_market: Market, state: PortfolioState, _portfolio: Portfolio) -> bool:
    return bool(state.open_orders)


def _too_early(market: Market, state: PortfolioState, _portfolio: Portfolio) -> bool:
    return market.event_time_us < state.not_before_us


def _outside_window(market: Market, _state: PortfolioState, portfolio: Portfolio) -> bool:
    return not portfolio.windows.contain(market.event_time_us)


def _cooling(market: Market, state: PortfolioState, portfolio: Portfolio) -> bool:
    pause_us = portfolio.limits.cooldown_seconds * 1_000_000
    return any(market.event_time_us < accepted_us + pause_us for accepted_us in state.recent_signals_us)


def _too_many(market: Market, state: PortfolioState, portfolio: Portfolio) -> bool:
    since_us = market.event_time_us - HOUR_US
    return sum(accepted_us > since_us for accepted_us in state.recent_signals_us) >= portfolio.limits.signals_per_hour


def _not_due(market: Market, state: PortfolioState, portfolio: Portfolio) -> bool:
    return not_due(portfolio.policy, state, market.event_time_us)


GATES: tuple[tuple[Reason, Gate], ...] = (
    (Reason.MARKET_INCOMPLETE, _incomplete),
    (Reason.HALTED, _halted),
    (Reason.TARGETS_MISSING, _aimless),
    (Reason.ORDERS_IN_FLIGHT, _in_flight),
    (Reason.NOT_BEFORE, _too_early),
    (Reason.OUTSIDE_WINDOW, _outside_window),
    (Reason.COOLDOWN, _cooling),
    (Reason.SIGNALS_PER_HOUR, _too_many),
    (Reason.NOT_DUE, _not_due),
)


@dataclass(frozen=True, slots=True)
class Spell:
    """The verdict of a portfolio's own gates, and the event times [from, until) through which it stays the same."""

    reason: Reason | None
    from_us: int
    until_us: int


def gate_spell(market: Market, state: PortfolioState, portfolio: Portfolio) -> Spell:
    """Return what `closed_gate` says of this portfolio on every complete market from this one's time on, and how long.

    Thousands of portfolios that wait for something need not be asked on every frame.
    """
    now_us = market.event_time_us
    reason = next((reason for reason, closed in GATES[1:] if closed(market, state, portfolio)), None)
    turns = (time_us for time_us in _turns(now_us, state, portfolio) if time_us > now_us)
    return Spell(reason, now_us, min(turns, default=FOREVER_US))


def _turns(now_us: int, state: PortfolioState, portfolio: Portfolio) -> Iterator[int]:
    """Yield every event time at which a gate may open or close."""
    yield state.not_before_us
    yield portfolio.windows.turns_us(now_us)
    pause_us = portfolio.limits.cooldown_seconds * 1_000_000
    for accepted_us in state.recent_signals_us:
        yield accepted_us + pause_us
        yield accepted_us + HOUR_US
    yield from due_turns(portfolio.policy, now_us)
