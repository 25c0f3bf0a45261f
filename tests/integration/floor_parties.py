"""Executor and reconciler as their `__main__`s wire them, on a trading floor's ledger, market and venue."""

import asyncio
import io
from collections.abc import Awaitable, Callable, Sequence
from typing import TYPE_CHECKING, Any

from trimtab.adapters.clock import SystemClock
from trimtab.adapters.metrics import PrometheusMeter
from trimtab.adapters.tracing import BaggageTrail
from trimtab.adapters.venues.registry import OpenAccount, open_account
from trimtab.executor.accounts import AccountWatch
from trimtab.executor.desk import Desk
from trimtab.executor.intake import Intake
from trimtab.executor.market import MarketView
from trimtab.executor.ownership import Ownership
from trimtab.executor.sending import Sender
from trimtab.executor.work import Work
from trimtab.messages import Signal
from trimtab.ports.topics import Record
from trimtab.ports.venue import Reconnected
from trimtab.reconciler.comparing import Comparing
from trimtab.reconciler.settling import Settling
from trimtab.settings import ExecutorSettings, ReconcilerSettings

if TYPE_CHECKING:
    from trading_floor import Floor

SHARD = 3
ENDING_SECONDS_MAX = 15.0


async def ended(tasks: Sequence[asyncio.Task[None]]) -> None:
    """Cancel tasks, once, as a shutdown does; every one of them has to end."""
    for task in tasks:
        task.cancel()
    if not tasks:
        return
    _, alive = await asyncio.wait(tasks, timeout=ENDING_SECONDS_MAX)
    stacks = io.StringIO()
    for task in alive:
        task.print_stack(file=stacks)
    assert not alive, f"goes on after its cancellation:\n{stacks.getvalue()}"


class Executor:
    """One executor: everything its `__main__` wires, on the floor's ledger and frames. `crash` drops it as it is."""

    def __init__(
        self, floor: "Floor", name: str, accounts: Sequence[str], settings: ExecutorSettings, *, deaf: bool = False
    ) -> None:
        self._deaf = deaf
        self.meter = PrometheusMeter()
        self.view = MarketView()
        self.venues = {account: open_account(account, floor.settings) for account in accounts}
        self.ownership = Ownership(floor.world.executor, name)
        self.desk = Desk(
            floor.world.executor,
            self.venues,
            self.ownership,
            self.view.market,
            SystemClock(),
            self.meter,
            BaggageTrail(),
            floor.log,
            settings,
        )
        self.sender = Sender(self.desk)
        self.work = Work(self.desk, self.sender)
        self.intake = Intake(self.desk, self.sender, self.work)
        self.on_frame = self.view.then(self.work.on_frame)
        self.watches = [AccountWatch(self.desk, self.sender, self.work, venue, name) for venue in self.venues.values()]
        self.following = asyncio.Event()  # set once a user stream flows and what it missed is looked up
        for watch in self.watches:
            watch._take = self._noticing(watch._take)  # type: ignore[method-assign]  # to know when it begins
        self._tasks: list[asyncio.Task[None]] = []

    def _noticing(self, take: Callable[[Any], Awaitable[None]]) -> Callable[[Any], Any]:
        async def noticed(event: Any) -> None:
            await take(event)
            if isinstance(event, Reconnected):
                self.following.set()

        return noticed

    async def start(self, shards: Sequence[int] = (SHARD,)) -> None:
        await self.ownership.take(shards)
        loops: list[Awaitable[None]] = [self.work.follow()]
        for watch in self.watches:
            loops += [watch.hold_lease(), watch.look_up_lost()]
            if not self._deaf:
                loops.append(watch.follow_stream())
        self._tasks = [asyncio.ensure_future(loop) for loop in loops]

    async def crash(self) -> None:
        """End every loop and every request where it stands."""
        tasks = [*self._tasks, *self.work._tasks]
        self._tasks = []
        await ended(tasks)
        for venue in self.venues.values():
            await venue.close()

    async def take(self, signal: Signal, shard: int = SHARD) -> None:
        """Hand a signal over, as the consumer does."""
        await self.intake.handle(Record(signal, "rebalance.signals", shard, 0))

    def measured(self, name: str, **labels: str) -> float:
        return self.meter.registry.get_sample_value(name, labels) or 0.0


class Reconciler:
    """The reconciler's own code. Settling sweeps many times a second; comparisons happen when a test asks."""

    def __init__(self, floor: "Floor", venue: OpenAccount, settings: ReconcilerSettings) -> None:
        self.meter = PrometheusMeter()
        self.venue = venue
        ledger, clock = floor.world.reconciler, SystemClock()
        self.settling = Settling(ledger, clock, self.meter, floor.log)
        self.comparing = Comparing(ledger, venue, clock, self.meter, floor.log, settings)
        self.sweeping = asyncio.create_task(self._sweep())

    async def _sweep(self) -> None:
        while True:
            await self.settling.sweep_once()
            await asyncio.sleep(0.05)
