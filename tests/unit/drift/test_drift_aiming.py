"""How a portfolio comes to its computed targets, in rows."""

from dataclasses import replace

from drift_targets import HOURLY, allocated
from drift_worlds import NOW_US, D, market, portfolio, risk

from trimtab.domain.portfolio import Portfolio
from trimtab.drift.aiming import explain_targets
from trimtab.drift.targets import aimed, computed, due_us, renewed
from trimtab.messages import Risk, Targets
from trimtab.ports.topics import Record

HOUR_US = 3_600_000_000


def published(document: Portfolio) -> Record[Targets]:
    due, estimate = due_us(document, NOW_US, None), risk()
    assert due is not None
    weights = computed(HOURLY, estimate.message)
    return Record(renewed(document, due, market(), estimate, weights, None), "portfolio.targets", 0, 6)


def told(
    document: Portfolio, targets: Record[Targets] | None, estimate: Record[Risk] | None, later_us: int = 0
) -> dict[str, str]:
    rows = list(explain_targets(aimed(document, targets), targets, estimate, NOW_US + later_us, 2))
    assert all(row.meaning for row in rows)
    assert len({row.term for row in rows}) == len(rows)
    return {row.term: row.value for row in rows}


def test_weights_of_the_file_itself_need_no_explanation() -> None:
    assert told(portfolio(), None, risk()) == {}


def test_targets_that_count_are_told_with_what_they_came_from() -> None:
    document = allocated(allocation=replace(HOURLY, bounds=((D("0.2"), D("0.6")), (D(0), D(1)))))
    found = told(document, record := published(document), risk())
    assert found["targets"] == "6"
    assert found["targets_method"] == "equal_risk_contribution"
    assert found["targets_for"] == "2023-11-14T22:00:00+00:00"
    assert found["targets_next"] == "2023-11-14T23:00:00+00:00"
    assert found["targets_made"] == "2023-11-14T22:13:20+00:00"
    assert found["BTC bounds"] == "0.2 to 0.6"
    assert "ETH bounds" not in found
    assert {f"{asset} target": D(found[f"{asset} target"]) for asset in record.message.assets} == {
        f"{asset} target": weight for asset, weight in zip(record.message.assets, record.message.weights, strict=True)
    }
    assert "targets_due" not in found


def test_targets_that_are_due_say_what_they_wait_for() -> None:
    document = allocated()
    assert told(document, None, None)["targets_wait"] == "no risk estimate yet"
    assert told(document, None, risk({"BTC": D("0.5")}))["targets_wait"] == "no estimate of ETH yet"
    assert told(document, None, risk())["targets_wait"].startswith("the next full frame")
    assert told(document, None, None)["targets"] == "-1"


def test_older_targets_count_until_the_new_ones_are_there() -> None:
    document = allocated()
    found = told(document, published(document), None, later_us=HOUR_US)
    assert found["targets"] == "6"
    assert found["targets_due"] == "2023-11-14T23:00:00+00:00"
    assert found["targets_wait"] == "no risk estimate yet"


def test_targets_of_an_older_file_are_not_shown_as_its_own() -> None:
    found = told(allocated(version=2), published(allocated()), risk())
    assert found["targets"] == "-1"
    assert "BTC target" not in found
