"""The ledger for one command: nothing is waited for, and what is written leaves at once where Kafka answers."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from trimtab.adapters.avro import load_codec
from trimtab.adapters.metrics import PrometheusMeter
from trimtab.adapters.postgres.connections import pool_of
from trimtab.adapters.postgres.deploy import require_newest
from trimtab.adapters.postgres.failures import address_of
from trimtab.adapters.postgres.opening import PublishingLedger, open_ledger
from trimtab.adapters.postgres.reports import Reports
from trimtab.adapters.postgres.sessions import Sessions
from trimtab.adapters.process import open_process
from trimtab.cli.output import say
from trimtab.domain.errors import TrimtabError

if TYPE_CHECKING:
    from trimtab.settings import Settings

_PUBLISH_SECONDS_MAX = 5.0
_ANSWER_SECONDS = 0.1


@asynccontextmanager
async def open_reports(settings: "Settings") -> AsyncIterator[Reports]:
    """Open the ledger for reading.

    Raises:
        UnreachableError: if the database does not answer.
        LedgerRefusedError: if it is not at the newest migration.

    """
    dsn = settings.postgres.dsn.get_secret_value()
    await asyncio.to_thread(require_newest, dsn)
    async with pool_of(dsn, sessions_max=1) as pool:
        yield Reports(Sessions(pool, address_of(dsn)))


@asynccontextmanager
async def open_books(settings: "Settings") -> AsyncIterator[PublishingLedger]:
    """Open the ledger for writing; at the end of the block, publish what was written.

    Raises:
        UnreachableError: if the database or the registry does not answer.
        LedgerRefusedError: if the database is not at the newest migration.

    """
    # A service waits for these at its start; a person would rather be told.
    await asyncio.to_thread(require_newest, settings.postgres.dsn.get_secret_value())
    await asyncio.to_thread(
        load_codec, settings.registry.url, settings.kafka.topic_prefix, wait_seconds=_ANSWER_SECONDS
    )
    async with open_process("cli", settings, PrometheusMeter()) as process, open_ledger(process) as ledger:
        yield ledger
        try:
            async with asyncio.timeout(_PUBLISH_SECONDS_MAX):
                await ledger.relay.drain()
        except (TimeoutError, TrimtabError) as error:
            say(f"kept in the ledger; the executor publishes it as soon as Kafka answers ({error or 'no answer yet'})")
