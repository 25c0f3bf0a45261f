"""What ccxt's clients lack whatever the venue: a session of our own, evidence kept, word of every lost connection."""

import asyncio
import socket
import ssl
from collections.abc import Callable
from typing import Any

import aiohttp
from ccxt.async_support.base.exchange import Exchange
from ccxt.base.errors import BaseError

from trimtab.adapters.venues.answers import Failure
from trimtab.settings import VenueSettings

# Answered with a pong by any live connection, so that a dead one shows within two of these.
_PING_MS = 5_000
_KEEPALIVE_SECONDS = 60.0
_DIAL_PAUSE_SECONDS_MAX = 2.0

OnMessage = Callable[[dict[str, Any]], bool]
OnLost = Callable[[str], None]


class Transport(Exchange):  # type: ignore[misc]  # ccxt ships no complete types
    """To be put before one of ccxt's clients.

    Attributes:
        on_event: gets every event of a websocket first; says whether it was its own.
        on_lost: hears the reason when a websocket is lost, whether or not anyone waits for one of its messages.

    """

    session: aiohttp.ClientSession | None  # ccxt's, untyped

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__(config)
        self.on_event: OnMessage = lambda _: False
        self.on_lost: OnLost = lambda _: None
        self._closing: set[asyncio.Task[None]] = set()

    def open(self, lazy: bool = False) -> None:  # noqa: FBT001, FBT002 - ccxt's signature
        """Make the session before ccxt does, with connections that stay open between orders."""
        if self.session is None and not (lazy and self.closed_by_user):
            self.ssl_context = ssl.create_default_context(cafile=self.cafile)
            # aiohttp sets TCP_NODELAY by itself.
            self.tcp_connector = aiohttp.TCPConnector(
                ssl=self.ssl_context, keepalive_timeout=_KEEPALIVE_SECONDS, ttl_dns_cache=300, limit=64
            )
            self.session = aiohttp.ClientSession(connector=self.tcp_connector)
        super().open(lazy)

    def on_error(self, client: Any, error: Any) -> None:
        """Say that the connection is lost, and let its socket go (ccxt leaves it open)."""
        current = self.clients.get(client.url) is client
        super().on_error(client, error)
        if not client.closed():
            task = asyncio.ensure_future(client.aiohttp_close())
            self._closing.add(task)
            task.add_done_callback(self._closing.discard)
        if current:
            self.on_lost(str(error))

    def on_close(self, client: Any, error: Any) -> None:
        """As `on_error`, when the venue closed it. A connection given up earlier must not take its successor along."""
        if self.clients.get(client.url) is client:
            super().on_close(client, error)
            self.on_lost(f"closed by the venue ({error})")

    def ws_dial_delay(self, url: str) -> float:
        """Keep ccxt's pauses between dials short: who calls pauses too."""
        return min(float(super().ws_dial_delay(url)), _DIAL_PAUSE_SECONDS_MAX)

    def silent_seconds(self) -> float:
        """How long ago the websocket was last heard, pongs included; 0 without one."""
        heard_ms = [client.last_message_at or client.connectionEstablished for client in self.clients.values()]
        return max(((self.milliseconds() - at) / 1_000 for at in heard_ms if at), default=0.0)

    async def disconnect(self) -> None:
        """Drop every websocket, keeping the session."""
        await self.close_ws_clients()


def common_config(settings: VenueSettings) -> dict[str, Any]:
    """Return what every client is configured with."""
    return {
        "number": str,  # exact; Decimal breaks ccxt's fees and its websocket reader
        "enableRateLimit": False,  # the budget is per address, ccxt's throttle per client
        "timeout": settings.request_timeout_ms,
        "streaming": {"keepAlive": _PING_MS},
        "options": {
            "maxRetriesOnFailure": 0,  # an order must never be sent again behind our back
            "ws": {"compress": 0},  # inflating costs more than it saves, in time too
        },
    }


def retry_after_ms(headers: dict[str, str]) -> int | None:
    """Return what an answer's Retry-After says; None if it says nothing."""
    found = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    return int(found) * 1_000 if found.isdigit() else None


def failure_of(error: BaseError) -> Failure:
    """Return what is known about a failed request of a client here."""
    evidence = getattr(error, "evidence", None)
    if isinstance(evidence, Failure):
        return evidence
    cause = error.__cause__
    never_connected = isinstance(cause, aiohttp.ClientConnectorError | socket.gaierror)
    text = f"{type(error).__name__}: {error}" + (f" ({cause!r})" if cause else "")
    return Failure(text=text, sent=not never_connected)
