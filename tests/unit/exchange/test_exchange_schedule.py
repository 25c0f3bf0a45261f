"""A seed determines the schedule of faults; what nobody can live with is not in it."""

from collections import Counter
from itertools import islice, pairwise

from trimtab.exchange.schedule import SCHEDULED, schedule

SYMBOLS = ("BTCUSDT", "LTCUSDT")


def test_a_schedule_follows_its_seed_and_holds_every_kind() -> None:
    one, same, other = (list(islice(schedule(seed, SYMBOLS), 400)) for seed in (5, 5, 6))
    assert one == same
    assert one != other
    assert Counter(fault.kind for _, fault in one).keys() == set(SCHEDULED)
    times = [at for at, _ in one]
    assert times == sorted(times)
    assert 1200 < times[-1] < 3000
    assert {fault.symbol for _, fault in one} == set(SYMBOLS)


def test_maintenance_leaves_everybody_a_minute_to_come_back() -> None:
    times = [at for at, fault in islice(schedule(5, SYMBOLS), 4000) if fault.kind == "maintenance"]
    assert len(times) > 50
    assert min(later - earlier for earlier, later in pairwise(times)) >= 60


def test_no_order_is_placed_twice_on_schedule() -> None:
    for _, fault in islice(schedule(9, SYMBOLS), 2000):
        if fault.kind == "duplicate_request":
            assert fault.endpoint not in {"", "POST /api/v3/order"}
