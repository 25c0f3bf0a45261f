"""The relay: every message once and in order per key, whoever wrote it, whoever dies, whoever else relays."""

import asyncio
from collections.abc import Mapping

import pytest

from ledger_worlds import NOW_US, PORTFOLIO, LedgerWorld
from trimtab.adapters.postgres.ledger import PostgresLedger
from trimtab.adapters.postgres.relay import Place, Relay
from trimtab.domain.errors import UnreachableError

STALE_SECONDS = 0.3


class Broker:
    """One partition a topic, and a switch for each way to fail."""

    def __init__(self) -> None:
        self.log: list[tuple[str, bytes, bytes, list[tuple[str, bytes]]]] = []
        self.reads: list[tuple[str, Mapping[int, int]]] = []
        self.refuse_after: int | None = None
        self.lose_answer = False
        self.pause: asyncio.Event | None = None

    async def send(self, topic: str, key: bytes, payload: bytes, headers: list[tuple[str, bytes]]) -> Place:
        if self.pause is not None:
            await self.pause.wait()
        await asyncio.sleep(0)
        if self.refuse_after is not None and len(self.log) >= self.refuse_after:
            raise UnreachableError("Kafka", "test", "refused")
        self.log.append((topic, key, payload, headers))
        if self.lose_answer:
            raise UnreachableError("Kafka", "test", "no answer")
        return 0, len(self.log) - 1

    async def find(self, topic: str, after: Mapping[int, int]) -> dict[str, Place]:
        self.reads.append((topic, dict(after)))
        return {
            dict(headers)["event-id"].decode(): (0, offset)
            for offset, (name, _, _, headers) in enumerate(self.log)
            if name == topic and offset > after.get(0, -1)
        }

    def payloads(self) -> list[str]:
        return [payload.decode() for _, _, payload, _ in self.log]


@pytest.fixture
def broker() -> Broker:
    return Broker()


def relay_of(world: LedgerWorld, broker: Broker, role: str = "executor", writer: str | None = None) -> Relay:
    return Relay(
        world.sessions[role],
        writer or f"{role}-1",
        broker.send,
        broker.find,
        stale_seconds=STALE_SECONDS,
        sweep_seconds=0.1,
    )


async def write(ledger: PostgresLedger, count: int, portfolio_id: str = PORTFOLIO) -> None:
    async with ledger.transaction() as book:
        for number in range(count):
            await book.bump(portfolio_id, f"test {number}", NOW_US)


def written(world: LedgerWorld) -> list[str]:
    return [str(row["event_id"]) for row in world.ask("SELECT event_id FROM ledger.outbox ORDER BY id")]


async def test_own_messages_leave_in_order_with_their_place_and_id(funded: LedgerWorld, broker: Broker) -> None:
    relay = relay_of(funded, broker, "cli")
    await write(funded.cli, 3)
    assert await relay.drain() == 4
    assert broker.payloads() == written(funded)
    assert {(topic, key) for topic, key, _, _ in broker.log} == {("portfolio.state", PORTFOLIO.encode())}
    rows = funded.ask("SELECT event_id, sent_partition, sent_offset, sent_at FROM ledger.outbox ORDER BY id")
    assert [(row["sent_partition"], row["sent_offset"]) for row in rows] == [(0, 0), (0, 1), (0, 2), (0, 3)]
    assert dict(broker.log[0][3])["event-id"].decode() == rows[0]["event_id"]
    assert await relay.drain() == 0
    assert broker.reads == []  # the usual path never reads back


async def test_a_fresh_message_of_another_process_is_left_to_it(funded: LedgerWorld, broker: Broker) -> None:
    other = relay_of(funded, broker, "executor")
    await write(funded.cli, 2)
    assert await other.drain() == 0
    await asyncio.sleep(STALE_SECONDS * 1.5)
    assert await other.drain() == 3
    assert broker.reads != []
    assert broker.payloads() == written(funded)


async def test_own_messages_behind_anothers_wait_their_turn(funded: LedgerWorld, broker: Broker) -> None:
    await write(funded.executor, 1)  # behind the row that the command line wrote when it applied the portfolio
    executor, cli = relay_of(funded, broker, "executor"), relay_of(funded, broker, "cli")
    assert await executor.drain() == 0
    assert await cli.drain() == 2  # nobody can have sent what stands behind its own
    assert broker.payloads() == written(funded)


