"""The drift service: frames, risk and portfolio states in, rebalance signals, targets, risk estimates and costs out.

market.frames ──broadcast──> Watch ──> rebalance.signals, portfolio.targets
market.risk ────broadcast────┤ │
market.costs ───broadcast────┤ │
portfolio.targets ─broadcast─┘ │
portfolio.state ──group──> Intake (this worker's copy)
market.frames ────group──────┘ └─> Estimating ──> market.risk
execution.fills ────on demand───────> Refitting ──> market.costs
rebalance.signals ──on demand───────────┘
"""

import asyncio
from dataclasses import asdict

from trimtab.adapters.kafka.broadcast import FROM_BEGINNING, BroadcastReader, Start
from trimtab.adapters.kafka.deadletter import DeadLetter, DeadLetters
from trimtab.adapters.kafka.snapshot import SnapshotReader
from trimtab.adapters.kafka.stretches import StretchReader
from trimtab.adapters.process import Process, run_service
from trimtab.documents import parse_document
from trimtab.drift.estimating import Estimating
from trimtab.drift.intake import Intake
from trimtab.drift.portfolios import Portfolios
from trimtab.drift.refitting import Refitting
from trimtab.drift.stream import Raw, Stream
from trimtab.drift.watching import Watch
from trimtab.topics import (
    EXECUTION_FILLS,
    MARKET_COSTS,
    MARKET_FRAMES,
    MARKET_RISK,
    PORTFOLIO_STATE,
    PORTFOLIO_TARGETS,
    REBALANCE_SIGNALS,
)

RECENT_RISK = Start(seconds_ago=6 * 3_600.0)  # an estimate older than that is made anew


async def drift(process: Process) -> None:
    """Run every loop of a drift worker until one fails for good or all are cancelled."""
    settings, kafka, codec = process.settings, process.settings.kafka, process.codec
    meter, log, portfolios = process.meter, process.log, Portfolios(parse_document)
    watch = Watch(portfolios, process.publisher, meter, log, settings.drift, process.instance)
    fills = StretchReader(kafka, codec, EXECUTION_FILLS, client_id="drift-fills")
    signals = StretchReader(kafka, codec, REBALANCE_SIGNALS, client_id="drift-signals")
    refitting = Refitting(
        process.publisher, log, fills.read, signals.read, watch.latest_costs, settings.drift.impact_coefficient
    )
    estimating = Estimating(process.publisher, log, settings.drift, watch.estimates, watch.offset, refitting)
    letters = DeadLetters(kafka, "drift", meter=meter)

    async def bury(raw: Raw, reason: str) -> None:
        await letters.send(DeadLetter(**asdict(raw), reason=reason))

    states = SnapshotReader(kafka, codec, PORTFOLIO_STATE, client_id="drift-snapshot").read
    intake = Intake(portfolios, estimating, codec.decode, process.clock, log, states, bury)
    stream = Stream(kafka, "drift", intake.assigned, intake.revoked)
    stream.subscribe(PORTFOLIO_STATE.name, intake.on_state)
    stream.subscribe(MARKET_FRAMES.name, intake.on_frame)
    risks = BroadcastReader(settings, codec, MARKET_RISK, watch.on_risk, start=RECENT_RISK, meter=meter)
    targets = BroadcastReader(settings, codec, PORTFOLIO_TARGETS, watch.on_targets, start=FROM_BEGINNING, meter=meter)
    costs = BroadcastReader(settings, codec, MARKET_COSTS, watch.on_costs, start=FROM_BEGINNING, meter=meter)
    frames = BroadcastReader(settings, codec, MARKET_FRAMES, watch.on_frame, meter=meter)
    async with asyncio.TaskGroup() as loops:
        for reader in (risks, targets, costs, frames):
            loops.create_task(reader.run())
            await reader.caught_up()
        loops.create_task(intake.rebuild())
        loops.create_task(stream.run())


def main() -> None:
    """Run a drift worker in this process."""
    run_service("drift", drift)


if __name__ == "__main__":
    main()
