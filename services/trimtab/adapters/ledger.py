"""The shadow ledger as a service gets it: checked, open, its outbox relayed to Kafka."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from trimtab.adapters import tracing
from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.adapters.kafka.published import PublishedEvents
from trimtab.adapters.postgres.connections import pool_of
from trimtab.adapters.postgres.failures import address_of
from trimtab.adapters.postgres.ledger import PostgresLedger
from trimtab.adapters.postgres.outbox import EVENT_ID_HEADER, Desk
from trimtab.adapters.postgres.relay import Relay
from trimtab.adapters.postgres.reports import Reports
from trimtab.adapters.postgres.sessions import Sessions
from trimtab.settings import Settings


class OpenLedger(PostgresLedger):
    """The ledger, the relay of its outbox, and reports on it."""

    def __init__(self, sessions: Sessions, desk: Desk, relay: Relay) -> None:
        super().__init__(sessions, desk, relay.notify)
        self.relay = relay
        self.reports = Reports(sessions)


@asynccontextmanager
async def open_ledger(
    settings: Settings, codec: Codec, publisher: KafkaPublisher, writer: str
) -> AsyncIterator[OpenLedger]:
    """Open the ledger for a process; `writer` names it, differently at each start."""
    dsn = settings.postgres.dsn.get_secret_value()
    async with pool_of(dsn) as pool:
        sessions = Sessions(pool, address_of(dsn))
        relay = Relay(sessions, writer, publisher.publish_raw, PublishedEvents(settings.kafka, EVENT_ID_HEADER).find)
        yield OpenLedger(sessions, Desk(writer, codec, tracing.inject), relay)
