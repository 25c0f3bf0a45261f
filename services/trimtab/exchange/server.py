"""The process: HTTP and websocket server, the market's pace, the schedule of faults."""

import asyncio
import contextlib
import sys
import traceback
from collections.abc import AsyncIterator, Iterator
from itertools import chain

from aiohttp import web

from trimtab.exchange.binance import Binance
from trimtab.exchange.controls import Controls
from trimtab.exchange.dialect import Dialect
from trimtab.exchange.holders import Holders
from trimtab.exchange.market import Market, MarketEvent
from trimtab.exchange.misconduct import Misconduct
from trimtab.exchange.mishaps import Mishaps
from trimtab.exchange.protocol import Serving, listen
from trimtab.exchange.schedule import schedule
from trimtab.exchange.tape_file import TapeError
from trimtab.exchange.venue import Venue

_BATCH = 200  # events before other tasks get their turn
_SHUTDOWN_SECONDS_MAX = 1.0  # what clients with open websockets get, once it is told to stop
_NAP_SECONDS_MIN, _NAP_SECONDS_MAX = 0.002, 0.05


class _Server:
    """A venue behind HTTP. `fault_seed` starts the seeded schedule of faults."""

    def __init__(self, venue: Venue, market: Market, dialect: Dialect, fault_seed: int | None) -> None:
        self._venue = venue
        self._dialect = dialect
        self._endpoints = dialect.endpoints(venue)
        self._events: Iterator[MarketEvent] = market.events()
        self._start_us = market.start_us
        self._fault_seed = fault_seed
        self._misconduct = Misconduct(venue)

    def application(self) -> web.Application:
        """The aiohttp application; the market runs while it does."""
        mishaps = Mishaps(self._venue, self._dialect)
        application = web.Application(middlewares=[self._endpoints.gate, mishaps.middleware])
        controls = Controls(self._venue, self._misconduct, self._dialect)
        for part in (*self._endpoints.parts, controls, Holders(self._venue)):
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
        self._misconduct.disarm()
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
        except Exception as error:  # noqa: BLE001 - a market that stops without a word would be waited for without an end
            self._venue.broken = f"the market stopped: {error!r}"
            traceback.print_exc()
        finally:
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
        symbols = sorted(self._venue.engine.instruments)
        for at, fault in schedule(seed, symbols, targets=self._dialect.targets):
            await asyncio.sleep(max(0.0, start + at - loop.time()))
            self._misconduct.arm(fault)


async def start(
    venue: Venue,
    market: Market,
    address: tuple[str, int],
    fault_seed: int | None = None,
    dialect: Dialect | None = None,
) -> Serving:
    """Serve on (host, port; 0: any free one) from now on, in Binance's dialect unless another is named.

    Raises OSError if the port is taken, TapeError if the market has no good beginning.
    """
    spoken = dialect or Binance()
    server = _Server(venue, market, spoken, fault_seed)
    server.prime()
    return await listen(server.application(), *address, _SHUTDOWN_SECONDS_MAX, spoken.refusal)
