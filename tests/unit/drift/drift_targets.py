"""A portfolio with computed targets, and how everybody who has the topics works its targets out again."""

from collections.abc import Mapping
from typing import cast

from drift_worlds import D, portfolio

from trimtab.domain.market import Market
from trimtab.domain.portfolio import Allocation, Portfolio
from trimtab.drift.targets import computed, due_us, renewed
from trimtab.messages import Risk, Targets
from trimtab.ports.topics import Record

HOURLY = Allocation(
    method="equal_risk_contribution",
    assets=("BTC", "ETH"),
    every="0 * * * *",
    bounds=((D(0), D(1)), (D(0), D(1))),
    cash=D("0.1"),
    min_change=D(0),
)


def allocated(**changes: object) -> Portfolio:
    return portfolio(**({"targets": (), "allocation": HOURLY} | changes))


def recomputed(
    found: Targets,
    document: Portfolio,
    markets: Mapping[int, Market],
    risks: Mapping[int, Record[Risk]],
    published: Mapping[int, Record[Targets]],
) -> Targets:
    """Work targets out afresh from recorded inputs, by offset."""
    allocation = cast("Allocation", document.allocation)
    risk, market = risks[found.risk_offset], markets[found.frame_offset]
    time_us = due_us(document, market.event_time_us, None)
    assert time_us is not None
    before = published.get(found.previous_offset)
    return renewed(document, time_us, market, risk, computed(allocation, risk.message), before)
