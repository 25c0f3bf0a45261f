"""The demo from curtain to bill: money handed out, portfolios applied, a minute of market, a deposit, the verdict."""

import asyncio
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

from trimtab.demo.bill import draw_up, outcomes
from trimtab.demo.cast import EQUITY, QUOTE, RECORDED_EQUITY, Cast
from trimtab.demo.measures import Measures
from trimtab.demo.opening import curtain, hand_out
from trimtab.demo.settling import come_to_rest
from trimtab.demo.stage import Stage
from trimtab.demo.summary import Summary
from trimtab.demo.watch import Watch
from trimtab.embedded.events import Event
from trimtab.embedded.warm import prepare
from trimtab.portfolio_file import Document
from trimtab.replay.parity import Parity
from trimtab.settings import DriftSettings, Settings

# What arrives in the middle of the demo, as a share of a portfolio's start.
_DEPOSIT_SHARE = Decimal("0.10")
_CLOSE_IN_SECONDS_MAX = 90.0
_STILL_SECONDS = 3.0
# Within this much of a tape everything that the script does has happened: ten times as fast it may last half a minute.
_TAPE_SECONDS = 24.0
_OUTAGE_SECONDS_MAX = 120.0
_POLL_SECONDS = 0.25


@dataclass(frozen=True)
class Script:
    """What happens when. `seconds` None plays a tape to its end; `kills` are ended by kill -9, spread over the run."""

    documents: Mapping[Path, Document]
    seconds: float | None = 60.0
    kills: Sequence[str] = ()


class Play:
    """One run of the demo on a stage. `progress(phase, measures)` is called a few times a second.

    `replayed` decides everything that was recorded again.
    """

    def __init__(
        self,
        stage: Stage,
        script: Script,
        progress: Callable[[str, Measures], None],
        replayed: Callable[[Settings], Parity],
    ) -> None:
        self._stage = stage
        self._replayed = replayed
        self._script = script
        self._progress = progress

    async def run(self) -> Summary:
        """Play and return the bill.

        Raises:
            TrimtabError: if a part does not come up, or the line does not come to rest.
        """
        stage = self._stage
        # First: a tape that does not hold, or that has none of the portfolios' assets, is said at once.
        sim = await asyncio.to_thread(stage.start_exchange)
        prices = {symbol.removesuffix(QUOTE): mid for symbol, mid in sim.prices().items()}
        self._cast = cast = self._chosen(frozenset(prices))
        await asyncio.to_thread(prepare, stage.on_event)
        began = time.monotonic()
        await asyncio.to_thread(stage.start_stack)
        ready_seconds = time.monotonic() - began
        async with curtain(stage, cast, prices) as (process, ledger):
            watch = Watch(process.settings.kafka, process.codec, {p.portfolio_id: p for p in cast.portfolios})
            self._watch = watch
            watch.start()
            await asyncio.to_thread(stage.start_services)
            await hand_out(ledger, cast, prices, lambda: self._pause("booking the venue's balances"))
            sim.resume()
            await self._trade()
            await self._close_in(process.settings.drift)
            await come_to_rest(ledger, sim, cast.accounts, self._pause)
            sim.pause()
            await asyncio.to_thread(watch.stop)
            self._progress("deciding everything again", watch.measures)
            parity = await asyncio.to_thread(self._replayed, process.settings)
            summary = await draw_up(stage.journal, cast, watch, ledger, process.settings.drift, parity)
            watch.close()
            return replace(summary, stack_ready_seconds=ready_seconds, kills=tuple(self._script.kills))

    def _chosen(self, bases: frozenset[str]) -> Cast:
        documents = self._script.documents
        equity = RECORDED_EQUITY if self._stage.market.tapes else EQUITY
        cast = Cast.of(documents, bases, equity)
        for path, document in documents.items():
            if document.portfolio not in cast.documents:
                missing = ", ".join(sorted(document.assets - {document.quote} - bases))
                self._stage.on_event(Event.now("demo", "warning", f"{path} is left out: no market for {missing}"))
        return cast

    async def _trade(self) -> None:
        """Let the market run: a deposit in the middle, kills spread over the time before the last third."""
        began = time.monotonic()
        seconds = self._script.seconds
        kills = list(self._script.kills)
        length = seconds if seconds is not None else _TAPE_SECONDS
        times = [length * 0.1 + length * 0.55 * (i + 0.5) / max(len(kills), 1) for i in range(len(kills))]
        paid = False
        while not self._over(began):
            passed = time.monotonic() - began
            if times and passed > times[0]:
                times.pop(0)
                name = kills.pop(0)
                await asyncio.to_thread(self._stage.kill, name)
                await self._pause(f"{name} killed")
            if not paid and passed > length / 2:
                receiver = self._cast.receiver
                self._stage.sim.deposit(receiver.accounts[0], receiver.quote, self._cast.equity * _DEPOSIT_SHARE)
                paid = True
            await self._pause("trading")

    async def _close_in(self, settings: DriftSettings) -> None:
        """Give what is under way the time to end: the bill is drawn when every portfolio rests within its band.

        The time counts from the last stretch without frames: without a market nobody can close in on anything.
        """
        measures = self._watch.measures
        began = moved = time.monotonic()
        deadline, frames = began + _CLOSE_IN_SECONDS_MAX, measures.frames
        while not self._over_tape():
            now = time.monotonic()
            if measures.frames != frames:
                frames, moved = measures.frames, now
            elif now - moved > _STILL_SECONDS and now - began < _OUTAGE_SECONDS_MAX:
                deadline = now + _CLOSE_IN_SECONDS_MAX
            if now > deadline or all(o.within_band for o in outcomes(self._cast, self._watch, settings)):
                return
            await self._pause("closing in")

    def _over(self, began: float) -> bool:
        if self._script.seconds is not None and time.monotonic() - began >= self._script.seconds:
            return True
        return self._over_tape()

    def _over_tape(self) -> bool:
        return self._stage.sim.over()

    async def _pause(self, phase: str) -> None:
        self._progress(phase, self._watch.measures)
        await asyncio.sleep(_POLL_SECONDS)
