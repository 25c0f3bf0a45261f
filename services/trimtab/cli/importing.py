"""`trimtab import`: market data that others recorded, as market topics under a prefix of their own or in an archive."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from trimtab.cli.output import Json, result, say, table

if TYPE_CHECKING:
    from trimtab.adapters.kafka.backfill import Backfill
    from trimtab.adapters.memory.clock import VirtualClock
    from trimtab.imports.findings import Findings
    from trimtab.imports.source import Source
    from trimtab.ingest.handlers import Outlet
    from trimtab.messages import Message


def import_(
    tapes: Annotated[
        list[Path], typer.Argument(exists=True, metavar="FILE...", help="Files or folders, of one format.")
    ],
    kind: Annotated[Literal["ohlcv", "binance-ws", "coinbase-l2"], typer.Option("--format", help="What they are.")],
    archive: Annotated[Path | None, typer.Option(metavar="FOLDER", help="Write an archive, as `record` does.")] = None,
    prefix: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Publish on Kafka, on topics with this new prefix.")
    ] = None,
    venue: Annotated[
        str | None, typer.Option(help="Name of the venue; default binance, of coinbase-l2 coinbase.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Import market data as market.ticks, market.books and market.frames, with their own times.

    Gaps, duplicates, disorder and nonsense prices are counted and shown; docs/archives.md says what becomes of them.
    """
    if archive is None and prefix is None:
        raise typer.BadParameter("where to is missing; allowed: --archive, --prefix, or both.")
    from trimtab.imports.capture import unpacked

    with unpacked(tapes) as paths:
        found = asyncio.run(_imported(kind, paths, venue, archive, prefix))
    result(found.document(), as_json=as_json, readable=lambda: _show(found))


@dataclass(slots=True)
class Imported:
    """What came of it; `tally` counts messages by topic, times are of the frames."""

    source: "Source"
    findings: "Findings"
    tally: Counter[str] = field(default_factory=Counter)
    first_us: int | None = None
    last_us: int | None = None
    outlets: Sequence["Outlet"] = ()

    def publish_nowait(self, message: "Message") -> bool:
        """Hand a message to every outlet."""
        from trimtab.messages import Frame
        from trimtab.topics import topic_of

        self.tally[topic_of(message).name] += 1
        if isinstance(message, Frame):
            self.first_us = message.event_time_us if self.first_us is None else self.first_us
            self.last_us = message.event_time_us
        taken = True
        for outlet in self.outlets:
            taken = outlet.publish_nowait(message) and taken
        return taken

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it; times in ISO 8601, UTC."""
        from trimtab.drift.explanation import time_text
        from trimtab.imports.findings import GAP

        return {
            "rows": self.tally.total(),
            "first": None if self.first_us is None else time_text(self.first_us),
            "last": None if self.last_us is None else time_text(self.last_us),
            "gaps": self.findings.count(GAP),
            "found": self.findings.document(),
            "topics": dict(sorted(self.tally.items())),
            "instruments": sorted(item.key for item in self.source.instruments.values()),
        }


async def _imported(
    kind: str, tapes: Sequence[Path], venue: str | None, archive: Path | None, prefix: str | None
) -> Imported:
    from trimtab.adapters.memory.clock import VirtualClock
    from trimtab.cli.progress import tape_bar
    from trimtab.cli.start import started
    from trimtab.imports.feeding import Feeding
    from trimtab.imports.findings import Findings
    from trimtab.imports.source import opened

    settings, clock, findings = started(), VirtualClock(), Findings()
    source = opened(kind, tapes, findings, venue)
    found = Imported(source, findings)
    async with AsyncExitStack() as open_things:
        backfill = await _open_outlets(open_things, found, clock, archive, prefix)
        on_time = open_things.enter_context(tape_bar(*source.span_us))
        feeding = Feeding(source, found, clock, findings, settings.ingest, " ".join([kind, *(t.name for t in tapes)]))
        for time_us in feeding.run():
            on_time(time_us)
            if backfill is not None and backfill.full:
                await backfill.flush()
        if backfill is not None:
            await backfill.flush()
    return found


async def _open_outlets(
    open_things: AsyncExitStack, found: Imported, clock: "VirtualClock", archive: Path | None, prefix: str | None
) -> "Backfill | None":
    """Open an archive and the topics of a prefix, as far as they are wanted; return the latter."""
    from trimtab.adapters.archive.outlet import UNREGISTERED, market_outlet
    from trimtab.adapters.archive.writing import new_archive
    from trimtab.adapters.avro import Codec
    from trimtab.adapters.kafka.backfill import open_backfill
    from trimtab.cli.start import started
    from trimtab.topics import TOPICS

    outlets: list[Outlet] = []
    backfill = None
    if archive is not None:
        codec = Codec({topic.name: UNREGISTERED for topic in TOPICS})
        writer = open_things.enter_context(new_archive(archive, codec))
        outlets.append(open_things.enter_context(market_outlet(writer, codec, clock.now_us)))
    if prefix is not None:
        backfill = await open_things.enter_async_context(open_backfill(started(), prefix))
        outlets.append(backfill)
    found.outlets = outlets
    return backfill


def _show(found: Imported) -> None:
    said = found.document()
    table("imported", ("topic", "records"), list(said["topics"].items()))
    rows = [(kind, each["count"], "; ".join(each["first"])) for kind, each in said["found"].items() if each["count"]]
    if rows:
        table("found in it", ("what", "times", "first"), rows)
    say(f"{', '.join(said['instruments'])}: {said['rows']} records from {said['first']} to {said['last']}")
