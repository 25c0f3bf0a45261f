"""Computed targets in rows that a person can read: which count now, what they came from, and what is in the way."""

from collections.abc import Iterator

from trimtab.domain.amounts import ONE, ZERO, plain
from trimtab.domain.errors import TrimtabError
from trimtab.domain.portfolio import Allocation, Portfolio
from trimtab.drift.explanation import Row, time_text
from trimtab.drift.targets import computed, due_us, sufficient
from trimtab.messages import Risk, Targets
from trimtab.ports.topics import Record
from trimtab.schedule import next_us


def explain_targets(
    portfolio: Portfolio,
    targets: Record[Targets] | None,
    risk: Record[Risk] | None,
    event_time_us: int,
    observations_min: int,
) -> Iterator[Row]:
    """Yield how a portfolio comes to its targets; nothing if its file has the weights.

    `portfolio` is aimed, `targets` the newest that count and `risk` the newest estimate at this event time.
    """
    allocation = portfolio.allocation
    if allocation is None:
        return
    yield from _method(allocation)
    yield Row("targets_next", time_text(next_us(allocation.every, event_time_us)), "UTC", "the schedule's next time")
    due = due_us(portfolio, event_time_us, targets.message if targets is not None else None)
    if due is not None:
        yield Row("targets_due", time_text(due), "UTC", "the schedule's last time, for which there are none yet")
        yield Row("targets_wait", _obstacle(allocation, risk, observations_min), "", "what these wait for")
    yield Row("targets", str(portfolio.targets_offset), "offset", "the computed targets in use; -1 is none")
    if targets is not None and targets.offset == portfolio.targets_offset:
        yield from _weights(targets.message)


def _method(allocation: Allocation) -> Iterator[Row]:
    yield Row("targets_method", allocation.method, "", "how targets are worked out")
    yield Row("targets_every", allocation.every, "UTC", "minute, hour, day of month, month, day of week of new ones")
    yield Row("targets_smoothing", plain(allocation.smoothing), "of the way", "how far new ones go from the old ones")
    yield Row(
        "targets_min_change", plain(allocation.min_change), "of equity", "what a weight must be off to change any"
    )
    for asset, (low, high) in zip(allocation.assets, allocation.bounds, strict=True):
        if (low, high) != (ZERO, ONE):
            yield Row(f"{asset} bounds", f"{plain(low)} to {plain(high)}", "of equity", "what its target keeps to")


def _obstacle(allocation: Allocation, risk: Record[Risk] | None, observations_min: int) -> str:
    try:
        computed(allocation, sufficient(risk, observations_min).message)
    except TrimtabError as error:
        return str(error)
    return "the next full frame, and the worker that owns the portfolio"


def _weights(found: Targets) -> Iterator[Row]:
    yield Row("targets_made", time_text(found.event_time_us), "UTC", "time of the frame at which they were made")
    yield Row("targets_for", time_text(found.due_us), "UTC", "the time of the schedule that they answer")
    yield Row("targets_risk", str(found.risk_offset), "offset", "the risk estimate they were made from")
    for asset, weight, alone in zip(found.assets, found.weights, found.computed, strict=True):
        yield Row(f"{asset} target", plain(weight), "of equity", "its target, smoothed")
        yield Row(f"{asset} computed", plain(alone), "of equity", "what the method alone says, before smoothing")
