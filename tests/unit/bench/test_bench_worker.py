"""The worker's benchmark measures a worker that works."""

import itertools
from dataclasses import replace

from trimtab.bench.worker import Load, frames, worker
from trimtab.ports.topics import Record


async def test_who_drifts_signals_once_and_is_answered() -> None:
    watch, answered = worker(Load(3))
    entry = watch.portfolios.get("p000001")
    assert entry is not None
    thin = tuple(replace(p, posted=p.posted / 2) if p.asset == "BTC" else p for p in entry.state.positions)
    watch.portfolios.put(Record(replace(entry.state, positions=thin), "portfolio.state", 0, 1))
    for record in itertools.islice(frames(3), 20):
        watch.on_frame(record)
        await watch.settled()
    assert answered.signals == 1
    assert (after := watch.portfolios.get("p000001"))
    assert after.state.ledger_version == entry.state.ledger_version + 1


def test_frames_follow_each_other_and_move_the_market() -> None:
    first, *others = (record.message for record in itertools.islice(frames(3), 101))
    assert [frame.sequence for frame in others] == list(range(1, 101))
    assert (first.full, others[0].full, others[-1].full) == (True, False, True)
    assert len(others[0].quotes) < len(first.quotes)
    assert others[-1].quotes != first.quotes
