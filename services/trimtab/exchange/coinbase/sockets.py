"""The websocket feed's own protocol: subscribing, unsubscribing, who may hear what ("WebSocket Overview")."""

import asyncio
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from trimtab.exchange.coinbase.feed import BOOKS, Feed
from trimtab.exchange.coinbase.signing import check_feed, is_signed
from trimtab.exchange.errors import VenueError
from trimtab.exchange.streams import Connection
from trimtab.exchange.venue import Venue

_HEARTBEAT_SECONDS = 60.0
_SUBSCRIBE_SECONDS_MAX = 5.0  # who has asked for nothing by then is sent away
_PUBLIC = frozenset({"level2_batch", "matches", "ticker", "heartbeat"})
_SIGNED = frozenset({"level2", "user"})
_CHANNELS = _PUBLIC | _SIGNED
_FIRST = {"matches": "last_match", "ticker": "ticker"}
"""What a subscription begins with: the last trade in these words."""

Channel = tuple[str, Sequence[str]]
"""A channel's name and the products it is asked for."""


class FeedError(Exception):
    """A subscription that fails: `message` and `reason` as the feed sends them."""

    def __init__(self, reason: str, message: str = "Failed to subscribe") -> None:
        super().__init__(f"{message}: {reason}")
        self.message = message
        self.reason = reason


class Sockets:
    """The websocket feed of a venue."""

    def __init__(self, venue: Venue, feed: Feed) -> None:
        self._venue = venue
        self._feed = feed

    def routes(self) -> Iterable[web.RouteDef]:
        """All of them: one."""
        return (web.get("/", self._serve),)

    async def _serve(self, request: web.Request) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_SECONDS, compress=False)
        try:
            await socket.prepare(request)
        except ConnectionResetError:  # the client went before it was let in; half a websocket cannot be ended
            return web.Response()
        connection = Connection(socket, "market", request.remote or "", combined=False)
        hub = self._venue.hub
        hub.connections.add(connection)
        timer = asyncio.get_running_loop().call_later(_SUBSCRIBE_SECONDS_MAX, _send_away, connection)
        try:
            await connection.serve(request, asyncio.create_task(self._read(socket, connection)))
        finally:
            timer.cancel()
            hub.leave(connection)
        return socket

    async def _read(self, socket: web.WebSocketResponse, connection: Connection) -> None:
        async for message in socket:
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                continue
            try:
                self._asked(connection, _request(message.data))
            except FeedError as error:
                _tell(connection, {"type": "error", "message": error.message, "reason": error.reason})

    def _asked(self, connection: Connection, asked: dict[str, Any]) -> None:
        kind = asked.get("type")
        if not isinstance(kind, str) or kind not in {"subscribe", "unsubscribe"}:
            raise FeedError(f"{kind} is not a valid type")
        channels = self._channels(asked)
        account = self._account(asked, channels) if kind == "subscribe" else None
        own = [stream for stream in connection.streams if "@user:" in stream]
        added = [stream for channel in channels for stream in self._streams(channel, account, own)]
        if kind == "unsubscribe":
            self._venue.hub.unsubscribe(connection, [stream for stream in added if stream in connection.streams])
            _tell(connection, _subscriptions(connection))
            return
        fresh = [stream for stream in added if stream not in connection.streams]
        if account is not None and any("@user:" in stream for stream in added):
            connection.audience = "user"
        self._venue.hub.subscribe(connection, added)
        _tell(connection, _subscriptions(connection))
        for stream in fresh:
            self._begin(connection, stream)

    def _channels(self, asked: dict[str, Any]) -> list[Channel]:
        found: list[Channel] = []
        for channel in _listed(asked, "channels"):
            named = channel if isinstance(channel, dict) else {"name": channel}
            name, products = str(named.get("name")), [*_listed(asked, "product_ids"), *_listed(named, "product_ids")]
            if name not in _CHANNELS:
                raise FeedError(f"{name} is not a valid channel")
            if not products:
                raise FeedError(f"{name} channel needs product ids")
            for product in products:
                symbol = self._feed.names.symbol(str(product))
                if symbol is None or symbol not in self._venue.engine.instruments:
                    raise FeedError(f"{product} is not a valid product")
            found.append((name, [str(product) for product in products]))
        if not found:
            raise FeedError("no channels")
        return found

    def _account(self, asked: dict[str, Any], channels: Sequence[Channel]) -> str | None:
        """Who subscribes; None if nobody says so and nobody has to."""
        if not is_signed(asked):
            for name, _ in channels:
                if name in _SIGNED:
                    raise FeedError(f"{name} channel requires authentication")
            return None
        try:
            return check_feed(self._venue.keys, asked, self._venue.server_us()).account
        except VenueError as error:
            raise FeedError(orjson.dumps({"message": error.text}).decode(), "Authentication Failed") from error

    @staticmethod
    def _streams(channel: Channel, account: str | None, own: Sequence[str]) -> list[str]:
        name, products = channel
        if name != "user":
            return [f"{product}@{name}" for product in products]
        if account is not None:
            return [f"{account}@user:{product}" for product in products]
        return [stream for stream in own if stream.partition("@user:")[2] in products]

    def _begin(self, connection: Connection, stream: str) -> None:
        """Send what a fresh subscription begins with."""
        product, _, name = stream.partition("@")
        symbol = self._feed.names.symbol(product)
        if symbol is None:  # an account's own stream
            return
        if name in BOOKS:
            connection.send(self._feed.book(symbol))
        for message in self._feed.last(symbol, _FIRST[name]) if name in _FIRST else ():
            connection.send(message)


def _listed(asked: dict[str, Any], name: str) -> list[Any]:
    given = asked.get(name) or []
    if not isinstance(given, list):
        raise FeedError(f"{name} is no list", "Malformed JSON")
    return given


def _request(data: str | bytes) -> dict[str, Any]:
    try:
        asked = orjson.loads(data)
    except orjson.JSONDecodeError as error:
        raise FeedError("malformed JSON", "Malformed JSON") from error
    if not isinstance(asked, dict):
        raise FeedError("message is no object", "Malformed JSON")
    return asked


def _subscriptions(connection: Connection) -> dict[str, Any]:
    """What a connection listens to."""
    found: dict[str, list[str]] = {}
    for stream in sorted(connection.streams):
        owner, _, name = stream.partition("@")
        channel, _, product = name.partition(":")
        found.setdefault(channel, []).append(product or owner)
    channels = [{"name": name, "product_ids": products, "account_ids": None} for name, products in found.items()]
    return {"type": "subscriptions", "channels": channels}


def _tell(connection: Connection, message: dict[str, Any]) -> None:
    connection.send(orjson.dumps(message))


def _send_away(connection: Connection) -> None:
    if not connection.streams:
        connection.end()
