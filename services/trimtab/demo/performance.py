"""One portfolio on one tape through the whole line, from the tape's first moment to its end, and nothing else."""

import asyncio
from collections.abc import Callable
from decimal import Decimal

from trimtab.adapters.postgres.opening import PublishingLedger
from trimtab.demo.cast import Cast
from trimtab.demo.opening import curtain, hand_out
from trimtab.demo.settling import come_to_rest
from trimtab.demo.stage import Stage
from trimtab.embedded.warm import prepare
from trimtab.settings import Settings

_POLL_SECONDS = 0.25
# After everybody answers: consumers join their groups, books are asked for, the first full frame is decided on.
_SETTLE_IN_SECONDS = 3.0

OnTime = Callable[[int], None]
"""Told the market's time (UTC microseconds) now and then."""


class Performance:
    """The line on a stage. The market stands still until everybody has their money and is at work."""

    def __init__(self, stage: Stage, cast: Cast, prices: dict[str, Decimal], on_time: OnTime) -> None:
        """The stage's exchange runs already, its market not; `prices` are those it shows, by asset."""
        self._stage, self._cast, self._prices, self._on_time = stage, cast, prices, on_time

    async def run(self) -> Settings:
        """Play the tape to its end and come to rest; return the settings under which the topics can be read.

        Raises:
            TrimtabError: if a part does not come up, the tape breaks, or the line does not come to rest.
        """
        stage, cast, sim = self._stage, self._cast, self._stage.sim
        await asyncio.to_thread(prepare, stage.on_event)
        await asyncio.to_thread(stage.start_stack)
        async with curtain(stage, cast, self._prices) as (process, ledger):
            await asyncio.to_thread(stage.start_services)
            await self._settle_in(ledger)
            sim.resume()
            while not await asyncio.to_thread(sim.over):
                await self._pause("")
            await come_to_rest(ledger, sim, cast.accounts, self._pause)
            sim.pause()
            return process.settings

    async def _settle_in(self, ledger: PublishingLedger) -> None:
        await hand_out(ledger, self._cast, self._prices, lambda: self._pause(""))
        await asyncio.sleep(_SETTLE_IN_SECONDS)

    async def _pause(self, _phase: str) -> None:
        self._on_time(self._stage.sim.status()["market_us"])
        await asyncio.sleep(_POLL_SECONDS)
