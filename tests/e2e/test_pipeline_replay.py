"""A pipeline replay as a user runs it: the whole line and a backtest on the first half minute of a recording."""

import gzip
import json
import subprocess
import sys
from itertools import islice
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(240)]

RECORDINGS = Path(__file__).parents[3] / "shared" / "data" / "hftbacktest"
LINES = 5_000
PORTFOLIO = """
portfolio: tight
quote: USDT
targets: {BTC: 0.50, ETH: 0.30, USDT: 0.20}
policy: {kind: threshold, absolute: 0.00002}
limits: {min_trade: 5, signals_per_hour: 3600}
"""


def test_line_and_backtest_agree_but_for_what_has_a_cause(tmp_path: Path) -> None:
    tape, home = tmp_path / "tape", tmp_path / "home"
    tape.mkdir()
    for name in ("btcusdt_20240808.gz", "ethusdt_20240808.gz"):
        if not (RECORDINGS / name).is_file():
            pytest.skip(f"needs ../shared/data/hftbacktest/{name}, which is not there")
        with gzip.open(RECORDINGS / name, "rb") as whole, gzip.open(tape / name, "wb") as part:
            part.writelines(islice(whole, LINES))
    policy = tmp_path / "tight.yaml"
    policy.write_text(PORTFOLIO)

    asked = [
        "--tape",
        str(tape),
        "--policy",
        str(policy),
        "--equity",
        "1000000",
        "--folder",
        str(home),
        "--json",
    ]
    command = [sys.executable, "-m", "trimtab.cli", "replay", "--pipeline", *asked]
    run = subprocess.run(command, capture_output=True, text=True, timeout=200, check=False)
    assert run.returncode == 0, f"exit {run.returncode}\n{run.stdout[-6000:]}\n{run.stderr[-6000:]}"
    leftovers = [p for p in psutil.process_iter(["cmdline"]) if str(home) in " ".join(p.info["cmdline"] or [])]
    assert leftovers == []

    found = json.loads(run.stdout)
    assert found["agrees"] is True
    assert found["replay"]["matched"] == found["replay"]["signals"] == found["signals"]["pipeline"] > 1
    for kind in ("signals", "orders", "fills"):
        row = found[kind]
        assert row["unexplained"] == 0
        assert row["pipeline"] > 0
        told = [each for each in found["differences"] if each["kind"] == kind.removesuffix("s")]
        assert len(told) == row["explained"]
        assert all(cause["name"] and cause["evidence"] for each in told for cause in each["causes"])
        assert row["equal"] + row["explained"] >= max(row["pipeline"], row["engine"])
    # How many are equal depends on how fast the machine is just then; but they begin with the same holdings and books.
    assert found["signals"]["equal"] > 0, "some signals are the same on both"
    assert (home / "archive" / "archive.json").is_file()
