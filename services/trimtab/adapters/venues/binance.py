"""ccxt's Binance client, told where the exchange is, and made to keep what an answer really said."""

import asyncio
import socket
import ssl
from collections.abc import Callable, Sequence
from typing import Any

import aiohttp
import ccxt.pro
from ccxt.base.errors import BadResponse, BaseError, NetworkError

from trimtab.adapters.venues.answers import Failure
from trimtab.settings import VenueSettings

# Answered with a pong by any live connection, so that a dead one shows within two of these.
_PING_MS = 5_000
_KEEPALIVE_SECONDS = 60.0
_DIAL_PAUSE_SECONDS_MAX = 2.0

OnMessage = Callable[[dict[str, Any]], bool]
OnLost = Callable[[str], None]


class BinanceClient(ccxt.pro.binance):  # type: ignore[misc]  # ccxt ships no complete types
    """ccxt's own client but for four things: the address, the session, the evidence kept, and raw events.

    Attributes:
        on_event: gets every event of a websocket first; says whether it was its own.
        on_lost: hears the reason when a websocket is lost, whether or not anyone waits for one of its messages.

    """

    session: aiohttp.ClientSession | None  # ccxt's, untyped

    def __init__(self, settings: VenueSettings, credentials: tuple[str, str] | None = None) -> None:
        super().__init__(_config(settings, credentials))
        # ccxt picks the spot error codes by the address it knows; merged, they hold at any address.
        self.exceptions["exact"] = {**self.exceptions["exact"], **self.exceptions["spot"]["exact"]}
        if settings.rest_url is not None:
            self.urls["api"].update(_rest_urls(settings.rest_url))
        if settings.websocket_url is not None:
            self.urls["api"]["ws"].update(_websocket_urls(settings.websocket_url))
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

    def handle_errors(
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        headers: dict[str, str],
        body: str,
        response: object,
        request_headers: object,
        request_body: object,
    ) -> None:
        """Raise for everything that is not a JSON answer of success, and keep the evidence on the exception.

        ccxt lets an empty, foreign or cut answer and some statuses pass as success, and drops Retry-After.
        """
        try:
            super().handle_errors(code, reason, url, method, headers, body, response, request_headers, request_body)
            if code >= 400:
                self.handle_http_status_code(code, reason or "", url, method, body or "")
            if code >= 400 or not isinstance(response, dict | list):
                raise BadResponse(f"{self.id} {method} {code}: no JSON answer of success")
        except BaseError as error:
            error.evidence = _evidence(error, code, headers, response)
            raise

    def handle_message(self, client: Any, message: Any) -> None:
        """Offer an event to `on_event`, else to ccxt. An error in either ends the connection, never silently."""
        try:
            event = message
            if isinstance(message, dict):
                event = message.get("data") or message.get("event") or message
            if not (isinstance(event, dict) and "e" in event and self.on_event(event)):
                super().handle_message(client, message)
        except Exception as error:  # noqa: BLE001 - ccxt's reader would die without a word
            client.on_error(NetworkError(f"an event could not be handled: {error!r}"))

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

    async def subscribe(self, streams: Sequence[str]) -> None:
        """Subscribe market streams on one connection, connecting if need be; return when the venue has confirmed."""
        url = f"{self.urls['api']['ws']['spot']}/0"
        number = self.request_id(url)
        request = {"method": "SUBSCRIBE", "params": list(streams), "id": number}
        subscription = {"id": str(number), "method": _confirm}
        await self.watch(url, str(number), request, str(number), subscription)

    async def disconnect(self) -> None:
        """Drop every websocket, keeping the session."""
        await self.close_ws_clients()


def _confirm(client: Any, message: dict[str, Any]) -> None:
    client.resolve(message, str(message["id"]))


def _config(settings: VenueSettings, credentials: tuple[str, str] | None) -> dict[str, Any]:
    config: dict[str, Any] = {
        "number": str,  # exact; Decimal breaks ccxt's fees and its websocket reader
        "enableRateLimit": False,  # the budget is per address, ccxt's throttle per client
        "timeout": settings.request_timeout_ms,
        "streaming": {"keepAlive": _PING_MS},
        "options": {
            "fetchMarkets": {"types": ["spot"]},
            "fetchMargins": False,
            "fetchCurrencies": False,
            "recvWindow": settings.recv_window_ms,
            "maxRetriesOnFailure": 0,  # an order must never be sent again behind our back
            "ws": {"compress": 0},  # inflating costs more than it saves, in time too
        },
    }
    if credentials is not None:
        config["apiKey"], config["secret"] = credentials
    return config


def _rest_urls(base: str) -> dict[str, str]:
    base = base.rstrip("/")
    return {
        "public": f"{base}/api/v3",
        "private": f"{base}/api/v3",
        "v1": f"{base}/api/v1",
        "sapi": f"{base}/sapi/v1",
    }


def _websocket_urls(base: str) -> dict[str, Any]:
    # ccxt knows spot by "/stream" in the address.
    base = base.rstrip("/").removesuffix("/stream").removesuffix("/ws")
    return {"spot": f"{base}/stream", "margin": f"{base}/stream", "ws-api": {"spot": f"{base}/ws-api/v3"}}


def _evidence(error: BaseError, status: int, headers: dict[str, str], response: object) -> Failure:
    body = response if isinstance(response, dict) else {}
    code = str(body.get("code", ""))
    retry_after = {name.lower(): value for name, value in headers.items()}.get("retry-after", "")
    return Failure(
        text=f"{type(error).__name__}: {error}",
        status=status,
        code=int(code) if code.lstrip("-").isdigit() else None,
        message=str(body.get("msg", "")),
        retry_after_ms=int(retry_after) * 1_000 if retry_after.isdigit() else None,
    )


def failure_of(error: BaseError) -> Failure:
    """Return what is known about a failed request of a `BinanceClient`."""
    evidence = getattr(error, "evidence", None)
    if isinstance(evidence, Failure):
        return evidence
    cause = error.__cause__
    never_connected = isinstance(cause, aiohttp.ClientConnectorError | socket.gaierror)
    text = f"{type(error).__name__}: {error}" + (f" ({cause!r})" if cause else "")
    return Failure(text=text, sent=not never_connected)
