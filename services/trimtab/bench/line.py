"""The whole line, trading at a high rate: many small portfolios with narrow bounds on a restless synthetic market."""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import yaml

from trimtab.bench.stages import StagedMeasures
from trimtab.demo.cast import Cast, read_folder
from trimtab.demo.opening import curtain, hand_out
from trimtab.demo.stage import MarketChoice, Stage
from trimtab.demo.watch import Watch
from trimtab.domain.errors import UnreachableError
from trimtab.embedded.events import Event, OnEvent
from trimtab.embedded.warm import prepare

_BASES = ("BTC", "ETH", "SOL", "XRP", "AVAX", "LINK", "ADA", "DOGE", "DOT", "LTC", "BNB", "ATOM")
_ACCOUNTS = 3
_VOLATILITY = 120.0
# Orders cross at once, so that a portfolio is soon free for its next signal; the venue's limits are out of the way.
_TUNING = {
    "executor": {"patience_seconds": 0.05, "rest_seconds_min": 0.2},
    "venues": {"binance": {"requests_per_second": 200.0}},
    "log": {"format": "json"},
}
_LIMITS = {"request_weight_1m": 1_000_000, "orders_10s": 100_000}
_POLL_SECONDS = 0.1
_BOOKING_SECONDS_MAX = 60.0


@dataclass(frozen=True)
class TradingLine:
    """The line while it trades. `measures` fill by themselves; `events` tell of every part that came up."""

    stage: Stage
    measures: StagedMeasures
    events: list[Event]

    def pids(self) -> dict[str, int]:
        """Return the process id of every part, by name."""
        return {**self.stage.stack.pids(), **self.stage.line.pids()}


@asynccontextmanager
async def trading_line(folder: Path, on_event: OnEvent) -> AsyncIterator[TradingLine]:
    """Bring the line up below `folder` and let it trade inside the block.

    Raises:
        TrimtabError: if a part does not come up, or the first deposits are not booked within a minute.

    """
    events: list[Event] = []

    def heard(event: Event) -> None:
        events.append(event)
        on_event(event)

    stage = Stage(folder, MarketChoice(volatility=_VOLATILITY), tuning=_TUNING, on_event=heard)
    try:
        await asyncio.to_thread(prepare, stage.on_event)
        await asyncio.to_thread(stage.start_stack)
        sim = await asyncio.to_thread(stage.start_exchange)
        await asyncio.to_thread(sim.limit, **_LIMITS)
        prices = {symbol.removesuffix("USDT"): mid for symbol, mid in sim.prices().items()}
        cast = _cast()
        async with curtain(stage, cast, prices) as (process, ledger):
            watch = Watch(process.settings.kafka, process.codec, {p.portfolio_id: p for p in cast.portfolios})
            watch.measures = measures = StagedMeasures()  # before the first record is read
            await asyncio.to_thread(stage.start_services)
            sim.resume()
            await hand_out(ledger, cast, prices, _booking())
            watch.start()
            try:
                yield TradingLine(stage, measures, events)
            finally:
                sim.pause()  # the watch reads until nothing more comes
                await asyncio.to_thread(watch.stop)
                watch.close()
    finally:
        await asyncio.to_thread(stage.stop)


def _booking() -> Callable[[], Awaitable[None]]:
    """Return a pause that loses its patience after a minute."""
    deadline = time.monotonic() + _BOOKING_SECONDS_MAX

    async def pause() -> None:
        if time.monotonic() > deadline:
            raise UnreachableError("the reconciler", "this machine", "it did not book the first deposits")
        await asyncio.sleep(_POLL_SECONDS)

    return pause


def _cast() -> Cast:
    """Return one portfolio an asset: half of it, half cash, with a narrow band. So every signal is one order at once.

    They are written as files and read back: what trades has passed the checks that any portfolio passes.
    """
    with tempfile.TemporaryDirectory(prefix="trimtab-bench-") as folder:
        for number, base in enumerate(_BASES):
            document = {
                "portfolio": f"bench-{base.lower()}",
                "quote": "USDT",
                "accounts": [f"bench-{number % _ACCOUNTS}"],
                "targets": {base: 0.5, "USDT": 0.5},
                "policy": {"kind": "threshold", "absolute": 0.0015},
                "limits": {"signals_per_hour": 3_600, "slippage_budget_spreads": 5},
            }
            Path(folder, f"{base}.yaml").write_text(yaml.safe_dump(document))
        return Cast.of(read_folder(Path(folder)), frozenset(_BASES))
