"""An import holds the books and no more of a tape, however long that is."""

import json
import tracemalloc
from pathlib import Path

from trimtab.adapters.memory.clock import VirtualClock
from trimtab.imports.feeding import Feeding
from trimtab.imports.findings import Findings
from trimtab.imports.source import opened
from trimtab.messages import Message
from trimtab.settings import IngestSettings

START_MS = 1_704_067_200_000


class Counting:
    def __init__(self) -> None:
        self.messages = 0

    def publish_nowait(self, message: Message) -> bool:
        self.messages += 1
        return True


def recording(path: Path, updates: int) -> Path:
    def line(number: int, message: object) -> str:
        return f"{(START_MS + 100 * number) * 1_000_000} {json.dumps(message)}\n"

    def update(number: int) -> str:
        ids = {"E": START_MS + 100 * number, "U": number, "u": number}
        levels = [[f"{90 + number % 900 / 100:.2f}", f"{1 + number % 3}"]]
        return line(number, {"data": {"e": "depthUpdate", "s": "BTCUSDT", **ids, "b": levels, "a": []}})

    answer = {"lastUpdateId": 1, "bids": [["89", "1"]], "asks": [["101", "2"]]}
    path.write_text(update(1) + line(1, answer) + "".join(map(update, range(2, updates))))
    return path


def test_what_is_held_does_not_grow_with_the_tape(tmp_path: Path) -> None:
    peaks: list[int] = []
    for updates in (1_500, 9_000):
        outlet, clock, findings = Counting(), VirtualClock(), Findings()
        source = opened("binance-ws", [recording(tmp_path / f"{updates}.txt", updates)], findings)
        feeding = Feeding(source, outlet, clock, findings, IngestSettings(), "test")
        tracemalloc.start()
        events = sum(1 for _ in feeding.run())
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert events == updates - 1
        assert outlet.messages >= 2 * (updates - 1)
    assert peaks[1] < 1.2 * peaks[0], peaks
