import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Any

import pytest
import structlog

from trimtab.domain.market import Market
from trimtab.executor.accounts import AccountWatch
from trimtab.executor.desk import Desk
from trimtab.executor.sending import Sender
from trimtab.executor.work import Work
from trimtab.ports.ledger import Fence
from trimtab.ports.metrics import Unmetered
from trimtab.ports.venue import Reconnected
from trimtab.settings import ExecutorSettings

ACCOUNT = "main"


class Clock:
    def now_us(self) -> int:
        return 0

    async def sleep(self, _: float) -> None:
        await asyncio.sleep(0.001)


class Ledger:
    """Has no orders, and a lease that a test gives and takes."""

    def __init__(self) -> None:
        self.free = True
        self.looked_up = 0

    async def lease(self, resource: str, *_: object) -> Fence | None:
        await asyncio.sleep(0)
        return Fence(resource, 1) if self.free else None

    async def open_children(self, _: str) -> list[Any]:
        self.looked_up += 1
        return []

    @asynccontextmanager
    async def transaction(self) -> Any:
        yield None


class Streams:
    """A venue whose streams bring an event a millisecond and say when they end; nobody else collects them."""

    name, account = "binance", ACCOUNT

    def __init__(self) -> None:
        self.opened: list[AsyncGenerator[Reconnected, None]] = []
        self.ended = 0

    def reports(self) -> AsyncGenerator[Reconnected, None]:
        self.opened.append(self._reports())
        return self.opened[-1]

    async def _reports(self) -> AsyncGenerator[Reconnected, None]:
        try:
            while True:
                yield Reconnected(self.account)
                await asyncio.sleep(0.001)
        finally:
            self.ended += 1


def watching(ledger: Ledger, venue: Streams) -> AccountWatch:
    log: Any = structlog.wrap_logger(None, processors=[structlog.testing.LogCapture()])
    ports: Any = (ledger, {ACCOUNT: venue}, None, Market, Clock(), Unmetered(), None, log, ExecutorSettings())
    desk = Desk(*ports)
    sender = Sender(desk)
    return AccountWatch(desk, sender, Work(desk, sender), venue, "executor-1")  # type: ignore[arg-type]  # half a venue


async def until(holds: Any) -> None:
    async with asyncio.timeout(10):
        while not holds():  # noqa: ASYNC110 - what is waited for has no event
            await asyncio.sleep(0.001)


async def test_who_loses_the_lease_leaves_the_stream_to_the_next_reader() -> None:
    ledger, venue = Ledger(), Streams()
    running = asyncio.create_task(watching(ledger, venue).run())
    await until(lambda: ledger.looked_up > 2)
    ledger.free = False
    await until(lambda: venue.ended == 1)
    assert len(venue.opened) == 1
    ledger.free = True
    await until(lambda: len(venue.opened) == 2)
    assert venue.ended == 1
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert venue.ended == 2


async def test_a_stream_that_breaks_on_an_event_is_closed_before_the_next_one_is_opened() -> None:
    ledger, venue = Ledger(), Streams()
    watch = watching(ledger, venue)
    failures = [RuntimeError("once")]

    async def stumble(_: object) -> None:
        if failures:
            raise failures.pop()

    watch._take = stumble  # type: ignore[method-assign]  # a mistake of ours
    running = asyncio.create_task(watch.run())
    await until(lambda: len(venue.opened) == 2)
    assert venue.ended == 1
    running.cancel()
    await asyncio.wait([running])
    assert (running.cancelled(), venue.ended) == (True, 2)
