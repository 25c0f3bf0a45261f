"""Faults strike what they are armed for, as often as armed."""

from trimtab.exchange.faults import Fault, Faults

ORDER = "POST /api/v3/order"


def test_a_fault_strikes_its_endpoint_as_often_as_it_was_armed_for() -> None:
    faults = Faults()
    faults.arm(Fault("lost_answer", ORDER, count=2))
    struck = [bool(faults.strike(endpoint)) for endpoint in ("GET /api/v3/time", ORDER, ORDER, ORDER)]
    assert struck == [False, True, True, False]
    assert faults.armed() == []


def test_without_a_count_it_never_ends_until_disarmed() -> None:
    faults = Faults()
    fault = faults.arm(Fault("rate_limit", count=None))
    assert all(faults.strike(ORDER) for _ in range(50))
    assert faults.disarm(fault.fault_id) == 1
    assert faults.strike(ORDER) == []


def test_at_most_one_strikes_in_a_place_and_the_other_waits() -> None:
    faults = Faults()
    for kind in ("lost_answer", "error_after", "latency"):
        faults.arm(Fault(kind))
    assert [fault.kind for fault in faults.strike(ORDER)] == ["lost_answer", "latency"]
    assert [fault.kind for fault in faults.strike(ORDER)] == ["error_after"]


def test_chances_follow_the_seed() -> None:
    def run(seed: int) -> list[bool]:
        faults = Faults(seed)
        faults.arm(Fault("latency", count=None, probability=0.3))
        return [bool(faults.strike(ORDER)) for _ in range(400)]

    assert run(1) == run(1)
    assert run(1) != run(2)
    assert 60 < sum(run(1)) < 180


def test_a_websocket_drop_never_strikes_a_request() -> None:
    faults = Faults()
    faults.arm(Fault("websocket_drop"))
    assert faults.strike(ORDER) == []


def test_disarming_all_counts_them() -> None:
    faults = Faults()
    faults.arm(Fault("latency"))
    faults.arm(Fault("latency"))
    assert faults.disarm() == 2


def test_what_happens_before_during_and_after_a_request_may_happen_to_the_same_one() -> None:
    faults = Faults()
    for kind in ("cut_answer", "duplicate_request", "latency", "lost_request", "html_answer"):
        faults.arm(Fault(kind))
    assert [fault.kind for fault in faults.strike(ORDER)] == [
        "cut_answer",
        "duplicate_request",
        "latency",
        "lost_request",
    ]
    assert [fault.kind for fault in faults.strike(ORDER)] == ["html_answer"]
