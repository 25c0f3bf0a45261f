"""Armed faults on their way: what happens to a request before, while and after it is carried out."""

import asyncio
from contextlib import suppress

from aiohttp import web

from trimtab.exchange.dialect import Dialect, Handler
from trimtab.exchange.errors import VenueError
from trimtab.exchange.faults import Fault, Place
from trimtab.exchange.pages import foreign_page, nothing
from trimtab.exchange.signing import signed_part
from trimtab.exchange.venue import Venue


class Mishaps:
    """Lets a venue's armed faults strike requests: `middleware` is for the application."""

    def __init__(self, venue: Venue, dialect: Dialect) -> None:
        self._venue = venue
        self._dialect = dialect
        self._open_always = ("/sim/", *dialect.open_always)
        self._held: list[tuple[Fault, asyncio.Event]] = []  # answers that wait to be overtaken

    @web.middleware
    async def middleware(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Carry a request out, unless what is armed says otherwise."""
        endpoint = f"{request.method} {request.path}"
        if self._venue.closed and not request.path.startswith(self._open_always):
            return self._dialect.closed()
        if not self._dialect.covers(request.path):
            return await handler(request)
        struck = {fault.place: fault for fault in self._venue.faults.strike(endpoint)}
        for fault in struck.values():
            self._venue.note_fault(fault, endpoint, asked=await _asked(request))
        if struck:
            return await self._struck(struck, request, handler)
        waiting = [overtaken for fault, overtaken in self._held if fault.endpoint in endpoint]
        answered = await handler(request)
        if waiting:
            await answered.prepare(request)
            await answered.write_eof()  # on its way before the one that it overtakes
            for overtaken in waiting:
                overtaken.set()
        return answered

    async def _struck(self, struck: dict[Place, Fault], request: web.Request, handler: Handler) -> web.StreamResponse:
        if "delay" in struck:
            await asyncio.sleep(struck["delay"].latency_ms / 1000)
        if "before" in struck:
            if struck["before"].kind == "lost_request":
                return _broken(request)
            return self._dialect.failure(struck["before"])
        answered = await self._carried_out(request, handler)
        if "twice" in struck:  # a proxy that lost the first answer asks again, and passes the second on
            answered = await self._carried_out(request, handler)
        return await self._spoilt(struck["after"], request, answered) if "after" in struck else answered

    async def _spoilt(self, fault: Fault, request: web.Request, answered: web.StreamResponse) -> web.StreamResponse:
        """What becomes of the answer to a request that was carried out."""
        match fault.kind:
            case "lost_answer":
                return _broken(request)
            case "late_answer":
                await asyncio.sleep(fault.latency_ms / 1000)
                return answered
            case "overtaken_answer":
                await self._wait_to_be_overtaken(fault)
                return answered
            case "cut_answer":
                return await _cut(fault, request, answered)
            case "empty_answer":
                return nothing()
            case "html_answer":
                return foreign_page()
            case _:
                return self._dialect.failure(fault)

    async def _carried_out(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except VenueError as error:
            return self._dialect.refusal(error)

    async def _wait_to_be_overtaken(self, fault: Fault) -> None:
        held = fault, asyncio.Event()
        self._held.append(held)
        try:
            with suppress(TimeoutError):
                async with asyncio.timeout(fault.latency_ms / 1000):
                    await held[1].wait()
        finally:
            self._held.remove(held)
        self._venue.note_fault_over(fault, overtaken=held[1].is_set())


async def _asked(request: web.Request) -> str:
    """What a request asked, for the journal: query and body without the signature."""
    query, body = request.raw_path.partition("?")[2], await request.read()
    return signed_part(query, body.decode("utf-8", "replace")).encode("utf-8", "replace").decode()


def _broken(request: web.Request) -> web.Response:
    """Reset the connection; what is returned reaches nobody."""
    if request.transport is not None:
        request.transport.abort()
    return nothing()


async def _cut(fault: Fault, request: web.Request, answered: web.StreamResponse) -> web.StreamResponse:
    """Half of an answer: as if it were whole, or with the connection ending within it."""
    body = answered.body if isinstance(answered, web.Response) else None
    whole = body if isinstance(body, bytes) else b""
    half = whole[: len(whole) // 2]
    if fault.cut == "body":
        return web.Response(body=half, status=answered.status, content_type="application/json")
    cut = web.StreamResponse(status=answered.status, headers={"Content-Type": "application/json"})
    cut.content_length = len(whole)
    await cut.prepare(request)
    await cut.write(half)
    if request.transport is not None:
        request.transport.abort()
    return cut
