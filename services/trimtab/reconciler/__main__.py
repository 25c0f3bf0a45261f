"""The reconciler: fills booked, residuals released, ledger and venue compared.

execution.fills ----> Settling -> ledger (postings)
execution.parents --> Settling -> ledger (released funds)
venue -------------> Comparing -> ledger (missed fills, transfers), reconciliation.breaks
ledger's outbox ---> Relay -> portfolio.state, reconciliation.breaks
"""

import asyncio

from trimtab.adapters.kafka.group import GroupConsumer
from trimtab.adapters.postgres.opening import open_ledger
from trimtab.adapters.process import Process, run_service
from trimtab.adapters.venues.registry import accounts_of
from trimtab.reconciler.comparing import Comparing
from trimtab.reconciler.settling import Settling
from trimtab.topics import EXECUTION_FILLS, EXECUTION_PARENTS


async def reconciler(process: Process) -> None:
    """Run every loop of the reconciler until one fails for good or all are cancelled."""
    settings, clock, meter, log = process.settings, process.clock, process.meter, process.log
    async with open_ledger(process) as ledger, accounts_of(settings) as venues, asyncio.TaskGroup() as loops:
        settling = Settling(ledger, clock, meter, log)
        fills = GroupConsumer(settings, process.codec, "reconciler", EXECUTION_FILLS, settling.on_fill, meter=meter)
        parents = GroupConsumer(
            settings, process.codec, "reconciler-parents", EXECUTION_PARENTS, settling.on_parent, meter=meter
        )
        loops.create_task(ledger.relay.run())
        loops.create_task(ledger.housekeeping.run())
        loops.create_task(fills.run())
        loops.create_task(parents.run())
        loops.create_task(settling.sweep())
        for venue in venues.values():
            comparing = Comparing(ledger, venue, clock, meter, log, settings.reconciler)
            loops.create_task(comparing.watch_reconnects())
            loops.create_task(comparing.follow())


def main() -> None:
    """Run the reconciler in this process."""
    run_service("reconciler", reconciler)


if __name__ == "__main__":
    main()
