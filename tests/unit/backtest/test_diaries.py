"""Diaries tell of every trade and change nothing."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from backtest_tapes import PORTFOLIO, write_bars, write_portfolio

from trimtab.backtest.diary import Diary
from trimtab.backtest.fees import Fees
from trimtab.backtest.field import contestants
from trimtab.backtest.outcome import Outcome
from trimtab.backtest.run import Run
from trimtab.backtest.tape import open_tape
from trimtab.documents import load_document
from trimtab.settings import Settings

RUN = Run(Decimal(1_000_000), Fees(), Settings(), diaries=True)
REGION = PORTFOLIO.replace("{kind: threshold, absolute: 0.02}", "{kind: no_trade_region}")


def play(folder: Path, run: Run, text: str = PORTFOLIO, *, ways: bool = False) -> list[Outcome]:
    tape = write_bars(folder / "tape", 120 if ways else 700, deviation=0.01 if ways else 0.004)
    field = contestants(load_document(write_portfolio(folder, text)), ("threshold",))
    return run.play(open_tape([tape], ways=ways), field, lambda _: None)


def diary_of(outcome: Outcome) -> Diary:
    assert outcome.diary is not None
    return outcome.diary


def test_keeping_them_changes_nothing(tmp_path: Path) -> None:
    kept, plain = (play(tmp_path, replace(RUN, diaries=diaries), REGION) for diaries in (True, False))
    assert [replace(each, diary=None) for each in kept] == plain


@pytest.mark.parametrize("ways", [False, True])
def test_their_trades_sum_to_the_bill(tmp_path: Path, *, ways: bool) -> None:
    for outcome in play(tmp_path, RUN, ways=ways):
        deals = diary_of(outcome).deals.values()
        assert len(deals) == outcome.bill.orders > 0
        for name in ("traded", "fees", "spread", "impact", "delay", "opportunity"):
            assert sum(getattr(deal, name) for deal in deals) == getattr(outcome.bill, name), name
        assert all(deal.closed_us >= deal.signal.event_time_us for deal in deals)


def test_drift_is_seen_at_every_look_and_before_every_trade(tmp_path: Path) -> None:
    """In the terms of the first one's policy, whoever is looked at."""
    for outcome in play(tmp_path, RUN):
        diary = diary_of(outcome)
        times = [look.time_us for look in diary.looks]
        assert times == sorted(times)
        assert {deal.signal.event_time_us for deal in diary.deals.values()} <= {*times}
        assert {*outcome.score.times_us[:-1]} <= {*times}
        for look in diary.looks:
            assert sum(term.weight for term in look.terms) == pytest.approx(Decimal(1))
            assert {term.half_band for term in look.terms} == {Decimal("0.02")}
