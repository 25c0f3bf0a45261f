"""Real processes, killed by SIGKILL between any two steps of an order: nothing doubled, nothing lost, all told once."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from drift_pipeline import Reading
from exchange_process import Running
from trading_floor import FAST, Floor, open_floor

from ledger_worlds import PORTFOLIO, LedgerWorld, Tape
from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.adapters.postgres.connections import pool_of
from trimtab.adapters.postgres.ledger import PostgresLedger
from trimtab.adapters.postgres.outbox import Desk
from trimtab.adapters.postgres.sessions import Sessions
from trimtab.domain.orders import Side
from trimtab.messages import Message
from trimtab.settings import Settings

pytestmark = pytest.mark.integration

PLACE = "POST /api/v3/order"
TOPICS = ("execution.fills", "execution.parents", "execution.orders", "portfolio.state")


@dataclass
class TopicWorld(LedgerWorld):
    """A ledger whose messages are what stands in the topics."""

    readings: Sequence[Reading] = ()

    def emitted(self) -> list[Message]:
        for reading in self.readings:
            while reading.more(0.05):
                pass
        return [record.message for reading in self.readings for record in reading.records]


@dataclass
class Line(Floor):
    """A floor whose executor and reconciler are processes; frames and signals reach them through Kafka."""

    publisher: KafkaPublisher | None = None
    settings_file: Path = Path()
    processes: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    async def show_frame(self) -> None:
        if self.publisher is not None:
            self.publisher.publish_nowait(await self.frame())

    def start(self, name: str) -> None:
        """Start `executor` or `reconciler`; it is waited for by what it does."""
        inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRIMTAB_")}
        environment = inherited | {"TRIMTAB_SETTINGS": str(self.settings_file)}
        with (self.settings_file.parent / f"{name}.log").open("ab") as log:
            self.processes[name] = subprocess.Popen(
                [sys.executable, "-m", f"trimtab.{name}"], env=environment, stdout=log, stderr=log
            )

    def kill(self, name: str) -> None:
        self.processes[name].send_signal(signal.SIGKILL)
        self.processes[name].wait()

    async def send(self, *trades: Any) -> None:
        assert self.publisher is not None
        await self.publisher.publish(self.signal(*trades))

    def said(self) -> str:
        return "\n".join(log.read_text()[-3_000:] for log in self.settings_file.parent.glob("*.log"))


def _write_settings(line: Line, stack: Settings, dsn: str, executor: dict[str, Any]) -> None:
    venue = line.settings.venues["binance"].model_dump(mode="json")
    accounts = {
        name: {"venue": "binance", "api_key": key, "secret": secret}
        for name, account in line.settings.accounts.items()
        for key, secret in [account.credentials()]
        if name == line.account
    }
    document = {
        "kafka": stack.kafka.model_dump(mode="json"),
        "registry": stack.registry.model_dump(mode="json"),
        "postgres": {"dsn": dsn},
        "venues": {"binance": venue},
        "accounts": accounts,
        "executor": executor,
        "reconciler": {"missed_fill_after_ms": 500, "compare_interval_seconds": 1},
    }
    line.settings_file.touch(mode=0o600)
    line.settings_file.write_text(yaml.safe_dump(json.loads(json.dumps(document, default=str))))


@pytest.fixture
async def line(
    still_exchange: Running, settings: Settings, codec: Codec, database: str, tmp_path: Path
) -> AsyncIterator[Line]:
    """An executor that crosses at once and a reconciler, both processes, on the test's own topics and database."""
    async with AsyncExitStack() as stack:
        readings = [Reading(settings, codec, topic) for topic in TOPICS]
        for reading in readings:
            stack.callback(reading.close)
        sessions = Sessions(await stack.enter_async_context(pool_of(database, 4)), "the test's database")
        ledger = PostgresLedger(sessions, Desk("test", codec))
        world = TopicWorld(database, Tape(), {}, ledger, ledger, ledger, readings)
        publisher = KafkaPublisher(settings.kafka, codec)
        stack.push_async_callback(publisher.close)
        opened: Line = await stack.enter_async_context(open_floor(still_exchange, world, kind=Line))
        opened.settings_file = tmp_path / "settings.yaml"
        _write_settings(opened, settings, database, FAST | {"patience_seconds": 1e-6})
        opened.publisher = publisher
        opened.start("reconciler")
        opened.start("executor")
        try:
            yield opened
        finally:
            for process in opened.processes.values():
                process.kill()
                process.wait()


