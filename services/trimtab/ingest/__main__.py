"""Ingest: what venues publish, as topics.

venue feeds --> Ingest ──every update──> market.books, market.ticks
                  └──conflated, at most one an interval──> market.frames
"""

from trimtab.adapters.process import Process, run_service
from trimtab.adapters.tracing import root_context, using
from trimtab.adapters.venues.registry import feeds_of
from trimtab.domain.ids import derive
from trimtab.ingest.frames import FrameBuilder
from trimtab.ingest.handlers import Ingest


async def ingest(process: Process) -> None:
    """Follow every venue until cancelled."""
    settings = process.settings.ingest
    session = derive("ingest", process.instance)
    async with feeds_of(process.settings, process.clock) as feeds:
        flow = Ingest(
            feeds,
            FrameBuilder(session, settings.full_frame_interval_ms * 1_000),
            process.publisher,
            process.clock,
            process.meter,
            lambda tick_us: using(root_context(tick_us)),
            process.log,
            settings,
        )
        await flow.run()


def main() -> None:
    """Run ingest in this process."""
    run_service("ingest", ingest)


if __name__ == "__main__":
    main()
