"""A run that is reported, once for all tests of a process."""

from collections.abc import Sequence
from decimal import Decimal
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from backtest_tapes import PORTFOLIO, write_bars, write_portfolio

from trimtab.backtest.fees import Fees
from trimtab.backtest.field import Contestant, contestants
from trimtab.backtest.outcome import Outcome
from trimtab.backtest.result import document
from trimtab.backtest.run import Run
from trimtab.backtest.tape import open_tape
from trimtab.documents import load_document
from trimtab.settings import Settings

Played = tuple[dict[str, Any], Sequence[Contestant], Sequence[Outcome]]


@cache
def played() -> Played:
    """Return a run's document, field and outcomes."""
    with TemporaryDirectory() as folder:
        tape = open_tape([write_bars(Path(folder) / "tape", 700)])
        field = contestants(load_document(write_portfolio(Path(folder), PORTFOLIO)), ("calendar", "buy_and_hold"))
        run = Run(Decimal(1_000_000), Fees(), Settings(), diaries=True)
        outcomes = run.play(tape, field, lambda _: None)
        return document(run, tape, field, outcomes), field, outcomes
