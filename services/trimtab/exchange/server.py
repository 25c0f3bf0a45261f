"""The process: HTTP and websocket server, the market's pace, faults on requests."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from itertools import chain

from aiohttp import web

from trimtab.exchange.controls import Controls
from trimtab.exchange.errors import VenueError
from trimtab.exchange.faults import Fault, schedule
from trimtab.exchange.market import Market, MarketEvent
from trimtab.exchange.recorded import TapeError
from trimtab.exchange.rest import PublicRest, answer
from trimtab.exchange.signing import signed_part
from trimtab.exchange.sockets import Sockets
from trimtab.exchange.trading import TradingRest
from trimtab.exchange.venue import Venue

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_BATCH = 200  # events before other tasks get their turn
_SHUTDOWN_SECONDS_MAX = 1.0  # what clients with open websockets get, once it is told to stop
_FAILURES = {
    -1000: "An unknown error occurred while processing the request.",
    -1001: "Internal error; unable to process your request. Please try again.",
    -1006: "An unexpected response was received from the message bus. Execution status unknown.",
    -1007: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    -1008: "Server is currently overloaded with other requests. Please try again in a few minutes.",
}
_NAP_SECONDS_MIN, _NAP_SECONDS_MAX = 0.002, 0.05


class _Server:
    """A venue behind HTTP. `fault_seed` starts the seeded schedule of faults."""

    def __init__(self, venue: Venue, market: Market, fault_seed: int | None) -> None:
        self._venue = venue
        self._events: Iterator[MarketEvent] = market.events()
        self._start_us = market.start_us
        self._fault_seed = fault_seed

    def application(self) -> web.Application:
        """The aiohttp application; the market runs while it does."""
        application = web.Application(middlewares=[_refusals, self._faults])
        for part in (PublicRest(self._venue), TradingRest(self._venue), Sockets(self._venue), Controls(self._venue)):
            application.router.add_routes(part.routes())
        application.cleanup_ctx.append(self._background)
        return application

    async def _background(self, _: web.Application) -> AsyncIterator[None]:
        tasks = [asyncio.create_task(self._play())]
        if self._fault_seed is not None:
            tasks.append(asyncio.create_task(self._misbehave(self._fault_seed)))
        yield
        self._venue.hub.drop("all")
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError):
                await task
        self._venue.journal.close()

    def prime(self) -> None:
        """Let happen what is due at the start, so that nobody ever sees an empty book."""
        for event in self._events:
            if event.time_us > self._start_us:
                self._events = chain((event,), self._events)
                return
            self._venue.market(event)

    async def _play(self) -> None:
        """Let events happen when they are due."""
        try:
            await self._play_on()
        except TapeError as error:
            self._venue.broken = str(error)
            print(f"error: {error}", file=sys.stderr, flush=True)  # noqa: T201 - the exchange's own word to its user
        self._venue.ended = True

    async def _play_on(self) -> None:
        venue, clock = self._venue, self._venue.clock
        for number, event in enumerate(self._events, 1):
            while (wait := clock.seconds_until(event.time_us)) > 0:  # noqa: ASYNC110 - speed and pause change meanwhile
                await asyncio.sleep(min(max(wait, _NAP_SECONDS_MIN), _NAP_SECONDS_MAX))
            venue.market(event)
            if number % _BATCH == 0:
                await asyncio.sleep(0)

    async def _misbehave(self, seed: int) -> None:
        """Arm the scheduled faults at their times."""
        loop = asyncio.get_running_loop()
        start = loop.time()
        for at, fault in schedule(seed):
            await asyncio.sleep(max(0.0, start + at - loop.time()))
            self._venue.faults.arm(fault)
            if fault.place == "socket":
                self._venue.drop_sockets(fault)

    @web.middleware
    async def _faults(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        endpoint = f"{request.method} {request.path}"
        if not request.path.startswith(("/api/", "/sapi/")):
            return await handler(request)
        struck = {fault.place: fault for fault in self._venue.faults.strike(endpoint)}
        for fault in struck.values():
            self._venue.note_fault(fault, endpoint, asked=await _asked(request))
        if "delay" in struck:
            await asyncio.sleep(struck["delay"].latency_ms / 1000)
        if "before" in struck:
            return _refused(struck["before"])
        if "after" not in struck:
            return await handler(request)
        try:
            carried_out = await handler(request)
        except VenueError as error:
            carried_out = _refusal(error)
        if struck["after"].kind == "late_answer":
            await asyncio.sleep(struck["after"].latency_ms / 1000)
            return carried_out
        if struck["after"].kind == "lost_answer" and request.transport is not None:
            request.transport.abort()
        return _refused(struck["after"])


async def _asked(request: web.Request) -> str:
    """What a request asked, for the journal: query and body without the signature."""
    return signed_part(request.query_string, await request.text())


def _refused(fault: Fault) -> web.Response:
    if fault.kind == "rate_limit":
        text = (
            "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. "
            "Please use WebSocket Streams for live updates to avoid polling the API."
        )
        refusal = answer({"code": -1003, "msg": text}, 429)
        refusal.headers["Retry-After"] = str(fault.retry_after_seconds)
        return refusal
    if fault.code is not None:
        return answer({"code": fault.code, "msg": _FAILURES.get(fault.code, _FAILURES[-1000])}, fault.status)
    page = f"<html><head><title>{fault.status}</title></head><body><h1>{fault.status}</h1></body></html>"
    return web.Response(text=page, status=fault.status, content_type="text/html")


@web.middleware
async def _refusals(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except VenueError as error:
        return _refusal(error)


def _refusal(error: VenueError) -> web.Response:
    return answer({"code": error.code, "msg": error.text}, error.status)


async def start(
    venue: Venue,
    market: Market,
    address: tuple[str, int],
    fault_seed: int | None = None,
) -> tuple[web.AppRunner, int]:
    """Serve on (host, port; 0: any free one) from now on; the runner, to be cleaned up, and the port.

    Raises OSError if the port is taken.
    """
    server = _Server(venue, market, fault_seed)
    server.prime()
    runner = web.AppRunner(server.application(), access_log=None, shutdown_timeout=_SHUTDOWN_SECONDS_MAX)
    await runner.setup()
    host, port = address
    site = web.TCPSite(runner, host, port, backlog=512)
    await site.start()
    return runner, int(runner.addresses[0][1])
