import pytest

from trimtab.bench.row import Against, Row, percentile_rows


def test_a_ratio_is_the_value_over_its_floor_and_bounds_the_goal() -> None:
    row = Row("path.p99", 30.0, "ms", Against("floor", 20.0), goal=2.0)
    assert row.document() == {
        "name": "path.p99",
        "value": 30.0,
        "unit": "ms",
        "against": {"what": "floor", "value": 20.0},
        "ratio": 1.5,
        "goal": 2.0,
        "met": True,
    }
    assert Row("path.p99", 41.0, "ms", Against("floor", 20.0), goal=2.0).met is False


def test_without_a_floor_the_goal_bounds_the_value_and_without_a_goal_nothing_is_met_or_missed() -> None:
    assert Row("start", 3.0, "s", goal=2.0).met is False
    assert Row("start", 2.0, "s", goal=2.0).met is True
    assert Row("start", 2.0, "s").document()["met"] is None
    assert Row("start", 2.0, "s").document()["against"] is None


@pytest.mark.parametrize("row", [Row("p", None, "ms", goal=2.0), Row("p", 1.0, "ms", Against("floor", 0.0), goal=2.0)])
def test_what_could_not_be_measured_meets_no_goal(row: Row) -> None:
    assert row.met is False
    assert row.ratio is None


def test_percentiles_stand_against_the_same_percentile_of_the_floor() -> None:
    values, floor = [float(n) for n in range(1, 101)], [n / 2 for n in range(1, 101)]
    p50, p99 = percentile_rows("path", "ms", values, floor, "bare", goal=2.0)
    assert (p50.name, p50.value, p50.against, p50.goal) == ("path.p50", 50.0, Against("bare, p50", 25.0), None)
    assert (p99.name, p99.value, p99.against, p99.goal) == ("path.p99", 99.0, Against("bare, p99", 49.5), 2.0)
    assert p99.met is True


def test_without_samples_a_goal_is_missed_not_met_by_default() -> None:
    _, p99 = percentile_rows("path", "ms", [], [], "bare", goal=2.0)
    assert (p99.value, p99.against, p99.met) == (None, None, False)
