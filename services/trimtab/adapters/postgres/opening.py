"""A service's ledger, ready: the database checked, a pool of sessions, and the relay that publishes its outbox."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from trimtab.adapters import tracing
from trimtab.adapters.kafka.published import PublishedEvents
from trimtab.adapters.postgres.connections import pool_of
from trimtab.adapters.postgres.deploy import require_newest
from trimtab.adapters.postgres.failures import address_of
from trimtab.adapters.postgres.housekeeping import Housekeeping
from trimtab.adapters.postgres.ledger import PostgresLedger
from trimtab.adapters.postgres.outbox import EVENT_ID_HEADER, Desk
from trimtab.adapters.postgres.relay import Relay
from trimtab.adapters.postgres.reports import Reports
from trimtab.adapters.postgres.sessions import Sessions
from trimtab.adapters.process import Process, patiently


class PublishingLedger(PostgresLedger):
    """A ledger with its relay, which has to be run beside it, reports on all of it, and (the reconciler's) its care."""

    def __init__(self, sessions: Sessions, desk: Desk, relay: Relay, housekeeping: Housekeeping) -> None:
        super().__init__(sessions, desk, relay.notify)
        self.relay = relay
        self.reports = Reports(sessions)
        self.housekeeping = housekeeping


@asynccontextmanager
async def open_ledger(process: Process) -> AsyncIterator[PublishingLedger]:
    """Open the ledger of this process's role. A database that does not answer yet is waited for.

    Raises:
        LedgerRefusedError: if the database is not at the newest migration.

    """
    settings = process.settings
    dsn = settings.postgres.dsn.get_secret_value()
    await patiently(lambda: asyncio.to_thread(require_newest, dsn))
    async with pool_of(dsn) as pool:
        sessions = Sessions(pool, address_of(dsn))
        relay = Relay(
            sessions,
            process.instance,
            process.publisher.publish_raw,
            PublishedEvents(settings.kafka, EVENT_ID_HEADER).find,
            sweep_seconds=settings.executor.outbox_sweep_seconds,
            meter=process.meter,
        )
        housekeeping = Housekeeping(sessions, process.clock, process.meter, process.log)
        if process.name == "reconciler":
            await housekeeping.make_partitions()  # before the first posting: what lies elsewhere stays there
        yield PublishingLedger(sessions, Desk(process.instance, process.codec, tracing.inject), relay, housekeeping)