async def test_a_crash_after_publishing_publishes_nothing_twice(funded: LedgerWorld, broker: Broker) -> None:
    await write(funded.cli, 3)
    first, second = written(funded)[:2]
    for event_id in (first, second):  # published, then the process died before it could mark them
        await broker.send("portfolio.state", PORTFOLIO.encode(), event_id.encode(), [("event-id", event_id.encode())])
    await asyncio.sleep(STALE_SECONDS * 1.5)
    assert await relay_of(funded, broker, "cli", writer="cli-2").drain() == 4
    assert broker.payloads() == written(funded)
    rows = funded.ask("SELECT sent_offset FROM ledger.outbox ORDER BY id")
    assert [row["sent_offset"] for row in rows] == [0, 1, 2, 3]


async def test_an_answer_that_is_lost_is_looked_for(funded: LedgerWorld, broker: Broker) -> None:
    relay = relay_of(funded, broker, "cli")
    await write(funded.cli, 1)
    broker.lose_answer = True
    with pytest.raises(UnreachableError):
        await relay.drain()
    broker.lose_answer = False
    assert await relay.drain() == 2
    assert broker.payloads() == written(funded)


async def test_what_was_acknowledged_before_a_failure_is_marked(funded: LedgerWorld, broker: Broker) -> None:
    relay = relay_of(funded, broker, "cli")
    await write(funded.cli, 3)
    broker.refuse_after = 2
    with pytest.raises(UnreachableError):
        await relay.drain()
    assert len(funded.ask("SELECT id FROM ledger.outbox WHERE sent_at IS NOT NULL")) == 2
    broker.refuse_after = None
    assert await relay.drain() == 2
    assert broker.payloads() == written(funded)


async def test_two_relays_never_hold_the_same_key(funded: LedgerWorld, broker: Broker) -> None:
    await write(funded.cli, 3)
    broker.pause = asyncio.Event()
    first = asyncio.create_task(relay_of(funded, broker, "cli").drain())
    await asyncio.sleep(STALE_SECONDS * 1.5)  # stale for everybody by now, but held
    assert await relay_of(funded, broker, "executor").drain() == 0
    await write(funded.executor, 2)
    assert await relay_of(funded, broker, "executor").drain() == 0
    broker.pause.set()
    await first
    await relay_of(funded, broker, "executor").drain()
    assert broker.payloads() == written(funded)


async def test_many_relays_and_writers_keep_the_order_of_every_key(funded: LedgerWorld, broker: Broker) -> None:
    portfolios = [PORTFOLIO, "p1", "p2", "p3"]
    for portfolio_id in portfolios[1:]:
        await funded.add_portfolio(portfolio_id)
    relays = {role: relay_of(funded, broker, role) for role in ("cli", "executor", "reconciler")}
    running = [asyncio.create_task(relay.run()) for relay in relays.values()]
    writers = {"cli": funded.cli, "executor": funded.executor, "reconciler": funded.reconciler}

    async def work(role: str, number: int) -> None:
        await write(writers[role], 2, portfolios[number % 4])
        relays[role].notify()

    await asyncio.gather(*(work(role, number) for number in range(12) for role in writers))
    for _ in range(200):
        if not funded.ask("SELECT id FROM ledger.outbox WHERE sent_at IS NULL"):
            break
        await asyncio.sleep(0.05)
    for task in running:
        task.cancel()
    assert sorted(broker.payloads()) == sorted(written(funded))
    for portfolio_id in portfolios:
        rows = funded.ask("SELECT event_id FROM ledger.outbox WHERE key = %s ORDER BY id", portfolio_id)
        sent = [payload.decode() for _, key, payload, _ in broker.log if key == portfolio_id.encode()]
        assert sent == [row["event_id"] for row in rows]


async def test_reading_back_begins_after_what_was_sent_long_before(funded: LedgerWorld, broker: Broker) -> None:
    await relay_of(funded, broker, "cli").drain()
    await write(funded.cli, 1)
    # As if the first message had left an hour before the second was written, and that one were old by now.
    with_triggers = "ALTER TABLE ledger.outbox {} TRIGGER outbox_is_marked_once"
    funded.ask(with_triggers.format("DISABLE"))
    funded.ask("UPDATE ledger.outbox SET sent_at = sent_at - interval '1 hour' WHERE sent_at IS NOT NULL")
    funded.ask(with_triggers.format("ENABLE"))
    await asyncio.sleep(STALE_SECONDS * 1.5)
    assert await relay_of(funded, broker, "executor").drain() == 1
    assert broker.reads == [("portfolio.state", {0: 0})]
