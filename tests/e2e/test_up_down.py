"""`trimtab up` and `down` as a user runs them: everything left running, stopped, started again, and the books kept."""

import json
import os
import subprocess
import sys
import time
from decimal import Decimal
from pathlib import Path
from typing import Any

import psutil
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(400)]

PORTFOLIO = Path(__file__).parents[2] / "deploy" / "compose" / "portfolios" / "core-60-30-10.yaml"


def trimtab(*words: str, settings: str = "") -> dict[str, Any]:
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIMTAB_")}
    ended = subprocess.run(
        [sys.executable, "-m", "trimtab.cli", *words, "--json"],
        env=clean | ({"TRIMTAB_SETTINGS": settings} if settings else {}),
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, f"{words}: {ended.returncode}\n{ended.stdout}\n{ended.stderr}"
    found: dict[str, Any] = json.loads(ended.stdout)
    return found


def holdings(settings: str) -> dict[str, Decimal]:
    (portfolio,) = trimtab("status", settings=settings)["portfolios"]
    return {held["asset"]: Decimal(held["posted"]) for held in portfolio["holdings"]}


def processes_of(folder: Path) -> list[psutil.Process]:
    return [each for each in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(each.info["cmdline"] or [])]


def explained_rows(settings: str) -> dict[str, str]:
    return {row["term"]: row["value"] for row in trimtab("explain", "core-60-30-10", settings=settings)["rows"]}


def test_the_books_outlive_everything_that_writes_them(tmp_path: Path) -> None:
    folder = ("--folder", str(tmp_path))
    try:
        settings = trimtab("up", *folder, "--volatility", "20")["settings"]
        assert trimtab("doctor", settings=settings)["holds"]
        trimtab("apply", str(PORTFOLIO), settings=settings)
        deadline = time.monotonic() + 90
        while not (before := trimtab("fills", settings=settings)["fills"]):
            assert time.monotonic() < deadline, "no fill within 90 s"
            time.sleep(1)
        explained = trimtab("explain", "core-60-30-10", settings=settings)
        assert {term["asset"] for term in explained["decision"]["terms"]} == {"BTC", "ETH", "USDT"}
        assert trimtab("down", *folder)["stopped"]
        assert processes_of(tmp_path) == []

        settings = trimtab("up", *folder, "--volatility", "20")["settings"]
        (portfolio,) = trimtab("status", settings=settings)["portfolios"]
        assert not portfolio["halted"]
        after = trimtab("fills", "--limit", "100000", settings=settings)["fills"]
        assert {fill["event_id"] for fill in before} <= {fill["event_id"] for fill in after}
        assert set(holdings(settings)) == {"BTC", "ETH", "USDT"}
        while (rows := explained_rows(settings))["costs"] == "-1":
            assert time.monotonic() < deadline + 180, "no costs from fills within two minutes more"
            time.sleep(1)
        told = {term: Decimal(value) for term, value in rows.items() if term.endswith(("maker", "taker"))}
        assert told
        assert all(abs(value - Decimal("0.001")) < Decimal("0.00001") for value in told.values())  # as it states
    finally:
        trimtab("down", *folder)
    assert processes_of(tmp_path) == []
