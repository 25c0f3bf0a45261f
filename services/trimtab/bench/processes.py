"""Start-up and memory of every process of the line, the embedded stack's included."""

import asyncio
from collections.abc import Mapping, Sequence

import psutil

from trimtab.bench.line import TradingLine
from trimtab.bench.row import Row
from trimtab.embedded.events import Event

_MIB = 1_048_576
_TRADING_SECONDS = 10.0
_STACK = "stack"  # speaks for its parts together


async def measure(line: TradingLine) -> list[Row]:
    """Return start-up to healthy, and proportional memory (PSS) after some seconds of trading, by process."""
    await asyncio.sleep(_TRADING_SECONDS)
    memory = {name: memory_mib(pid) for name, pid in line.pids().items()}
    return rows(start_seconds(line.events), memory)


def start_seconds(events: Sequence[Event]) -> dict[str, float]:
    """Return the time from a part's first start to its first health, in seconds; other processes start beside it."""
    began: dict[str, int] = {}
    took: dict[str, float] = {}
    for event in events:
        if event.kind == "starting":
            began.setdefault(event.part, event.at_us)
        elif event.kind == "ready" and event.part in began and event.part != _STACK:
            took.setdefault(event.part, (event.at_us - began[event.part]) / 1e6)
    return took


def rows(seconds: Mapping[str, float], memory: Mapping[str, float]) -> list[Row]:
    """Return two rows a process, and the sum of memory."""
    found = [Row(f"start.{name}", value, "s") for name, value in seconds.items()]
    found += [Row(f"memory.{name}", value, "MiB") for name, value in memory.items()]
    return [*found, Row("memory.all", sum(memory.values()), "MiB")]


def memory_mib(pid: int) -> float:
    """Return what a process and its children would free if they ended (PSS: shared pages count in parts)."""
    root = psutil.Process(pid)
    return sum(float(process.memory_full_info().pss) for process in (root, *root.children(recursive=True))) / _MIB
