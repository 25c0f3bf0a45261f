"""What stands between ccxt and the simulated exchange: it can lose, cut or empty an answer and knows what was asked."""

import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field

import aiohttp
from aiohttp import web


@dataclass
class Gateway:
    """Stands before the exchange. `strike` arms one mishap for an endpoint, such as "POST /api/v3/order"."""

    upstream: str
    asked: list[tuple[str, float]] = field(default_factory=list)  # endpoint and moment (monotonic)
    before: Callable[[str], None] = lambda _: None  # called with each endpoint before it is passed on
    after: Callable[[str], None] = lambda _: None  # and once the exchange has answered
    _armed: list[tuple[str, str]] = field(default_factory=list)

    def strike(self, endpoint: str, mishap: str) -> None:
        """`mishap`: cut, empty, html (each with status 200), reset_after, reset_before, swallow (after `before`)."""
        self._armed.append((endpoint, mishap))

    def times(self, endpoint: str) -> list[float]:
        return [moment for found, moment in self.asked if found == endpoint]

    async def handle(self, request: web.Request) -> web.StreamResponse:
        endpoint = f"{request.method} {request.path}"
        self.asked.append((endpoint, time.monotonic()))
        mishap = next((armed for armed in self._armed if armed[0] == endpoint), None)
        if mishap is not None:
            self._armed.remove(mishap)
        if mishap is not None and mishap[1] == "reset_before":
            return self._reset(request)
        self.before(endpoint)
        if mishap is not None and mishap[1] == "swallow":
            return self._reset(request)
        headers = {name: value for name, value in request.headers.items() if name.lower() != "host"}
        url = f"{self.upstream}{request.raw_path}"
        async with aiohttp.ClientSession() as session:
            try:
                answer = await session.request(request.method, url, data=await request.read(), headers=headers)
            except aiohttp.ServerDisconnectedError:
                return self._reset(request)
            async with answer:
                body = await answer.read()
                kept = {
                    name: answer.headers[name] for name in ("Content-Type", "Retry-After") if name in answer.headers
                }
        self.after(endpoint)
        if mishap is None:
            return web.Response(body=body, status=answer.status, headers=kept)
        match mishap[1]:
            case "reset_after":
                return self._reset(request)
            case "cut":
                return web.Response(body=body[: len(body) // 2], headers=kept)
            case "empty":
                return web.Response(body=b"", headers=kept)
            case _:
                return web.Response(text="<html>all is well</html>", content_type="text/html")

    @staticmethod
    def _reset(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()


@asynccontextmanager
async def gateway_before(upstream: str) -> AsyncIterator[tuple[Gateway, str]]:
    gateway = Gateway(upstream)
    application = web.Application()
    application.router.add_route("*", "/{tail:.*}", gateway.handle)
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield gateway, f"http://127.0.0.1:{runner.addresses[0][1]}"
    finally:
        await runner.cleanup()
