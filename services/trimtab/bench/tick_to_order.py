"""From a tick received to the answer to its first order, against the floor measured beside it.

A path: tick received -> frame published -> signal published -> taken by the executor -> committed -> answered. Two
Kafka hops, one commit and one HTTP round trip stand on it, and those are the floor.
"""

import asyncio
import time
from collections.abc import Sequence

from trimtab.bench.floor import Sample
from trimtab.bench.line import TradingLine
from trimtab.bench.probe import probing
from trimtab.bench.row import Row, percentile_rows
from trimtab.bench.stages import STAGES, Path

GOAL_RATIO = 2.0
_WARM_SECONDS = 10.0
_WHAT = "two bare Kafka hops, one commit, one HTTP round trip"
# What each stage of the path stands on, of the floor's parts.
_LEAST = {
    "frame_to_signal": ("one bare hop", "first_hop_ms"),
    "signal_to_executor": ("one bare hop", "second_hop_ms"),
    "intake_and_commit": ("one commit", "commit_ms"),
    "commit_to_answer": ("one HTTP round trip", "http_ms"),
}


async def measure(line: TradingLine, seconds: float) -> list[Row]:
    """Let the line trade for so long, the floor's probe beside it; return the rows of both."""
    await asyncio.sleep(_WARM_SECONDS)
    began_us = time.time_ns() // 1_000
    with probing(line.stage) as floor:
        await asyncio.sleep(seconds)
    paths = [path for path in line.measures.paths.values() if path.tick_us >= began_us]
    return rows(paths, floor.samples)


def rows(paths: Sequence[Path], samples: Sequence[Sample]) -> list[Row]:
    """Return the measures of these paths and floors."""
    totals, floors = [path.total_ms for path in paths], [sample.total_ms for sample in samples]
    found = percentile_rows("tick_to_order", "ms", totals, floors, _WHAT, GOAL_RATIO)
    for stage in STAGES:
        values = [path.stages_ms[stage] for path in paths]
        what, part = _LEAST.get(stage, ("", ""))
        least = [getattr(sample, part) for sample in samples] if part else []
        found += percentile_rows(f"tick_to_order.{stage}", "ms", values, least, what)
    counts = (
        Row("tick_to_order.orders", float(len(paths)), "orders"),
        Row("tick_to_order.floor_samples", float(len(floors)), "samples"),
    )
    return [*found, *counts]
