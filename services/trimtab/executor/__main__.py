"""The executor: signals in, orders worked, fills recorded.

rebalance.signals -> Intake ─┐                     ┌-> Sender -> venue
market.frames ----> Work ----┴-> ledger (intents) -┘      │
user streams -----> AccountWatch -> ledger (facts) <------┘
ledger's outbox --> Relay -> execution.orders, .parents, .fills, portfolio.state
"""

import asyncio

from trimtab.adapters.kafka.broadcast import BroadcastReader, Start
from trimtab.adapters.kafka.group import GroupConsumer, Hooks
from trimtab.adapters.postgres.opening import open_ledger
from trimtab.adapters.process import Process, run_service
from trimtab.adapters.tracing import BaggageTrail
from trimtab.adapters.venues.registry import accounts_of
from trimtab.executor.accounts import AccountWatch
from trimtab.executor.desk import Desk
from trimtab.executor.intake import Intake
from trimtab.executor.market import MarketView
from trimtab.executor.ownership import Ownership
from trimtab.executor.sending import Sender
from trimtab.executor.work import Work
from trimtab.topics import MARKET_FRAMES, REBALANCE_SIGNALS

_RECENT = Start(seconds_ago=5)


async def executor(process: Process) -> None:
    """Run every loop of the executor until one fails for good or all are cancelled."""
    settings, codec, clock, meter = process.settings, process.codec, process.clock, process.meter
    async with open_ledger(process) as ledger, accounts_of(settings) as venues, asyncio.TaskGroup() as loops:
        view, owned, trail = MarketView(), Ownership(ledger, process.instance), BaggageTrail()
        desk = Desk(ledger, venues, owned, view.market, clock, meter, trail, process.log, settings.executor)
        sender = Sender(desk)
        work = Work(desk, sender)
        intake = Intake(desk, sender, work)
        on_frame = view.then(work.on_frame)
        frames = BroadcastReader(settings, codec, MARKET_FRAMES, on_frame, start=_RECENT, meter=meter)
        hooks = Hooks(given_up=intake.give_up, assigned=owned.take, revoked=owned.drop)
        signals = GroupConsumer(settings, codec, "executor", REBALANCE_SIGNALS, intake.handle, hooks, meter=meter)
        loops.create_task(ledger.relay.run())
        loops.create_task(frames.run())
        loops.create_task(work.follow())
        for venue in venues.values():
            loops.create_task(AccountWatch(desk, sender, work, venue, process.instance).run())
        loops.create_task(signals.run())


def main() -> None:
    """Run the executor in this process."""
    run_service("executor", executor)


if __name__ == "__main__":
    main()
