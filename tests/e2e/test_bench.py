"""The benchmarks as a user runs them, shortly: what they print, not how fast anything was."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from trimtab.bench import exchange, ledger
from trimtab.bench.suite import ALLOWED

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(420)]

SERVICES = {"ingest", "drift", "executor", "reconciler", "exchange", "kafka", "registry", "postgres"}


def test_ticks_are_timed_beside_their_floor_and_every_process_is_weighed(tmp_path: Path) -> None:
    written = tmp_path / "var" / "bench.json"
    command = [sys.executable, "-m", "trimtab.cli", "bench", "--json", "--seconds", "15"]
    command += ["--folder", str(tmp_path / "line"), "--write", str(written), "tick_to_order", "processes"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert run.returncode == 0, run.stderr[-6000:]
    document = json.loads(run.stdout)
    assert json.loads(written.read_text()) == document
    measures: dict[str, dict[str, Any]] = {measure["name"]: measure for measure in document["measures"]}
    for measure in measures.values():
        assert set(measure) == {"name", "value", "unit", "against", "ratio", "goal", "met"}
    assert measures["tick_to_order.orders"]["value"] > 0
    assert measures["tick_to_order.floor_samples"]["value"] > 0
    path = measures["tick_to_order.p99"]
    assert path["against"]["what"] == "two bare Kafka hops, one commit, one HTTP round trip, p99"
    assert path["value"] > 0
    assert (path["goal"], path["met"]) == (2.0, path["ratio"] <= 2.0)
    assert {name.removeprefix("memory.") for name in measures if name.startswith("memory.")} == SERVICES | {"all"}
    assert {name.removeprefix("start.") for name in measures if name.startswith("start.")} == SERVICES


def test_a_portfolios_month_is_read_whole_out_of_all_of_them() -> None:
    told: list[str] = []
    rows = ledger.measure(lambda event: told.append(event.text), ledger.Size(fills=1_200, portfolios=4), reads=8)
    measures = {row.name: row.document() for row in rows}
    assert measures["ledger.journal"]["value"] == 7_200
    assert measures["ledger.month_rows"]["value"] == 1_200 / 4 * 3  # of a fill's six postings three are the portfolio's
    for name in ("ledger.month.p50", "ledger.month.p99"):
        assert measures[name]["value"] > 0
        assert measures[name]["against"]["what"].startswith("a bare index scan that returns as many rows, p")
        assert measures[name]["ratio"] > 0
    within = measures["ledger.month_within"]
    assert (within["value"], within["goal"]) == (measures["ledger.month.p99"]["value"], 50.0)
    assert within["met"] is (within["value"] <= 50.0)
    assert "writing a journal of 7,200 postings" in told


def test_the_exchange_is_put_under_load_beside_a_bare_server() -> None:
    measures = {row.name: row.document() for row in exchange.measure(seconds=0.5)}
    latencies = [f"exchange.order_{how}.{p}" for how in ("flat_out", "at_1000") for p in ("p50", "p99")]
    against = ["exchange.orders", "exchange.orders_at_1000", "exchange.book_messages", *latencies]
    against += ["exchange.order_cpu", "exchange.book_message_cpu"]
    assert measures.keys() == {*against, "exchange.order", "exchange.book_message", "exchange.orders_refused"}
    for name in against:
        assert measures[name]["value"] > 0
        assert measures[name]["against"]["what"].startswith("a constant of a bare aiohttp server")
        assert measures[name]["ratio"] > 0
    for name, goal in (("exchange.order", 1_000.0), ("exchange.book_message", 200.0)):
        assert measures[name]["goal"] == goal
        assert measures[name]["met"] is (measures[name]["value"] <= goal)
    assert measures["exchange.orders_refused"]["value"] == 0


def test_a_name_that_is_none_is_a_usage_error() -> None:
    command = [sys.executable, "-m", "trimtab.cli", "bench", "--json", "speed"]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert run.returncode == 2
    assert f"'speed'; allowed: {', '.join(ALLOWED)}" in run.stderr
