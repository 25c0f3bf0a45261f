"""What is kept of the way of portfolios does not grow with the tape, and says the same as all of it would."""

import gc
import tracemalloc
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from backtest_tapes import PORTFOLIO, write_bars, write_portfolio

from trimtab.backtest import course
from trimtab.backtest.confidence import interval
from trimtab.backtest.fees import Fees
from trimtab.backtest.field import contestants
from trimtab.backtest.run import Run
from trimtab.backtest.score import Score, Scores
from trimtab.backtest.tape import open_tape
from trimtab.documents import load_document
from trimtab.settings import Settings

HOUR_US = 3_600_000_000
RUN = Run(Decimal(1_000_000), Fees(), Settings())


def scored(looks: int, stretches_max: int, monkeypatch: pytest.MonkeyPatch) -> Score:
    """Return how a portfolio of one coin fared on a seeded walk, an hour a look, that pays 10 every day."""
    monkeypatch.setattr(course, "STRETCHES_MAX", stretches_max)
    rng, scores = np.random.default_rng(7), Scores(["one"], ["BTC"], HOUR_US)
    prices = 100 * np.exp(np.cumsum(rng.standard_normal(looks) * 0.01))
    scores.hold("one", {"BTC": 5.0}, 500.0, {"BTC": 0.5})
    for look, price in enumerate(prices.tolist()):
        scores.look(look * HOUR_US, [price], [look // 24 * 0.01])
    return scores.score("one")


def test_figures_are_of_every_look_however_few_stretches_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    whole, thin = (scored(24 * 400 + 5, kept, monkeypatch) for kept in (1_000_000, 1_000))
    assert (whole.looks_each, len(whole.risks)) == (1, 24 * 400 + 4)
    assert thin.looks_each == 16
    assert len(thin.times_us) == len(thin.equities) == len(thin.risks) + 1 == len(thin.paid) + 1 == 602
    assert thin.times_us[:3] == whole.times_us[:33:16]
    assert thin.equities[-1] == whole.equities[-1]
    assert thin.risks[1] == pytest.approx(sum(whole.risks[16:32]))
    exact = {"max_drawdown", "mean_equity", "final_equity", "start_equity", "yearly_returns", "years"}
    assert all(getattr(thin, name) == getattr(whole, name) for name in exact)
    assert whole.max_drawdown == 1 - np.min(np.array(whole.equities) / np.maximum.accumulate(whole.equities))
    assert thin.risk_cost_bp == pytest.approx(whole.risk_cost_bp)
    assert thin.trading_cost_bp == pytest.approx(whole.trading_cost_bp)


def test_an_interval_is_as_wide_of_few_stretches_as_of_all_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    fine, coarse = (interval(scored(24 * 400, kept, monkeypatch)) for kept in (1_000_000, 1_000))
    assert fine is not None
    assert coarse is not None
    assert coarse.low == pytest.approx(fine.low, rel=0.05)
    assert coarse.high == pytest.approx(fine.high, rel=0.05)


def test_what_lives_does_not_grow_with_the_tape(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Half way through a tape as much lives as at its end; were every look kept, it would be more by all of these."""
    monkeypatch.setattr(course, "STRETCHES_MAX", 16)
    tape = write_bars(tmp_path / "tape", 1_300)
    portfolio = write_portfolio(tmp_path, PORTFOLIO.replace("0.02}", "0.9}"))
    grown(tape, portfolio, 200)  # what is imported meanwhile, and kept for good
    flat = grown(tape, portfolio, 1_200)
    monkeypatch.setattr(course, "STRETCHES_MAX", 1_000_000)
    everything = grown(tape, portfolio, 1_200)
    assert flat < 12_000  # what is read ahead of the files is not the same everywhere
    assert everything > flat + 50 * 3 * 64  # of fifty hours three arrays


def grown(tape: Path, portfolio: Path, bars: int) -> int:
    """Return by how many bytes more lives after so many bars than after half of them."""
    field, passed, found = contestants(load_document(portfolio), ["buy_and_hold"]), 0, list[int]()

    def at(_: int) -> None:
        nonlocal passed
        passed += 1
        if passed in {bars // 2, bars}:
            gc.collect()
            found.append(tracemalloc.get_traced_memory()[0])

    tracemalloc.start()
    try:
        replace(RUN, costless=True).play(open_tape([tape], costless=True), field, at)
    finally:
        tracemalloc.stop()
    return found[-1] - found[0]
