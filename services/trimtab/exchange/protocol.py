"""The HTTP server's own part: what is no HTTP is refused in the dialect's words, without one in the log."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from aiohttp import web

from trimtab.exchange import errors
from trimtab.exchange.errors import VenueError

Refusal = Callable[[VenueError], web.Response]


class Protocol(web.RequestHandler):
    """One connection. Bodies stay as they were sent, whatever their Content-Encoding says."""

    refusal: Refusal  # puts a refusal into the dialect's words

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Answer bytes that are no request; what fails in a handler goes aiohttp's way, into the log."""
        if status != 400:
            return super().handle_error(request, status, exc, message)
        refused = self.refusal(errors.illegal_bytes())
        refused.force_close()
        return refused


@dataclass(frozen=True, slots=True)
class Serving:
    """An application that listens at `port`."""

    port: int
    _runner: web.AppRunner
    _listening: asyncio.Server

    async def cleanup(self) -> None:
        """Stop listening, end the connections, shut the application down."""
        self._listening.close()
        await self._runner.cleanup()


async def listen(
    application: web.Application, host: str, port: int, shutdown_seconds_max: float, refusal: Refusal
) -> Serving:
    """Serve on host and port (0: any free one) from now on; connections get so long to end.

    Raises OSError if the port is taken.
    """
    runner = web.AppRunner(application, access_log=None, shutdown_timeout=shutdown_seconds_max)
    await runner.setup()
    loop, manager = asyncio.get_running_loop(), runner.server
    if manager is None:
        raise RuntimeError("an application that is set up has a server")

    def connected() -> Protocol:
        made = Protocol(manager, loop=loop, access_log=None, auto_decompress=False)  # type: ignore[arg-type]  # None: no log
        made.refusal = refusal
        return made

    try:
        listening = await loop.create_server(connected, host, port, backlog=512)
    except OSError:
        await runner.cleanup()
        raise
    return Serving(int(listening.sockets[0].getsockname()[1]), runner, listening)
