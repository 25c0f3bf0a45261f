"""A whole backtest: the same again byte for byte, nothing made or lost, nothing known before its time."""

import json
import os
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from backtest_tapes import PORTFOLIO, write_bars, write_portfolio

from trimtab.backtest.errors import WorldError
from trimtab.backtest.fees import Fees
from trimtab.backtest.field import contestants
from trimtab.backtest.outcome import Outcome
from trimtab.backtest.result import document
from trimtab.backtest.run import Run
from trimtab.backtest.tape import open_tape
from trimtab.backtest.venue import EngineVenue
from trimtab.documents import load_document
from trimtab.domain.errors import InvalidValueError
from trimtab.settings import Settings

BARS = 700
RUN = Run(Decimal(1_000_000), Fees(), Settings())


def play(tape: Path, portfolio: Path, run: Run = RUN, against: tuple[str, ...] = (), **how: bool) -> list[Outcome]:
    field = contestants(load_document(portfolio), against)
    return run.play(open_tape([tape], **how), field, lambda _: None)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    return write_bars(tmp_path / "tape", BARS)


@pytest.fixture
def portfolio(tmp_path: Path) -> Path:
    return write_portfolio(tmp_path)


def command(*arguments: object, seed: str = "0") -> subprocess.CompletedProcess[str]:
    words = [sys.executable, "-m", "trimtab.cli", "backtest", *map(str, arguments)]
    surroundings = {name: value for name, value in os.environ.items() if not name.startswith("TRIMTAB_")}
    return subprocess.run(
        words, check=False, capture_output=True, text=True, env={**surroundings, "PYTHONHASHSEED": seed}
    )


def test_two_runs_are_equal_byte_for_byte_whatever_the_hash_seed(tape: Path, portfolio: Path) -> None:
    one, other = (command("--tape", tape, "--policy", portfolio, "--json", seed=seed) for seed in ("1", "2"))
    assert (one.returncode, one.stderr) == (0, "")
    assert one.stdout == other.stdout
    policies = json.loads(one.stdout)["policies"]
    assert [*policies] == ["threshold", "calendar", "threshold_2", "buy_and_hold"]
    assert policies["threshold"]["orders"] > policies["threshold_2"]["orders"]
    assert policies["buy_and_hold"]["orders"] == 0


def test_nothing_is_made_or_lost(tape: Path, portfolio: Path) -> None:
    (found,) = play(tape, portfolio)
    assert found.bill.signals >= 3
    assert found.bill.fills >= found.bill.orders > 3
    assert min(found.holdings.values()) > 0
    assert found.bill.fees == pytest.approx(found.bill.traded / 1_000, rel=Decimal("0.001"))
    assert found.bill.spread > 0
    assert found.bill.impact >= 0
    assert found.bill.delay == 0  # the book at a close stands until the next one


def test_without_costs_nothing_is_paid(tape: Path, portfolio: Path) -> None:
    (free,) = play(tape, portfolio, replace(RUN, costless=True), costless=True)
    assert free.bill.signals >= 3
    assert (free.bill.fees, free.bill.impact) == (0, 0)
    assert abs(free.bill.spread) < Decimal("0.001")


def test_ledger_and_engine_are_held_together(tape: Path, portfolio: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(EngineVenue, "held", lambda venue: {"USDT": Decimal(1)})
    with pytest.raises(WorldError, match="the ledger has"):
        play(tape, portfolio)


def test_another_future_changes_nothing_before_it(tmp_path: Path, portfolio: Path) -> None:
    """Decisions of the first bars are the same whether they are all there is, or much comes after them."""
    short = write_bars(tmp_path / "short", 300)
    long = write_bars(tmp_path / "long", BARS)
    (early,), (late,) = play(short, portfolio), play(long, portfolio)
    shared = len(early.score.times_us) - 1  # the last look is after the end
    assert early.score.equities[:shared] == late.score.equities[:shared]
    assert early.bill.orders > 0
    assert late.bill.orders > early.bill.orders


def test_portfolios_side_by_side_take_nothing_from_one_another(tape: Path, portfolio: Path) -> None:
    alone = play(tape, portfolio)[0]
    beside = play(tape, portfolio, against=("calendar", "threshold", "buy_and_hold"))[0]
    assert (alone.bill, alone.score, alone.holdings) == (beside.bill, beside.score, beside.holdings)


def test_the_default_policy_trades_once_risk_is_known(tmp_path: Path, tape: Path) -> None:
    text = PORTFOLIO.replace("{kind: threshold, absolute: 0.02}", "{kind: no_trade_region}")
    region, never = play(tape, write_portfolio(tmp_path, text), against=("buy_and_hold",))
    assert region.bill.orders > 0
    assert region.score.risk_cost_bp < never.score.risk_cost_bp


def test_the_whole_way_through_bars_moves_while_orders_wait(tmp_path: Path, portfolio: Path) -> None:
    (found,) = play(write_bars(tmp_path / "tape", 150, deviation=0.01), portfolio, ways=True)
    assert found.bill.fills > 3
    assert found.bill.delay != 0


def test_figures_are_those_of_the_contract(tape: Path, portfolio: Path) -> None:
    field = contestants(load_document(portfolio), ["calendar"])
    opened = open_tape([tape])
    found = document(RUN, opened, field, RUN.play(opened, field, lambda _: None))["policies"]["threshold"]
    contract = """orders turnover fees spread_cost impact_cost risk_cost_bp total_cost_bp tracking_error max_drawdown
        final_equity yearly_returns"""
    assert {*contract.split()} <= found.keys()
    assert found["total_cost_bp"] == pytest.approx(found["risk_cost_bp"] + found["trading_cost_bp"])
    assert found["yearly_returns"] == {"2024": pytest.approx(found["final_equity"] / found["start_equity"] - 1)}


def test_what_is_not_on_the_tape_is_named(tmp_path: Path, tape: Path) -> None:
    with pytest.raises(InvalidValueError, match=r"targets.DOGE: found 'DOGE/USDT'; allowed: .* BTC/USDT, ETH/USDT"):
        play(tape, write_portfolio(tmp_path, PORTFOLIO.replace("SOL", "DOGE")))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--tape", "nowhere", "--policy", "core.yaml"), "nowhere: no such file or folder"),
        (("--tape", "tape", "--policy", "nowhere.yaml"), "nowhere.yaml"),
        (("--tape", "tape", "--policy", "core.yaml", "--against", "luck"), "calendar, threshold, buy_and_hold"),
        (("--tape", "tape", "--policy", "core.yaml", "luck"), "names stand after --against"),
        (("--tape", "torn", "--policy", "core.yaml"), "BTC_USDT-5m.csv:5: high"),
        (("--tape", "tape", "--policy", "core.yaml", "--costless", "--ways"), "nothing but their closes"),
    ],
)
def test_errors_point_and_end_with_2(
    tmp_path: Path, tape: Path, portfolio: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...], said: str
) -> None:
    torn = write_bars(tmp_path / "torn", 20) / "BTC_USDT-5m.csv"
    lines = torn.read_text().splitlines()
    fields = lines[4].split(",")
    torn.write_text("\n".join([*lines[:4], ",".join([fields[0], fields[1], "nan", *fields[-3:]]), *lines[5:]]))
    monkeypatch.chdir(tmp_path)
    found = command(*arguments)
    assert found.returncode == 2, found.stderr
    assert said in found.stderr
    assert "Traceback" not in found.stderr
