"""Published results through the ordinary backtest, without costs: daily rebalancing to equal weights, and holding.

The benchmarks of universal portfolios (Cover 1991; Li & Hoi 2014, "Online portfolio selection: a survey"): daily
closes of equities, as wealth indices that begin at 1. Each becomes a file of bars, all in USDT, on consecutive days.
"""

import csv
import gzip
import json
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType

from trimtab.backtest.fees import Fees
from trimtab.backtest.field import Contestant, contestants
from trimtab.backtest.outcome import Outcome
from trimtab.backtest.run import Run
from trimtab.backtest.tape import open_tape
from trimtab.bench.row import Against, Row
from trimtab.bench.value.candles import CandlesError
from trimtab.bench.value.measure import Findings
from trimtab.portfolio_file import Document
from trimtab.settings import Settings

# Final wealth of daily uniform rebalancing, and of buying and holding, as published: to four digits.
PUBLISHED: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"djia": (0.8127, 0.7644), "msci": (0.9268, 0.9064), "tse": (1.5952, 1.6129)}
)
_EQUITY = Decimal(1_000_000)
_QUOTE = "USDT"
_SCALE = 1_000  # of an index: prices have eight decimals
_UNIT = Decimal("0.00000001")
_WEIGHT_UNIT = Decimal("1e-12")
_START_S, _DAY_S = 1_009_843_200, 86_400  # the files have no dates; a count of ten digits is one of seconds


@dataclass(frozen=True, slots=True)
class Wealth:
    """What one unit has become: rebalanced every day, and held."""

    rebalanced: float
    held: float


def measure(folder: Path) -> Findings:
    """Return the rows; a goal of 0 is for the difference in the last printed digit. Notes say what is missing."""
    rows, notes = [], list[str]()
    for name, (rebalanced, held) in PUBLISHED.items():
        try:
            found = wealth(folder / f"{name}.csv.gz")
        except CandlesError as error:
            notes.append(str(error))
            rows.append(Row(f"published.{name}.off_by", None, "", goal=0.0))
            continue
        rows += [
            Row(f"published.{name}.rebalanced", round(found.rebalanced, 4), "", Against("as published", rebalanced)),
            Row(f"published.{name}.held", round(found.held, 4), "", Against("as published", held)),
            Row(f"published.{name}.off_by", _off(found, rebalanced, held), "", goal=0.0),
        ]
    return Findings(rows, notes)


def wealth(file: Path, days: int | None = None) -> Wealth:
    """Return what came of equal weights over the file, or its first days.

    Raises:
        CandlesError: if it is not there.
    """
    if not file.is_file():
        raise CandlesError(f"published results: needs {file}, which is not there")
    indices = read(file, days)
    with tempfile.TemporaryDirectory(prefix="trimtab-published-") as folder:
        write(indices, Path(folder))
        rebalanced, held = play(Path(folder), sorted(indices))
    return Wealth(*(outcome.score.final_equity / float(_EQUITY) for outcome in (rebalanced, held)))


def play(folder: Path, assets: Sequence[str]) -> list[Outcome]:
    """Return the outcomes of rebalancing every midnight and of holding, by the ordinary backtest."""
    run = Run(_EQUITY, Fees(), Settings(), costless=True)
    return run.play(open_tape([folder], costless=True), _field(assets), lambda _: None)


def read(file: Path, days: int | None = None) -> dict[str, list[Decimal]]:
    """Return every index by the asset's name; it begins at 1, the day before the first row."""
    with gzip.open(file, "rt", encoding="utf-8", newline="") as text:
        rows = list(csv.DictReader(text))[:days]
    return {name.upper(): [Decimal(1), *(Decimal(row[name]) for row in rows)] for name in rows[0]}


def write(indices: Mapping[str, Sequence[Decimal]], folder: Path) -> None:
    """Write a file of daily bars for every index."""
    for asset, values in indices.items():
        lines = ["date,open,high,low,close,volume"]
        for day, value in enumerate(values):
            price = (value * _SCALE).quantize(_UNIT)
            lines.append(f"{_START_S + day * _DAY_S},{price},{price},{price},{price},1")
        (folder / f"{asset}_{_QUOTE}-1d.csv").write_text("\n".join([*lines, ""]), encoding="utf-8")


def _field(assets: Sequence[str]) -> list[Contestant]:
    weight = (1 / Decimal(len(assets))).quantize(_WEIGHT_UNIT)
    portfolio = {
        "portfolio": "uniform",
        "quote": _QUOTE,
        "targets": {asset: str(weight) for asset in assets},
        "policy": {"kind": "calendar", "cron": "0 0 * * *"},
        "limits": {"min_trade": 0, "max_trade_share": 1},
    }
    return contestants(Document.model_validate_json(json.dumps(portfolio)), ["buy_and_hold"])


def _off(found: Wealth, rebalanced: float, held: float) -> float:
    return max(abs(round(found.rebalanced, 4) - rebalanced), abs(round(found.held, 4) - held))
