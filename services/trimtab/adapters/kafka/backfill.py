"""Market messages onto topics that are filled once, as fast as the broker takes them, and none of them dropped."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

from trimtab.adapters.avro import load_codec
from trimtab.adapters.kafka.admin import apply_topics
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.adapters.kafka.recorded import open_recorded
from trimtab.domain.errors import InvalidValueError
from trimtab.messages import Message
from trimtab.settings import Settings
from trimtab.topics import MARKET_FRAMES

BATCH_MAX: Final = 500


class Backfill:
    """Takes messages at once and sends them in their order with `flush`, which waits until all are acknowledged."""

    def __init__(self, publisher: KafkaPublisher) -> None:
        self._publisher = publisher
        self._pending: list[Message] = []

    @property
    def full(self) -> bool:
        """Whether it is time for `flush`."""
        return len(self._pending) >= BATCH_MAX

    def publish_nowait(self, message: Message) -> bool:
        """Take a message."""
        self._pending.append(message)
        return True

    async def flush(self) -> None:
        """Send what was taken.

        Raises:
            InvalidValueError: if a message cannot be encoded.
            UnreachableError: if one was not acknowledged.

        """
        pending, self._pending = self._pending, []
        await asyncio.gather(*(self._publisher.publish(message) for message in pending))


@asynccontextmanager
async def open_backfill(settings: Settings, prefix: str) -> AsyncIterator[Backfill]:
    """Make the topics of a prefix of their own where they are missing, and open them for filling.

    Raises:
        InvalidValueError: if the prefix is the installation's own, or its topics hold frames already.
        UnreachableError: if Kafka or the registry does not answer.

    """
    own = settings.kafka.topic_prefix
    if prefix == own:
        raise InvalidValueError("--prefix", prefix, "another prefix than that of the live topics")
    kafka = settings.kafka.model_copy(update={"topic_prefix": prefix})
    there = settings.model_copy(update={"kafka": kafka})
    await asyncio.to_thread(apply_topics, there)
    with open_recorded(there) as recorded:
        if recorded.marks(MARKET_FRAMES)[1]:
            raise InvalidValueError("--prefix", prefix, "a new one; its market.frames holds records already")
    publisher = KafkaPublisher(kafka, load_codec(settings.registry.url, prefix), client_id="trimtab-import")
    try:
        yield Backfill(publisher)
    finally:
        await publisher.close()
