"""Computed targets as records: when they are due, which count, and how they follow each other."""

from dataclasses import replace
from decimal import Decimal

import pytest
from drift_targets import HOURLY, allocated
from drift_worlds import NOW_US, D, market, portfolio, risk
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.errors import TrimtabError
from trimtab.domain.portfolio import Allocation, Portfolio
from trimtab.drift.allocation import UnallocatableError
from trimtab.drift.targets import (
    UnestimatedError,
    aimed,
    computed,
    counts,
    current,
    due_us,
    renewed,
    sufficient,
)
from trimtab.messages import Targets
from trimtab.ports.topics import Record

HOUR_US = 3_600_000_000
DAY_US = 24 * HOUR_US
AT_TEN_US = NOW_US - NOW_US % HOUR_US  # the hour before NOW_US
SHARES = st.integers(0, 900_000).map(lambda n: D(n) / 1_000_000)


def record(offset: int = 5, **changes: object) -> Record[Targets]:
    found = Targets(
        event_id="t",
        portfolio_id="core",
        document_version=1,
        due_us=AT_TEN_US,
        event_time_us=NOW_US,
        frame_offset=7,
        risk_offset=3,
        previous_offset=-1,
        method="equal_risk_contribution",
        assets=("BTC", "ETH", "USDT"),
        weights=(D("0.5"), D("0.4"), D("0.1")),
        computed=(D("0.5"), D("0.4"), D("0.1")),
    )
    changed = replace(found, **changes)  # type: ignore[arg-type]  # field names are checked by the dataclass itself
    return Record(changed, "portfolio.targets", 0, offset)


def renew(
    weights: tuple[Decimal, ...], before: Record[Targets] | None, allocation: Allocation = HOURLY, version: int = 1
) -> Targets:
    made = allocated(allocation=allocation, version=version)
    return renewed(made, AT_TEN_US + HOUR_US, market(), risk(), weights, before)


def test_the_first_targets_are_due_at_once_and_the_next_when_the_hour_comes() -> None:
    made, known = allocated(), record().message
    assert due_us(made, NOW_US, None) == AT_TEN_US
    assert due_us(made, NOW_US, known) is None
    assert due_us(made, AT_TEN_US + HOUR_US - 1, known) is None
    assert due_us(made, AT_TEN_US + HOUR_US, known) == AT_TEN_US + HOUR_US
    assert due_us(made, AT_TEN_US + 5 * HOUR_US + 1, known) == AT_TEN_US + 5 * HOUR_US


def test_a_new_document_has_its_targets_at_once_and_an_old_one_none_any_more() -> None:
    known = record(document_version=2).message
    assert due_us(allocated(version=3), NOW_US, known) == AT_TEN_US
    assert due_us(allocated(version=2), NOW_US, known) is None
    assert due_us(allocated(version=1), NOW_US + HOUR_US, known) is None
    assert due_us(portfolio(), NOW_US, None) is None


def test_time_that_goes_back_a_little_changes_nothing_and_another_recording_begins_anew() -> None:
    known = record().message
    assert due_us(allocated(), NOW_US - 2 * HOUR_US, known) is None
    assert due_us(allocated(), NOW_US - 2 * DAY_US, known) == AT_TEN_US - 2 * DAY_US
    assert not counts(record(due_us=AT_TEN_US - 2 * HOUR_US, event_time_us=NOW_US - 2 * HOUR_US).message, known)
    assert counts(record(due_us=AT_TEN_US - 2 * DAY_US, event_time_us=NOW_US - 2 * DAY_US).message, known)


def test_of_two_for_the_same_time_the_first_counts_and_a_newer_document_always_does() -> None:
    known = record(document_version=2).message
    assert counts(known, None)
    assert not counts(replace(known, frame_offset=8), known)
    assert counts(replace(known, due_us=known.due_us + HOUR_US), known)
    assert counts(replace(known, document_version=3), known)
    assert not counts(replace(known, document_version=1, due_us=known.due_us + HOUR_US), known)


@given(st.integers(1, 3), st.integers(-100, 100), st.integers(1, 3), st.integers(-100, 100))
def test_what_is_due_counts_once_it_is_published(
    version: int, hours: int, known_version: int, known_hours: int
) -> None:
    """Otherwise a worker would publish it again and again."""
    known = record(
        document_version=known_version,
        due_us=AT_TEN_US + known_hours * HOUR_US,
        event_time_us=NOW_US + known_hours * HOUR_US,
    ).message
    now_us = NOW_US + hours * HOUR_US
    due = due_us(allocated(version=version), now_us, known)
    if due is not None:
        found = record(document_version=version, due_us=due, event_time_us=now_us).message
        assert counts(found, known)
        assert due_us(allocated(version=version), now_us, found) is None


def test_a_portfolio_is_aimed_only_by_targets_of_its_own_document() -> None:
    assert aimed(allocated(), None) == allocated()
    assert aimed(allocated(version=2), record()) == allocated(version=2)
    assert aimed(portfolio(), record()) == portfolio()
    found = aimed(allocated(), record(offset=9))
    assert found.targets == (("BTC", D("0.5")), ("ETH", D("0.4")), ("USDT", D("0.1")))
    assert found.targets_offset == 9
    assert aimed(found, record(document_version=4)) == allocated()


