"""Websocket endpoints: market streams under /ws and /stream, the websocket API with user streams under /ws-api/v3."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any

import orjson
from aiohttp import WSMsgType, web

from trimtab.exchange.clock import wall_us
from trimtab.exchange.endpoints import SOCKET_WEIGHTS
from trimtab.exchange.errors import VenueError, unsupported
from trimtab.exchange.faults import Audience
from trimtab.exchange.signing import sorted_part
from trimtab.exchange.streams import Connection
from trimtab.exchange.venue import Venue

_HEARTBEAT_SECONDS = 60.0

Reply = Mapping[str, Any]
Handler = Callable[[Connection, dict[str, Any]], Reply]


class Sockets:
    """The websocket endpoints of a venue."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Iterable[web.RouteDef]:
        """All of them. A path's tail may name streams (Binance) or number a connection (ccxt)."""
        return (
            web.get("/ws", self._raw),
            web.get("/ws/{streams:.*}", self._raw),
            web.get("/stream", self._combined),
            web.get("/stream/{number:.*}", self._combined),
            web.get("/ws-api/v3", self._api),
        )

    async def _raw(self, request: web.Request) -> web.StreamResponse:
        names = [name for name in request.match_info.get("streams", "").split("/") if "@" in name]
        return await self._serve(request, "market", self._stream_request, names)

    async def _combined(self, request: web.Request) -> web.StreamResponse:
        names = [name for name in request.query.get("streams", "").split("/") if "@" in name]
        return await self._serve(request, "market", self._stream_request, names, combined=True)

    async def _api(self, request: web.Request) -> web.StreamResponse:
        self._venue.meters.requests.charge(request.remote or "", SOCKET_WEIGHTS["connect"], wall_us())
        return await self._serve(request, "user", self._api_request, ())

    async def _serve(
        self,
        request: web.Request,
        audience: Audience,
        handler: Handler,
        names: Iterable[str],
        *,
        combined: bool = False,
    ) -> web.StreamResponse:
        socket = web.WebSocketResponse(heartbeat=_HEARTBEAT_SECONDS, compress=False)
        try:
            await socket.prepare(request)
        except ConnectionResetError:  # the client went before it was let in; half a websocket cannot be ended
            return web.Response()
        connection = Connection(socket, audience, request.remote or "", combined=combined)
        hub = self._venue.hub
        hub.connections.add(connection)
        hub.subscribe(connection, names)
        try:
            await connection.serve(request, asyncio.create_task(_read(socket, connection, handler)))
        finally:
            hub.leave(connection)
            self._venue.users.leave(connection)
        return socket

    def _stream_request(self, connection: Connection, message: dict[str, Any]) -> Reply:
        identity, method, params = message.get("id"), message.get("method"), message.get("params", [])
        if not isinstance(params, list) or not all(isinstance(name, str) for name in params):
            return _stream_error(identity, 2, "Invalid request: params must be an array of strings")
        if method == "SUBSCRIBE":
            connection.send(orjson.dumps({"result": None, "id": identity}))
            self._venue.hub.subscribe(connection, params)
            return {}
        if method == "UNSUBSCRIBE":
            self._venue.hub.unsubscribe(connection, params)
            return {"result": None, "id": identity}
        if method == "LIST_SUBSCRIPTIONS":
            return {"result": sorted(connection.streams), "id": identity}
        return _stream_error(identity, 2, f"Invalid request: unknown method {method}")

    def _api_request(self, connection: Connection, message: dict[str, Any]) -> Reply:
        identity, method = message.get("id"), message.get("method")
        params = message.get("params") or {}
        if not isinstance(params, dict):
            return _api_error(identity, VenueError(-1135, "Invalid JSON Request"))
        meters, address = self._venue.meters, connection.address
        try:
            meters.requests.charge(address, SOCKET_WEIGHTS.get(str(method), 1), wall_us())
            reply: Reply = {"id": identity, "status": 200, "result": self._api_result(connection, str(method), params)}
        except VenueError as error:
            reply = _api_error(identity, error)
        return {**reply, "rateLimits": meters.limits.weight(meters.requests.used(address, wall_us()))}

    def _api_result(self, connection: Connection, method: str, params: dict[str, Any]) -> Mapping[str, Any]:
        if method == "ping":
            return {}
        if method == "time":
            return {"serverTime": self._venue.server_us() // 1000}
        if method == "userDataStream.subscribe.signature":
            key = params.get("apiKey") if isinstance(params.get("apiKey"), str) else None
            account = self._venue.keys.check(key, params, sorted_part(params), self._venue.server_us())
            return {"subscriptionId": self._venue.users.subscribe(connection, account)}
        if method == "userDataStream.unsubscribe":
            number = params.get("subscriptionId")
            self._venue.users.unsubscribe(connection, number if isinstance(number, int) else None)
            return {}
        raise unsupported()


async def _read(socket: web.WebSocketResponse, connection: Connection, handler: Handler) -> None:
    async for message in socket:
        if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
            continue
        try:
            asked = orjson.loads(message.data)
        except orjson.JSONDecodeError as error:
            connection.send(orjson.dumps(_stream_error(None, 3, f"Invalid JSON: {error}")))
            continue
        if not isinstance(asked, dict):
            connection.send(orjson.dumps(_stream_error(None, 2, "Invalid request: request must be an object")))
            continue
        reply = handler(connection, asked)
        if reply:
            connection.send(orjson.dumps(reply))


def _stream_error(identity: object, code: int, text: str) -> Reply:
    return {"error": {"code": code, "msg": text}, "id": identity}


def _api_error(identity: object, error: VenueError) -> Reply:
    said: dict[str, Any] = {"code": error.code, "msg": error.text}
    if error.retry_after_seconds is not None:
        now_ms = wall_us() // 1000
        said["data"] = {"serverTime": now_ms, "retryAfter": now_ms + error.retry_after_seconds * 1000}
    return {"id": identity, "status": error.status, "error": said}
