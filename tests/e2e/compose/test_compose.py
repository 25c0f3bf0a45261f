"""docker-compose.yml as a user runs it: built, started, traded on, a service killed, the bill held to the venue's."""

import json
import os
import shutil
import socket
import subprocess
import time
import urllib.request
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from trimtab.demo.oracle import Verdict, judge
from trimtab.exchange.journal import read_journal

ROOT = Path(__file__).parents[3]
ACCOUNT = "binance-main"
SERVICES = ("ingest", "drift", "executor", "reconciler")

pytestmark = [pytest.mark.compose, pytest.mark.timeout(900)]


class Stack:
    """One compose project of its own, so that a stack somebody runs from the same folder is left alone."""

    def __init__(self) -> None:
        with socket.socket() as first, socket.socket() as second:
            first.bind(("127.0.0.1", 0))
            second.bind(("127.0.0.1", 0))
            self.exchange, self.prometheus = (f"http://127.0.0.1:{each.getsockname()[1]}" for each in (first, second))
        self._environment = os.environ | {
            "TRIMTAB_VERSION": "compose-test",
            "TRIMTAB_EXCHANGE_PORT": self.exchange.rpartition(":")[2],
            "TRIMTAB_PROMETHEUS_PORT": self.prometheus.rpartition(":")[2],
        }

    def compose(self, *words: str, allowed: tuple[int, ...] = (0,)) -> str:
        ended = subprocess.run(
            ["docker", "compose", "--project-name", "trimtab-test", *words],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert ended.returncode in allowed, f"docker compose {' '.join(words)}:\n{ended.stdout}\n{ended.stderr}"
        return ended.stdout

    def trimtab(self, *words: str) -> Any:
        return json.loads(self.compose("run", "--rm", "--no-deps", "-T", "cli", *words, "--json"))

    def inside(self, service: str, *words: str, allowed: tuple[int, ...] = (0,)) -> str:
        return self.compose("exec", "-T", service, *words, allowed=allowed)

    def rows(self, query: str) -> list[list[str]]:
        words = ("postgres", "psql", "-U", "trimtab_owner", "-d", "trimtab", "-At", "-F", " ", "-c", query)
        return [line.split() for line in self.inside(*words).splitlines()]

    def fills(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = json.loads(
            self.inside("reconciler", "trimtab", "fills", "--limit", "100000", "--json")
        )["fills"]
        return found

    def deposit(self, asset: str, amount: str) -> None:
        body = json.dumps({"account": ACCOUNT, "asset": asset, "amount": amount}).encode()
        request = urllib.request.Request(
            f"{self.exchange}/sim/deposit", data=body, headers={"content-type": "application/json"}
        )
        with urllib.request.urlopen(request, timeout=10) as answer:
            assert answer.status == 200


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    assert shutil.which("docker"), "this suite needs a Docker engine with Compose v2"
    stack = Stack()
    try:
        stack.compose("build")
        stack.compose("up", "--detach", "--wait", "--wait-timeout", "300")
        yield stack
    finally:
        print(stack.compose("logs", "--no-color", "--tail", "40", "deploy", *SERVICES, allowed=(0, 1)))  # noqa: T201 - pytest shows it when a test failed
        stack.compose("down", "--volumes", "--timeout", "20", allowed=(0, 1))


def until(what: str, holds: Callable[[], bool], seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"{what} did not happen within {seconds} s"
        time.sleep(1)


def test_everything_that_the_settings_name_is_there_and_as_needed(stack: Stack) -> None:
    found = stack.trimtab("doctor")

    assert found["holds"], found
    assert {check["name"] for check in found["checks"]} >= {"Kafka", "topics", "migrations", "venue accounts"}


def test_services_run_without_root_or_capabilities_on_a_read_only_disk(stack: Stack) -> None:
    for service in SERVICES:
        status = stack.inside(service, "sh", "-c", "grep -E '^(Uid|CapEff|CapBnd|NoNewPrivs):' /proc/self/status")
        values = {line.split(":")[0]: line.split()[1] for line in status.splitlines()}
        assert values == {"Uid": "10001", "CapEff": "0" * 16, "CapBnd": "0" * 16, "NoNewPrivs": "1"}
        stack.inside(service, "touch", "/opt/trimtab/here", allowed=(1,))


def test_a_killed_executor_neither_doubles_an_order_nor_loses_a_fill(stack: Stack, tmp_path: Path) -> None:
    applied = stack.trimtab("apply", "core-60-30-10.yaml")
    assert (applied["version"], applied["applied"]) == (1, True)
    until("the first fill", lambda: len(stack.fills()) >= 1)

    stack.deposit("USDT", "40000")
    # Everything but the container's init, which then ends too: a crash, not a stop, so Docker starts it again.
    stack.inside("executor", "sh", "-c", "kill -9 -1", allowed=(0, 137))
    before = len(stack.fills())
    until("a fill after the kill", lambda: len(stack.fills()) > before)

    stack.trimtab("halt", "--all", "--reason", "the test is over")
    until("rest", lambda: _at_rest(stack.trimtab("status")))
    # The reconciler books a deposit only while nothing of the account is in flight.
    until("the deposit in the ledger", lambda: _verdict(stack, tmp_path / "journal").ledger_equals_venue)
    verdict = _verdict(stack, tmp_path / "journal")
    assert verdict.venue_trades > before
    assert verdict.holds, verdict


def test_everything_that_was_decided_comes_out_again(stack: Stack) -> None:
    found = stack.trimtab("replay", "--verify")

    assert found["faults"] == []
    assert found["matched"] == found["signals"] > 0


def test_prometheus_reaches_every_service(stack: Stack) -> None:
    def all_up() -> bool:
        with urllib.request.urlopen(f"{stack.prometheus}/api/v1/query?query=up", timeout=10) as answer:
            values = {found["metric"]["instance"]: found["value"][1] for found in json.load(answer)["data"]["result"]}
        return values == {f"{service}:9100": "1" for service in SERVICES} | {"registry:9000": "1"}

    until("a look at every service", all_up, seconds=60)


def _at_rest(status: dict[str, Any]) -> bool:
    quiet = all(each["open_parents"] == 0 for each in status["portfolios"])
    reserved = any(Decimal(held["reserved"]) for each in status["portfolios"] for held in each["holdings"])
    return quiet and not reserved and status["outbox_lag_seconds"] == 0


def _verdict(stack: Stack, journal: Path) -> Verdict:
    """Hold ledger and topic to what the exchange itself wrote down."""
    journal.write_text(stack.inside("exchange", "cat", "/tmp/journal"))
    trades = stack.rows("SELECT account, trade_id FROM ledger.fill")
    asked = stack.rows(
        "SELECT client_order_id, parent_id, parent_order.quantity"
        " FROM ledger.child_order JOIN ledger.parent_order USING (parent_id)"
    )
    status = stack.trimtab("status")
    sums: dict[str, Decimal] = {}
    for held in [*status["unallocated"], *(held for each in status["portfolios"] for held in each["holdings"])]:
        sums[held["asset"]] = sums.get(held["asset"], Decimal(0)) + Decimal(held["posted"])
    return judge(
        read_journal(journal),
        [(account, trade_id) for account, trade_id in trades],
        [(fill["account"], fill["trade_id"]) for fill in stack.fills()],
        {ACCOUNT: sums},
        {order: (parent, Decimal(quantity)) for order, parent, quantity in asked},
    )
