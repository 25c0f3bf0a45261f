"""All benchmarks by name, run on one machine in one go."""

import asyncio
import os
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from trimtab.bench import (
    books,
    codec,
    decisions,
    estimator,
    exchange,
    ledger,
    peer,
    processes,
    published,
    tick_to_order,
    worker,
)
from trimtab.bench.line import trading_line
from trimtab.bench.row import Row
from trimtab.bench.value.measure import Findings, Inputs
from trimtab.bench.value.measure import measure as measure_value
from trimtab.embedded.events import OnEvent

ALONE: dict[str, Callable[[], list[Row]]] = {
    "codec": codec.measure,
    "drift": decisions.measure,
    "worker": worker.measure,
    "estimator": estimator.measure,
    "exchange": exchange.measure,
}
"""Benchmarks that need nothing of the stack."""
ON_A_DATABASE: dict[str, Callable[[OnEvent], list[Row]]] = {"ledger": ledger.measure}
"""Benchmarks that need PostgreSQL alone."""
ON_THE_LINE = ("tick_to_order", "processes")
"""Benchmarks that need the whole line; they share one."""
NAMES = (*ALONE, *ON_A_DATABASE, *ON_THE_LINE)
ON_RECORDS: dict[str, Callable[[Inputs], Findings]] = {
    "value": measure_value,
    "peer": lambda inputs: peer.measure(inputs.candles),
    "books": lambda inputs: books.measure(inputs.recordings),
    "published": lambda inputs: published.measure(inputs.indices),
}
"""What decisions are worth (minutes of arithmetic), bt and nautilus_trader beside ours, and published results: on real
candles, recorded books and daily indices, and so by name only.
"""
ALLOWED = (*NAMES, *ON_RECORDS)


def run(
    names: Sequence[str], seconds: float, folder: Path | None, on_event: OnEvent, inputs: Inputs | None = None
) -> dict[str, Any]:
    """Run benchmarks (names of ALLOWED) and return their measures, with the machine's size and load.

    `seconds` is how long ticks are timed; the line's files stay in `folder`, if one is given. `notes` say what could
    not be measured, and why.

    Raises:
        TrimtabError: if a part of the line, or the database, does not come up.

    """
    before = os.getloadavg()[0]
    rows = [row for name in names if name in ALONE for row in ALONE[name]()]
    rows += [row for name in names if name in ON_A_DATABASE for row in ON_A_DATABASE[name](on_event)]
    found = [ON_RECORDS[name](inputs or Inputs()) for name in names if name in ON_RECORDS]
    rows += [row for findings in found for row in findings.rows]
    if set(names) & set(ON_THE_LINE):
        with tempfile.TemporaryDirectory(prefix="trimtab-bench-") as temporary:
            rows += asyncio.run(_on_the_line(names, seconds, folder or Path(temporary), on_event))
    return {
        "measures": [row.document() for row in rows],
        "notes": [note for findings in found for note in findings.notes],
        "machine": {
            "cpus": os.cpu_count(),
            "load_before": round(before, 1),
            "load_after": round(os.getloadavg()[0], 1),
        },
    }


async def _on_the_line(names: Sequence[str], seconds: float, folder: Path, on_event: OnEvent) -> list[Row]:
    rows: list[Row] = []
    async with trading_line(folder, on_event) as line:
        if "processes" in names:
            rows += await processes.measure(line)
        if "tick_to_order" in names:
            rows += await tick_to_order.measure(line, seconds)
    return rows
