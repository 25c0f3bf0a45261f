"""The executor: signals in, orders worked, fills recorded.

rebalance.signals -> Intake ─┐                     ┌-> Sender -> venue
market.frames ----> Work ----┴-> ledger (intents) -┘      │
user streams -----> AccountWatch -> ledger (facts) <------┘
ledger's outbox --> Relay -> execution.orders, .parents, .fills, portfolio.state
"""

import asyncio

from trimtab.adapters.kafka.broadcast import BroadcastReader, Start
from trimtab.adapters.kafka.group import GroupConsumer
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


async def executor(process: Process) -> None:
    """Run every loop of the executor until one fails for good or all are cancelled."""
    settings = process.settings
    async with open_ledger(process) as ledger, accounts_of(settings) as venues:
        view, ownership = MarketView(), Ownership(ledger, process.instance)
        desk = Desk(
            ledger,
            venues,
            ownership,
            view.market,
            process.clock,
            process.meter,
            BaggageTrail(),
            process.log,
            settings.executor,
        )  # fmt: skip - one line a port says no more
        sender = Sender(desk)
        work = Work(desk, sender)
        intake = Intake(desk, sender, work)
        frames = BroadcastReader(
            settings,
            process.codec,
            MARKET_FRAMES,
            view.then(work.on_frame),
            start=Start(seconds_ago=5),
            meter=process.meter,
        )
        signals = GroupConsumer(
            settings,
            process.codec,
            "executor",
            REBALANCE_SIGNALS,
            intake.handle,
            on_assigned=ownership.take,
            on_revoked=ownership.drop,
            meter=process.meter,
        )  # fmt: skip - as above
        async with asyncio.TaskGroup() as loops:
            loops.create_task(ledger.relay.run())
            loops.create_task(frames.run())
            loops.create_task(work.follow())
            for venue in venues.values():
                watch = AccountWatch(desk, sender, work, venue, process.instance)
                loops.create_task(watch.hold_lease())
                loops.create_task(watch.follow_stream())
                loops.create_task(watch.look_up_lost())
            loops.create_task(signals.run())


def main() -> None:
    """Run the executor in this process."""
    run_service("executor", executor)


if __name__ == "__main__":
    main()
