"""Websockets: who listens to what. One encoded message is shared by all who listen to a stream."""

import asyncio
from collections import defaultdict, deque
from collections.abc import Iterable
from typing import Literal

from aiohttp import WSCloseCode, WSMsgType, web

from trimtab.exchange.faults import Audience
from trimtab.exchange.tampering import Silence, Tampering

_BACKLOG_MAX = 50_000  # messages; who is further behind is cut off, as on the real exchange
_BURST = 256  # messages written before other tasks get their turn


class Connection:
    """One websocket from an `address`: messages are queued and written in order by a task of its own."""

    def __init__(self, socket: web.WebSocketResponse, audience: Audience, address: str, *, combined: bool) -> None:
        self.audience = audience
        self.address = address
        self.combined = combined
        self.streams: set[str] = set()
        self.silence: Silence | None = None
        self._socket = socket
        self._queue: deque[bytes] = deque()
        self._ready = asyncio.Event()
        self._closed = False
        self._leaving = False

    def tell(self, stream: str, message: bytes) -> bool:
        """Queue a stream's message; False if a fault keeps the connection silent."""
        if self.silence is not None and self.silence.swallows(stream):
            return False
        self.send(message)
        return True

    def send(self, message: bytes) -> None:
        """Queue a message. A client that has fallen too far behind is cut off."""
        if self._closed:
            return
        if len(self._queue) >= _BACKLOG_MAX:
            self.cut()
            return
        self._queue.append(message)
        self._ready.set()

    def cut(self) -> None:
        """End the connection without a closing handshake, as a network failure does."""
        self._closed = True
        self._queue.clear()
        self._ready.set()

    def end(self) -> None:
        """End the connection in good order."""
        self._leaving = True
        self._ready.set()

    async def write(self) -> None:
        """Write what is queued until the connection ends."""
        socket, queue = self._socket, self._queue
        while not (self._closed or self._leaving):
            await self._ready.wait()
            self._ready.clear()
            written = 0
            while queue and not self._closed:
                await socket.send_frame(queue.popleft(), WSMsgType.TEXT)
                written += 1
                if written % _BURST == 0:
                    await asyncio.sleep(0)

    async def serve(self, request: web.Request, reader: "asyncio.Task[None]") -> None:
        """Write and read until either ends; then close, or break off if cut."""
        writer = asyncio.create_task(self.write())
        try:
            await asyncio.wait((writer, reader), return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (writer, reader):
                task.cancel()
            await asyncio.gather(writer, reader, return_exceptions=True)
            if self._closed and request.transport is not None:
                request.transport.abort()
            elif not self._socket.closed:
                await self._socket.close(code=WSCloseCode.GOING_AWAY)


class Hub:
    """All connections, and who listens to which market stream."""

    def __init__(self, tampering: Tampering) -> None:
        self._tampering = tampering
        self.connections: set[Connection] = set()
        self.sent = 0
        self._listeners: defaultdict[str, set[Connection]] = defaultdict(set)

    def subscribe(self, connection: Connection, streams: Iterable[str]) -> None:
        """Let a connection listen to streams."""
        for stream in streams:
            connection.streams.add(stream)
            self._listeners[stream].add(connection)

    def unsubscribe(self, connection: Connection, streams: Iterable[str]) -> None:
        """Let a connection listen to streams no more."""
        for stream in streams:
            connection.streams.discard(stream)
            self._listeners[stream].discard(connection)
            if not self._listeners[stream]:
                del self._listeners[stream]

    def leave(self, connection: Connection) -> None:
        """Forget a connection."""
        self.unsubscribe(connection, list(connection.streams))
        self.connections.discard(connection)

    def wanted(self, stream: str) -> bool:
        """Whether anyone listens."""
        return stream in self._listeners

    def heard(self, part: str) -> list[str]:
        """The streams that anyone listens to whose names have this part."""
        return [stream for stream in self._listeners if part in stream]

    def publish(self, stream: str, data: bytes) -> None:
        """Send one stream's data to all who listen."""
        if stream not in self._listeners:
            return
        for message in self._tampering.passed("market", stream, data, self.send):
            self.send(stream, message)

    def send(self, stream: str, data: bytes) -> None:
        """As `publish`, past all faults but silence."""
        combined: bytes | None = None
        for connection in self._listeners.get(stream, ()):
            if connection.combined:
                combined = combined or b'{"stream":"%b","data":%b}' % (stream.encode(), data)
            self.sent += connection.tell(stream, combined if connection.combined and combined else data)

    def drop(self, audience: Audience | Literal["all"]) -> int:
        """Cut connections off; how many."""
        struck = self.of(audience)
        for connection in struck:
            connection.cut()
        return len(struck)

    def of(self, audience: Audience | Literal["all"]) -> list[Connection]:
        """The connections of an audience."""
        return [connection for connection in self.connections if audience in {"all", connection.audience}]
