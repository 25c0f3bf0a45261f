"""Whether the time of a calendar has come: from event time and the portfolio's own record, without any memory.

A time T is due from T until `window_seconds` later, or the next T, until a signal decided at or after T was accepted.
Accepted signals stand in the portfolio's state for an hour, longer than any window. So nothing is traded twice for
one T, whoever decides and however often it starts anew; and what is no trade (a deposit, a refusal, a signal that was
overtaken by a newer state or lost) leaves T due.
"""

from collections.abc import Iterator

from trimtab.domain.portfolio import Policy, Scheduled
from trimtab.messages import PortfolioState
from trimtab.schedule import last_us, next_us


def due_us(policy: Scheduled, state: PortfolioState, event_time_us: int) -> int | None:
    """Return the time that is due now, UTC microseconds, or None."""
    last = last_us(policy.cron, event_time_us)
    if last is None or event_time_us >= last + policy.window_seconds * 1_000_000:
        return None
    return None if any(accepted_us >= last for accepted_us in state.recent_signals_us) else last


def not_due(policy: Policy, state: PortfolioState, event_time_us: int) -> bool:
    """Tell whether a policy has a calendar by which nothing is due now."""
    return isinstance(policy, Scheduled) and due_us(policy, state, event_time_us) is None


def due_turns(policy: Policy, event_time_us: int) -> Iterator[int]:
    """Yield the next event times at which something may become due, or cease to be."""
    if isinstance(policy, Scheduled):
        last, following = last_us(policy.cron, event_time_us), next_us(policy.cron, event_time_us)
        if last is not None:
            yield last + policy.window_seconds * 1_000_000
        if following is not None:
            yield following
