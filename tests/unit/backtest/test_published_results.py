"""Published results come out of the ordinary backtest, to all digits that were printed."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from trimtab.bench.published import PUBLISHED, play, read, wealth, write
from trimtab.bench.suite import ON_RECORDS
from trimtab.bench.value.measure import Inputs

INDICES = Path(__file__).parents[3].parent / "shared" / "data" / "olps"


def indices(name: str) -> Path:
    file = INDICES / f"{name}.csv.gz"
    if not file.is_file():
        pytest.skip(f"needs ../shared/data/olps/{file.name}, which is not there")
    return file


@pytest.mark.parametrize("name", PUBLISHED)
def test_the_first_days_are_those_of_the_formula(name: str) -> None:
    """The whole files take minutes (`trimtab bench published`); so many days show every part at work."""
    days = 12
    file = indices(name)
    found = wealth(file, days)
    levels = np.array([[float(value) for value in column] for column in read(file, days).values()])
    assert found.rebalanced == pytest.approx(np.prod((levels[:, 1:] / levels[:, :-1]).mean(axis=0)), abs=1e-9)
    assert found.held == pytest.approx(levels[:, -1].mean(), abs=1e-9)
    assert found.rebalanced != pytest.approx(found.held, abs=1e-6)


def test_daily_rebalancing_of_the_dow_is_as_published() -> None:
    found = wealth(indices("djia"))
    assert (round(found.rebalanced, 4), round(found.held, 4)) == PUBLISHED["djia"] == (0.8127, 0.7644)


def test_it_needs_no_data_to_be_right(tmp_path: Path) -> None:
    """One asset doubles and halves in turn, the other stands: rebalancing earns 9/8 every two days, holding nothing."""
    write({"A": [Decimal(1 + day % 2) for day in range(9)], "B": [Decimal(1)] * 9}, tmp_path)
    rebalanced, held = play(tmp_path, ["A", "B"])
    assert rebalanced.score.final_equity == pytest.approx(1e6 * (9 / 8) ** 4, abs=1e-2)
    assert held.score.final_equity == pytest.approx(1e6, abs=1e-2)
    assert (rebalanced.bill.fees, rebalanced.bill.signals, held.bill.signals) == (0, 8, 0)


def test_it_says_what_is_missing(tmp_path: Path) -> None:
    found = ON_RECORDS["published"](Inputs(indices=tmp_path))
    assert len(found.notes) == len(PUBLISHED)
    assert all("which is not there" in note for note in found.notes)
    assert all(row.value is None and row.met is False for row in found.rows)
