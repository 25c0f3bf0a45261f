"""A backtest on recorded books: the first seconds of a real recording."""

import gzip
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest
from backtest_tapes import write_portfolio

from trimtab.backtest.fees import Fees
from trimtab.backtest.field import contestants
from trimtab.backtest.outcome import Outcome
from trimtab.backtest.run import Run
from trimtab.backtest.tape import open_tape
from trimtab.documents import load_document
from trimtab.settings import Settings

RECORDINGS = Path(__file__).parents[3].parent / "shared" / "data" / "hftbacktest"
LINES = 6_000
PORTFOLIO = """
portfolio: two
quote: USDT
targets: {BTC: 0.6, ETH: 0.3, USDT: 0.1}
policy: {kind: threshold, absolute: 0.00005}
limits: {min_trade: 5}
"""


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    folder = tmp_path / "recording"
    folder.mkdir()
    for name in ("btcusdt_20240808.gz", "ethusdt_20240808.gz"):
        file = RECORDINGS / name
        if not file.is_file():
            pytest.skip(f"needs ../shared/data/hftbacktest/{name}, which is not there")
        with gzip.open(file, "rb") as whole, gzip.open(folder / name, "wb") as part:
            part.writelines(islice(whole, LINES))
    return folder


def play(recording: Path, tmp_path: Path) -> Outcome:
    field = contestants(load_document(write_portfolio(tmp_path, PORTFOLIO)), ["buy_and_hold"])
    run = Run(Decimal(1_000_000), Fees(), Settings())
    traded, held = run.play(open_tape([recording]), field, lambda _: None)
    assert held.bill.orders == 0
    return traded


def test_it_trades_on_recorded_books_and_comes_out_the_same_again(recording: Path, tmp_path: Path) -> None:
    """That ledger and engine agree in the end is seen to by every run itself."""
    found = play(recording, tmp_path)
    assert found == play(recording, tmp_path)
    assert found.bill.orders > 1
    assert found.bill.fills > 0
    assert found.bill.fees == pytest.approx(found.bill.traded / 1_000, rel=Decimal("0.001"))
    # Mostly makers, who earn what takers pay: both are within the spread of the moment, and small beside fees.
    assert abs(found.bill.spread) + abs(found.bill.impact) < found.bill.fees / 10
