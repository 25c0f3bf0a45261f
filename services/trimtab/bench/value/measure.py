"""All of it: simulated years, real candles where they are, a market that chatters."""

from dataclasses import dataclass
from pathlib import Path

from trimtab.bench.row import Row
from trimtab.bench.value import chatter, history, simulated
from trimtab.bench.value.candles import CandlesError
from trimtab.bench.value.score import UNIT


@dataclass(frozen=True, slots=True)
class Inputs:
    """What to measure on: simulated years and their seed; folders of real candles, daily indices, recorded books."""

    paths: int = 1_000
    seed: int = 1
    candles: Path = Path("../shared/data/genetrader")
    indices: Path = Path("../shared/data/olps")
    recordings: Path = Path("../shared/data/hftbacktest")


@dataclass(frozen=True, slots=True)
class Findings:
    """The rows, and what could not be measured and why."""

    rows: list[Row]
    notes: list[str]


def measure(inputs: Inputs) -> Findings:
    """Return the rows; without candles theirs have no value, and a note says what is missing."""
    rows, notes = [*simulated.measure(inputs.paths, inputs.seed), *chatter.measure(inputs.seed)], []
    try:
        rows += history.measure(inputs.candles, inputs.seed)
    except CandlesError as error:
        notes.append(str(error))
        rows += [Row(f"value.candles.{name}.region", None, UNIT, goal=0.75) for name in ("march", "quarter")]
    return Findings(rows, notes)
