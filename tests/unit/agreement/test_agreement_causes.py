"""Each cause of a difference between pipeline and engine is found where it is one, and only there."""

from dataclasses import replace

import pytest
from agreed_courses import (
    NOW_US,
    REGION,
    D,
    Side_,
    a_fill,
    an_order,
    causes,
    compared,
    given,
    inputs,
    market,
)

from trimtab.agreement.course import Given, Inputs
from trimtab.agreement.differences import UNEXPLAINED
from trimtab.agreement.pricing import Priced
from trimtab.agreement.retold import Answer, Retold

SAME = inputs()


def test_what_is_the_same_is_equal_to_the_last_fill() -> None:
    one, other = (given(SAME, an_order(name, "60000.02", ms, "ioc", a_fill())) for name, ms in (("a", 35), ("b", 20)))
    found = compared((one, SAME), (other, SAME))
    assert found.differences == []
    assert {kind: (row.pipeline, row.engine, row.equal) for kind, row in found.tallies.items()} == {
        "signal": (1, 1, 1),
        "order": (1, 1, 1),
        "fill": (1, 1, 1),
    }
    assert found.lags_us == [35_000]
    assert found.holds


@pytest.mark.parametrize(
    ("engine", "pipeline", "cause"),
    [
        (inputs(market("60000")), inputs(market("60100")), "frame"),
        (inputs(btc="0.9"), inputs(btc="0.89"), "holdings"),
        (inputs(btc="0.5", policy=REGION), inputs(market(fee="0.0001"), btc="0.5", policy=REGION), "costs"),
    ],
)
def test_signals_differ_by_the_input_that_differs(engine: Inputs, pipeline: Inputs, cause: str) -> None:
    found = compared((given(pipeline), pipeline), (given(engine), engine))
    assert causes(found, "signal") == [[cause]]
    assert found.holds
    assert found.document()["signals"]["explained"] == 1


def test_inputs_that_differ_without_changing_the_decision_are_no_causes() -> None:
    engine, pipeline = inputs(variance="0.25"), inputs(market("60100"), variance="0.09")
    assert causes(compared((given(pipeline), pipeline), (given(engine), engine)), "signal") == [["frame"]]


def test_an_estimate_that_widens_the_bounds_is_why_the_engine_holds() -> None:
    scaled = {"kind": "volatility_threshold", "absolute": "0.008"}
    calm, wild = (inputs(btc="0.8", variance=variance, policy=scaled) for variance in ("0.25", "1"))
    assert causes(compared((given(calm), calm), None, engine=Side_(nearby=wild)), "signal") == [["risk"]]


def test_who_holds_for_an_order_in_flight_is_told_so() -> None:
    found = compared((given(SAME), SAME), None, engine=Side_(nearby=inputs(in_flight=True)))
    assert causes(found, "signal") == [["state"]]
    assert "orders_in_flight" in found.differences[0].causes[0].evidence


def test_a_signal_of_the_engine_alone_is_explained_from_the_pipeline_s_inputs() -> None:
    balanced = inputs(btc="0.8333")
    found = compared(None, (given(SAME), SAME), pipeline=Side_(nearby=balanced))
    assert causes(found, "signal") == [["holdings"]]
    assert (found.differences[0].pipeline, found.differences[0].explained) == ("nothing", True)


def test_who_has_signalled_on_this_state_already_waits_and_who_has_not_is_unexplained() -> None:
    waiting = compared((given(SAME), SAME), None, engine=Side_(nearby=SAME, waits=True))
    assert causes(waiting, "signal") == [["waiting"]]
    silent = compared((given(SAME), SAME), None, engine=Side_(nearby=SAME))
    assert causes(silent, "signal") == [[UNEXPLAINED]]
    assert not silent.holds


def test_a_signal_that_its_own_inputs_do_not_come_to_is_unexplained() -> None:
    honest = given(SAME)
    trade = replace(honest.signal.trades[0], quantity=D("0.5"))
    forged = Given(replace(honest.signal, trades=(trade,)), NOW_US, ())
    found = compared((forged, SAME), (honest, SAME))
    assert causes(found, "signal") == [[UNEXPLAINED]]
    assert found.document()["signals"]["unexplained"] == 1
    dearer = inputs(market("60100"))
    found = compared((replace(forged, market_us=NOW_US), dearer), (honest, SAME))
    assert causes(found, "signal") == [["frame", UNEXPLAINED]], "another cause does not excuse it"
    assert not found.holds