async def _settled(line: Line, orders: int) -> None:
    """Wait until the order's parent is released and everything is told; then hold all against the journal."""
    await line.until(lambda: len(line.parents()) == 1, f"the signal is accepted: {line.said()}")
    await line.until(line.at_rest, "settled")
    unsent = "SELECT 1 FROM ledger.outbox WHERE sent_at IS NULL"
    await line.until(lambda: not line.world.ask(unsent), "everything is told")
    await line.holds()
    placed = [o for o in line.journal().orders.values() if o.account == line.account]
    assert len(placed) == orders
    assert [child["state"] for child in line.children()][-1] == "filled"
    assert len(line.fills()) == len({fill.trade_id for fill in line.fills()}) > 0
    assert line.closings() == {line.parents()[0]["parent_id"]: "filled"}


async def _restart(line: Line) -> None:
    line.kill("executor")
    line.start("executor")


def _kill_once(line: Line, endpoint: str) -> Any:
    """Return a hook that kills the executor at the first request to an endpoint."""
    killed = asyncio.Event()

    def hook(asked: str) -> None:
        if asked == endpoint and not killed.is_set():
            killed.set()
            line.kill("executor")

    return hook, killed


async def test_killed_after_the_commit_and_before_the_exchange_has_the_order(line: Line) -> None:
    hook, killed = _kill_once(line, PLACE)
    line.gateway.before = hook
    line.gateway.strike(PLACE, "swallow")
    await line.send(await line.trade(Side.BUY, "0.01"))
    await asyncio.wait_for(killed.wait(), 60)
    assert [child["state"] for child in line.children()] == ["submitted"]
    line.start("executor")
    await _settled(line, orders=1)
    first, *_ = line.children()
    assert (first["state"], first["reason"]) == ("rejected", "absent at the venue")


async def test_killed_between_the_exchange_and_its_answer(line: Line) -> None:
    hook, killed = _kill_once(line, PLACE)
    line.gateway.after = hook
    await line.send(await line.trade(Side.BUY, "0.01"))
    await asyncio.wait_for(killed.wait(), 60)
    # the executor has not heard the answer; what the user stream told the reconciler meanwhile may stand there already
    (state,) = (child["state"] for child in line.children())
    assert state in {"submitted", "accepted", "partially_filled", "filled"}
    line.start("executor")
    await _settled(line, orders=1)
    assert len(line.children()) == 1


async def test_killed_while_the_order_is_on_its_way_and_it_arrives_afterwards(line: Line) -> None:
    await line.fault("latency", latency_ms=1_000)
    await line.send(await line.trade(Side.BUY, "0.01"))
    await line.until(lambda: line.gateway.times(PLACE), "sent")
    await _restart(line)
    await _settled(line, orders=1)
    assert len(line.children()) == 1


async def test_killed_between_the_answer_and_the_topics(line: Line) -> None:
    """An older message of the portfolio is held back, so that nothing of it can leave; then the executor dies."""
    async with line.world.cli.transaction() as book:
        await book.bump(PORTFOLIO, "held back", 0)
    with psycopg.connect(line.world.dsn) as holding:
        held = "SELECT id FROM ledger.outbox WHERE sent_at IS NULL AND key = 'core' ORDER BY id FOR UPDATE"
        assert holding.execute(held.encode()).fetchall()
        await line.send(await line.trade(Side.BUY, "0.01"))
        booked = "SELECT 1 FROM ledger.fill"
        await line.until(lambda: line.world.ask(booked), "filled")
        assert line.fills() == []
        line.kill("executor")
    line.start("executor")
    await _settled(line, orders=1)


async def test_killed_again_and_again_while_it_works(line: Line) -> None:
    for number in range(3):
        await line.until(line.at_rest, f"at rest before signal {number}: {line.said()}")
        side = Side.SELL if number % 2 else Side.BUY
        await line.send(await line.trade(side, "0.3", f"trade {number}"))
        await asyncio.sleep(0.15 * number)
        await _restart(line)
        await line.until(lambda n=number: len(line.parents()) == n + 1, f"accepted: {line.said()}")
    await line.until(line.at_rest, "settled")
    await line.holds()