def test_first_targets_are_as_computed_and_say_what_from() -> None:
    found = renew((D("0.6"), D("0.3")), None)
    assert found.weights == found.computed == (D("0.6"), D("0.3"), D("0.1"))
    assert found.assets == ("BTC", "ETH", "USDT")
    assert (found.frame_offset, found.risk_offset, found.previous_offset) == (7, 3, -1)
    assert (found.due_us, found.event_time_us) == (AT_TEN_US + HOUR_US, NOW_US)


def test_later_ones_go_part_of_the_way() -> None:
    found = renew((D("0.6"), D("0.3")), record(offset=5))
    assert found.weights == (D("0.55"), D("0.35"), D("0.1"))
    assert found.computed == (D("0.6"), D("0.3"), D("0.1"))
    assert found.previous_offset == 5
    assert renew((D("0.6"), D("0.3")), record(), replace(HOURLY, smoothing=D(1))).weights == found.computed


@pytest.mark.parametrize(("computed_btc", "btc"), [("0.519999", "0.5"), ("0.52", "0.51"), ("0.480001", "0.5")])
def test_a_small_change_leaves_them_where_they_are(computed_btc: str, btc: str) -> None:
    careful = replace(HOURLY, min_change=D("0.02"))
    found = renew((D(computed_btc), D("0.9") - D(computed_btc)), record(), careful)
    assert found.weights[0] == D(btc)
    assert found.computed[0] == D(computed_btc)


@pytest.mark.parametrize(
    "allocation",
    [
        replace(HOURLY, cash=D("0.2")),
        replace(HOURLY, bounds=((D(0), D("0.45")), (D(0), D(1)))),
        replace(HOURLY, assets=("BTC", "SOL")),
    ],
)
def test_targets_that_the_file_no_longer_allows_are_not_smoothed_from(allocation: Allocation) -> None:
    half = (D(1) - allocation.cash) / 2
    found = renew((half, half), record(), allocation, version=2)
    assert found.weights == found.computed
    assert found.previous_offset == -1


@given(SHARES, SHARES, st.integers(1, 100))
def test_smoothed_targets_sum_to_one_on_the_grid(old: Decimal, new: Decimal, percent: int) -> None:
    before = record(weights=(old, D("0.9") - old, D("0.1")))
    found = renew((new, D("0.9") - new), before, replace(HOURLY, smoothing=D(percent) / 100))
    assert sum(found.weights) == 1
    assert all(weight % D("0.000001") == 0 for weight in found.weights)
    assert min(old, new) <= found.weights[0] <= max(old, new)


def test_weights_come_from_the_estimate_of_these_assets() -> None:
    estimate = risk({"BTC": D("0.5"), "ETH": D("0.75"), "SOL": D("0.9")}, correlation=D("0.8")).message
    assert computed(HOURLY, estimate) == (D("0.54"), D("0.36"))
    assert computed(replace(HOURLY, method="inverse_volatility"), estimate) == (D("0.54"), D("0.36"))
    assert computed(replace(HOURLY, bounds=((D("0.2"), D("0.4")), (D(0), D(1)))), estimate) == (D("0.4"), D("0.5"))
    assert computed(replace(HOURLY, bounds=((D(0), D(1)), (D("0.9"), D(1)))), estimate) == (D(0), D("0.9"))


def test_three_assets_by_the_two_methods_differ_where_correlations_do() -> None:
    assets, bounds = ("BTC", "ETH", "SOL"), ((D(0), D(1)),) * 3
    allocation = replace(HOURLY, assets=assets, bounds=bounds)
    estimate = replace(risk().message, covariance=tuple(map(D, ("1", "0.9", "0", "1", "0", "1"))))
    btc, eth, sol = computed(allocation, estimate)
    assert btc == eth < sol
    assert computed(replace(allocation, method="inverse_volatility"), estimate) == (D("0.3"),) * 3


@pytest.mark.parametrize(
    ("deviations", "error", "reason"),
    [
        ({"BTC": D("0.5")}, UnestimatedError, "no estimate of ETH yet"),
        ({"BTC": D("0.5"), "ETH": D(0)}, UnallocatableError, "no volatility in ETH"),
    ],
)
def test_an_estimate_that_allows_none_says_why(
    deviations: dict[str, Decimal], error: type[TrimtabError], reason: str
) -> None:
    with pytest.raises(error, match=reason):
        computed(HOURLY, risk(deviations).message)


def test_an_estimate_that_is_too_young_says_how_young() -> None:
    known = risk()
    seen = known.message.observations
    assert sufficient(known, seen) is known
    with pytest.raises(UnestimatedError, match=f"has {seen} of {seen + 1} observations"):
        sufficient(known, seen + 1)
    with pytest.raises(UnestimatedError, match="no risk estimate yet"):
        sufficient(None, 1)


def test_whoever_reads_all_records_sees_the_same_ones_count() -> None:
    records = [
        record(offset=0),
        record(offset=1, frame_offset=8),
        record(offset=2, portfolio_id="other"),
        record(offset=3, due_us=AT_TEN_US + HOUR_US),
        record(offset=4, due_us=AT_TEN_US - HOUR_US),
    ]
    assert {name: found.offset for name, found in current(records).items()} == {"core": 3, "other": 2}
    assert current([]) == {}


def test_a_record_names_the_document_it_was_made_for() -> None:
    made: Portfolio = allocated(version=4)
    found = renewed(made, AT_TEN_US, market(), risk(), (D("0.6"), D("0.3")), None)
    assert (found.portfolio_id, found.document_version) == ("core", 4)
    assert found.event_id != renew((D("0.6"), D("0.3")), None).event_id
