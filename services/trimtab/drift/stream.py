"""Faust in its safe set-up: at least once, acknowledged by hand, and a failure ends the process.

By default Faust acknowledges a message whose agent raised, which loses it. So every agent takes raw bytes without
automatic acknowledgement, acknowledges what it has handled, and crashes the app when it fails; whoever supervises the
process starts it again. There is no concurrency, no table, no web server and no leader topic.
"""

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import faust
from faust.auth import SASLCredentials, SSLCredentials
from mode.supervisors import CrashingSupervisor

from trimtab.domain.errors import TrimtabError
from trimtab.settings import KafkaSettings

_LOGGERS = ("faust", "mode", "aiokafka", "kafka", __name__)  # the app below logs as this module


@dataclass(frozen=True, slots=True)
class Raw:
    """A record as it came; `topic` is named without prefix."""

    topic: str
    partition: int
    offset: int
    key: bytes | None
    value: bytes | None
    timestamp_ms: int
    headers: tuple[tuple[str, bytes | None], ...]


Handle = Callable[[Raw], Awaitable[int | None]]
"""Handle a record; return an offset to go on from, or None for the next one."""
OnPartitions = Callable[[str, frozenset[int]], None]
"""Take note of a topic's partitions; must be quick."""


class _App(faust.App):
    def _create_directories(self) -> None:
        """Make none: nothing is kept on disk."""


class Stream:
    """A Faust app over some topics, run on the current event loop."""

    def __init__(self, kafka: KafkaSettings, group: str, assigned: OnPartitions, revoked: OnPartitions) -> None:
        self._prefix = kafka.topic_prefix
        self._assigned, self._revoked = assigned, revoked
        self._app: Any = _App(  # Any: faust ships no complete types
            f"{kafka.topic_prefix}{group}",
            broker=";".join(f"kafka://{server.strip()}" for server in kafka.bootstrap_servers.split(",")),
            broker_credentials=_credentials(kafka),
            autodiscover=False,
            store="memory://",
            web_enabled=False,
            web_in_thread=False,
            web_tables_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            key_serializer="raw",
            value_serializer="raw",
            processing_guarantee="at_least_once",
            broker_session_timeout=kafka.session_timeout_seconds,
            broker_heartbeat_interval=kafka.session_timeout_seconds / 6,
            broker_commit_interval=1.0,
            stream_wait_empty=False,
            loghandlers=[],
            logging_config=None,
        )
        self._app.on_partitions_assigned.connect(self._on_assigned)
        self._app.on_partitions_revoked.connect(self._on_revoked)

    def subscribe(self, topic: str, handle: Handle) -> None:
        """Hand every record of a topic (named without prefix) over, in order per partition."""
        channel = self._app.topic(f"{self._prefix}{topic}", key_type=bytes, value_type=bytes)

        async def agent(stream: Any) -> None:
            async for event in stream.noack().events():
                goto = await handle(_raw(topic, event.message))
                event.ack()
                if goto is not None:
                    await self._app.consumer.seek(event.message.tp, goto)

        self._app.agent(channel, name=f"{topic}-agent", supervisor_strategy=CrashingSupervisor)(agent)

    async def run(self) -> None:
        """Run until cancelled.

        Raises:
            TrimtabError: if an agent or Faust itself failed.

        """
        for name in _LOGGERS:
            logging.getLogger(name).setLevel(logging.ERROR)  # what matters of theirs ends the process, or shows as lag
        self._app.loop = asyncio.get_running_loop()
        self._app.finalize()
        try:
            await self._app.start()
            await self._app.wait_until_stopped()
        finally:
            reason = self._app.crash_reason
            await self._app.stop()
        if isinstance(reason, TrimtabError):
            raise reason
        raise TrimtabError(f"the stream stopped: {reason!r}")

    async def _on_assigned(self, _app: Any, /, *args: Any, **_: Any) -> None:
        for topic, partitions in self._by_topic(args[0]).items():
            self._assigned(topic, partitions)

    async def _on_revoked(self, _app: Any, /, *args: Any, **_: Any) -> None:
        for topic, partitions in self._by_topic(args[0]).items():
            self._revoked(topic, partitions)

    def _by_topic(self, places: Any) -> dict[str, frozenset[int]]:
        names = sorted({place.topic for place in places})
        return {
            name.removeprefix(self._prefix): frozenset(place.partition for place in places if place.topic == name)
            for name in names
        }


def _credentials(kafka: KafkaSettings) -> SASLCredentials | SSLCredentials | None:
    """Return how the broker lets Faust in, as its other clients; certificates and host names are always checked."""
    context = None
    if kafka.encrypted:
        context = ssl.create_default_context(cafile=None if kafka.ca_file is None else str(kafka.ca_file))
    if not kafka.authenticated:
        return None if context is None else SSLCredentials(context)
    assert kafka.password is not None, "the settings were checked"
    return SASLCredentials(
        username=kafka.username,
        password=kafka.password.get_secret_value(),
        mechanism=kafka.sasl_mechanism,
        ssl_context=context,
    )


def _raw(topic: str, message: Any) -> Raw:
    headers = message.headers.items() if isinstance(message.headers, dict) else message.headers or ()
    return Raw(
        topic,
        message.partition,
        message.offset,
        message.key,
        message.value,
        int((message.timestamp or 0) * 1_000),
        tuple(headers),
    )