def test_an_order_priced_on_another_frame_names_it_and_one_priced_on_none_is_unexplained() -> None:
    one, other = given(SAME, an_order("a", "60000.05")), given(SAME, an_order("b", "60000.02"))
    on = Priced(12, 40_000, "60000.03/60000.05")
    found = compared((one, SAME), (other, SAME), priced={"a": on})
    assert causes(found, "order") == [["book"]]
    assert "frame 12" in found.differences[0].causes[0].evidence
    assert causes(compared((one, SAME), (other, SAME), priced={"a": None}), "order") == [[UNEXPLAINED]]


def test_a_late_order_is_late_past_the_tolerance_alone() -> None:
    for after_ms, expected in ((120, []), (121, [["latency"]])):
        one, other = given(SAME, an_order("a", after_ms=after_ms)), given(SAME, an_order("b"))
        assert causes(compared((one, SAME), (other, SAME)), "order") == expected


def test_an_order_that_only_one_needed_follows_from_the_one_before_it() -> None:
    filled, empty = an_order("a", "60000.02", 20, "ioc", a_fill()), an_order("b")
    again = an_order("c", after_ms=60)
    found = compared((given(SAME, filled), SAME), (given(SAME, empty, again), SAME))
    assert causes(found, "order") == [["earlier"]]
    alone = compared((given(SAME, empty), SAME), (given(SAME, empty, again), SAME))
    assert causes(alone, "order") == [[UNEXPLAINED]]


def test_a_signal_that_was_dropped_sends_no_order() -> None:
    dropped = given(SAME, dropped="decided on version 4; version 5 was 'released'")
    found = compared((dropped, SAME), (given(SAME, an_order("b")), SAME))
    assert causes(found, "order") == [["superseded"]]
    assert causes(compared((given(SAME), SAME), (given(SAME, an_order("b")), SAME)), "order") == [[UNEXPLAINED]]


def test_orders_of_signals_that_differ_differ_for_that() -> None:
    pipeline = inputs(btc="0.89")
    one, other = given(pipeline, an_order("a")), given(SAME, an_order("b", after_ms=500))
    assert causes(compared((one, pipeline), (other, SAME)), "order") == [["signal", "latency"]]


def fills(tif: str, there_and_then: tuple[tuple[D, D, bool], ...], retold: str = "60000.01") -> list[list[str]]:
    """Causes of the same order filled at 60000.01 by the pipeline, at 60000.04 by the engine."""
    one = given(SAME, an_order("a", "60000.02", 35, tif, a_fill("60000.01")))
    other = given(SAME, an_order("b", "60000.02", 20, tif, a_fill("60000.04")))
    told = Retold(fills={"a": [a_fill(retold)]}, answers={"a": Answer("60000/60000.01", there_and_then)})
    return causes(compared((one, SAME), (other, SAME), retold=told), "fill")


def test_a_fill_differs_by_its_order_s_arrival_if_the_same_would_have_come_of_it_there_and_then() -> None:
    assert fills("ioc", ((D("60000.04"), D("0.1"), False),)) == [["arrival"]]
    assert fills("ioc", ((D("60000.03"), D("0.1"), False),)) == [[UNEXPLAINED]]


def test_an_order_that_rests_meets_others() -> None:
    assert fills("gtc", ()) == [["queue"]]


def test_a_fill_that_the_matching_engine_does_not_make_of_the_request_is_unexplained_even_if_it_equals_the_other() -> (
    None
):
    assert fills("ioc", ((D("60000.04"), D("0.1"), False),), retold="60000.02") == [[UNEXPLAINED]]
    alike = an_order("a", "60000.02", 20, "ioc", a_fill())
    told = Retold(fills={"a": [a_fill("60000.02")]})
    found = compared((given(SAME, alike), SAME), (given(SAME, alike), SAME), retold=told)
    assert causes(found, "fill") == [[UNEXPLAINED]]


def test_a_fill_that_the_matching_engine_makes_and_nobody_has_is_unexplained() -> None:
    empty = an_order("a", "60000.02", 20, "ioc")
    told = Retold(fills={"a": [a_fill()]})
    for other in (given(SAME), given(SAME, replace(empty, order_id="b"))):
        found = compared((given(SAME, empty), SAME), (other, SAME), retold=told)
        assert causes(found, "fill") == [[UNEXPLAINED]]
        assert not found.holds


def test_a_fill_of_an_order_that_only_one_sent_differs_for_that() -> None:
    one = given(SAME, an_order("a", "60000.02", 20, "ioc", a_fill()), dropped="")
    other = given(SAME, dropped="")
    assert causes(compared((one, SAME), (other, SAME)), "fill") == [["order"]]
