"""`trimtab replay`: what is refused before anything is started or read."""

import gzip
from itertools import islice
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from trimtab.cli.__main__ import app
from trimtab.demo.stage import Stage

RECORDED = Path(__file__).parents[3].parent / "shared" / "data" / "hftbacktest" / "btcusdt_20240808.gz"
PORTFOLIO = "portfolio: core\nquote: USDT\ntargets: {BTC: 0.5, USDT: 0.5}\n"
BARS = "date,open,high,low,close,volume\n1704067200,1,1,1,1,1\n1704067500,1,1,1,1,1\n"


@pytest.fixture(autouse=True)
def clean(unset: None, monkeypatch: pytest.MonkeyPatch) -> None:
    def started(_: object) -> None:
        raise AssertionError("something was started")

    monkeypatch.setattr(Stage, "start_exchange", started)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    if not RECORDED.is_file():
        pytest.skip(f"needs ../shared/data/hftbacktest/{RECORDED.name}, which is not there")
    part = tmp_path / "btcusdt.gz"
    with gzip.open(RECORDED, "rb") as whole, gzip.open(part, "wb") as file:
        file.writelines(islice(whole, 300))
    return part


def portfolio(folder: Path, text: str = PORTFOLIO) -> str:
    path = folder / "core.yaml"
    path.write_text(text)
    return str(path)


def replay(*words: str) -> Result:
    return CliRunner().invoke(app, ["replay", *words], env={"COLUMNS": "300"})


def refused(found: Result, *words: str) -> None:
    assert found.exit_code == 2, f"{found.stdout}{found.stderr}{found.exception!r}"
    assert found.stdout == ""
    assert all(word in found.stderr for word in words), found.stderr
    assert "Traceback" not in found.stderr


def test_it_is_told_to_do_one_thing(tmp_path: Path) -> None:
    refused(replay(), "--verify", "--pipeline")
    refused(replay("--verify", "--pipeline"), "allowed: --verify, or")
    refused(replay("--verify", "--policy", portfolio(tmp_path)), "--policy", "does not go with --verify")
    refused(replay("--what-if", "x.yaml", "--tape", str(tmp_path)), "--tape", "does not go with --what-if")
    refused(replay("--what-if", "x.yaml", "--speed", "3"), "--speed", "does not go with --what-if")
    refused(replay("--verify", "--equity", "3"), "--equity", "does not go with --verify")
    refused(replay("--pipeline", "--archive", str(tmp_path)), "--archive", "does not go with --pipeline")


def test_a_pipeline_needs_a_tape_and_a_portfolio(tmp_path: Path) -> None:
    refused(replay("--pipeline", "--policy", portfolio(tmp_path)), "--tape", "needs it")
    refused(replay("--pipeline", "--tape", str(tmp_path)), "--policy", "needs it")
    missing = str(tmp_path / "none")
    refused(replay("--pipeline", "--policy", portfolio(tmp_path), "--tape", missing), "does not exist")


def test_a_pipeline_is_not_for_bars(tmp_path: Path) -> None:
    bars = tmp_path / "BTC_USDT-5m.csv"
    bars.write_text(BARS)
    refused(replay("--pipeline", "--policy", portfolio(tmp_path), "--tape", str(bars)), "BTC_USDT-5m.csv")


def test_a_portfolio_has_to_name_weights_in_the_market_s_currency(tmp_path: Path) -> None:
    computed = (
        "portfolio: core\nquote: USDT\ntargets: {method: inverse_volatility, assets: [BTC, ETH], every: '0 0 * * *'}\n"
    )
    other = "portfolio: core\nquote: USDC\ntargets: {BTC: 0.5, USDC: 0.5}\n"
    for text, words in ((computed, ["targets.method"]), (other, ["quote", "USDC"]), ("portfolio: [", ["core.yaml"])):
        refused(replay("--pipeline", "--policy", portfolio(tmp_path, text), "--tape", str(tmp_path)), *words)


def test_what_is_held_has_to_be_on_the_tape(recording: Path, tmp_path: Path) -> None:
    held = portfolio(tmp_path, PORTFOLIO.replace("BTC", "SOL"))
    refused(replay("--pipeline", "--policy", held, "--tape", str(recording)), "targets.SOL", "BTC/USDT")


def test_another_installation_s_addresses_are_refused(
    recording: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRIMTAB_KAFKA__BOOTSTRAP_SERVERS", "elsewhere:9092")
    found = replay("--pipeline", "--policy", portfolio(tmp_path), "--tape", str(recording))
    refused(found, "TRIMTAB_KAFKA__BOOTSTRAP_SERVERS")
