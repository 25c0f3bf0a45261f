import json
from dataclasses import asdict

from trimtab.bench import worker
from trimtab.bench.floor import Sample, samples_of
from trimtab.bench.processes import rows as process_rows
from trimtab.bench.processes import start_seconds
from trimtab.bench.stages import STAGES, Path
from trimtab.bench.suite import ALONE
from trimtab.bench.tick_to_order import rows
from trimtab.embedded.events import Event

TIMES_US = {
    "trimtab.tick_us": 1_000,
    "trimtab.sent_us.market.frames": 3_000,
    "trimtab.sent_us.rebalance.signals": 6_000,
    "trimtab.taken_us": 10_000,
    "trimtab.committed_us": 15_000,
    "trimtab.answered_us": 21_000,
    "trimtab.sent_us.market.risk": 5,
}


def test_the_stages_of_a_path_add_up_to_its_time_from_tick_to_answer() -> None:
    path = Path.of(TIMES_US)
    assert path is not None
    assert [path.stages_ms[stage] for stage in STAGES] == [2.0, 3.0, 4.0, 5.0, 6.0]
    assert path.total_ms == 20.0
    assert path.tick_us == 1_000


def test_an_order_that_no_signal_placed_at_once_has_no_such_path() -> None:
    assert Path.of({name: at for name, at in TIMES_US.items() if name != "trimtab.taken_us"}) is None


def test_the_probes_first_samples_only_open_its_connections() -> None:
    lines = [json.dumps(asdict(Sample(n, 1.0, 2.0, 3.0, 4.0))) for n in range(12)]
    assert [sample.at_us for sample in samples_of(lines)] == [10, 11]
    assert samples_of(lines)[0].total_ms == 10.0
    assert samples_of(lines[:5]) == []


def test_path_and_stages_stand_against_their_own_parts_of_the_floor() -> None:
    path = Path.of(TIMES_US)
    assert path is not None
    found = {row.name: row for row in rows([path], [Sample(0, 1.0, 2.0, 2.5, 4.5)])}
    assert (found["tick_to_order.p99"].value, found["tick_to_order.p99"].ratio) == (20.0, 2.0)
    assert found["tick_to_order.p99"].met is True
    assert found["tick_to_order.intake_and_commit.p50"].ratio == 2.0
    assert found["tick_to_order.tick_to_frame.p50"].against is None
    assert found["tick_to_order.orders"].value == found["tick_to_order.floor_samples"].value == 1.0


def event(part: str, kind: str, at_us: int) -> Event:
    return Event(at_us, part, kind, "")  # type: ignore[arg-type]  # a plain str in place of the literal


def test_start_up_lasts_from_the_first_start_to_the_first_health() -> None:
    events = [
        event("kafka", "starting", 0),
        event("postgres", "starting", 500_000),
        event("postgres", "ready", 1_500_000),
        event("kafka", "ready", 3_000_000),
        event("stack", "ready", 3_000_000),
        event("kafka", "starting", 9_000_000),  # after a crash
        event("kafka", "ready", 9_500_000),
    ]
    assert start_seconds(events) == {"postgres": 1.0, "kafka": 3.0}


def test_memory_is_summed_over_the_processes() -> None:
    found = {row.name: (row.value, row.unit) for row in process_rows({"kafka": 3.0}, {"kafka": 300.0, "drift": 100.0})}
    assert found["start.kafka"] == (3.0, "s")
    assert found["memory.drift"] == (100.0, "MiB")
    assert found["memory.all"] == (400.0, "MiB")


def test_codec_and_drift_are_measured_with_messages_that_hold() -> None:
    measured = {row.name: row for name in ("codec", "drift") for row in ALONE[name]()}
    assert {row.unit for row in measured.values()} == {"us", "bytes"}
    assert all(row.value is not None and row.value > 0 for row in measured.values())
    assert {"codec.frame.encode", "codec.signal.decode", "drift.check.no_trade_region.hold"} <= measured.keys()


def test_a_worker_is_measured_with_frames_on_time() -> None:
    small, other = worker.Load(20, 3, 2), worker.Load(10)
    measured = {row.name: row for row in worker.measure((small, other), small, seconds=0.3)}
    clocked = ("memory", "core", "behind.p50", "behind.p99", "behind.last", "signals")
    assert measured.keys() == {
        *(f"drift.worker.20_of_3.2_books.{what}" for what in (*clocked, "frame", "check")),
        *(f"drift.worker.10_of_10.3_books.{what}" for what in ("frame", "check")),
    }
    for what in ("check", "signals"):
        assert (measured[f"drift.worker.20_of_3.2_books.{what}"].value or 0) > 0
