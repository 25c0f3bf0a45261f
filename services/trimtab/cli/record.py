"""`trimtab record`: topics as a folder of Avro container files, which needs no Kafka to be read."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from trimtab.cli.output import Json, result, say, table
from trimtab.cli.start import started

if TYPE_CHECKING:
    from trimtab.adapters.archive.writing import ArchiveWriter
    from trimtab.adapters.kafka.recorded import RecordedTopics
    from trimtab.cli.progress import OnTopic
    from trimtab.replay.continuity import Continuity
    from trimtab.settings import Settings
    from trimtab.topics import Topic

_FRAME = "OFFSET|TIME"
_FRAMES = "market.frames"
# Of these only what was written while the frames were; of all others everything, as decisions cite what is old.
_AS_LONG_AS_FRAMES = frozenset({"market.ticks", "market.books"})


def record(
    folder: Annotated[Path, typer.Argument(help="A new folder for the archive.")],
    begin: Annotated[
        str | None,
        typer.Option("--from", metavar=_FRAME, help="The first frame: offset, ISO 8601 UTC or event time us."),
    ] = None,
    end: Annotated[str | None, typer.Option("--to", metavar=_FRAME, help="The last frame.")] = None,
    only: Annotated[
        list[str] | None, typer.Option(metavar="TOPIC", help="Of the other topics only this one; may be repeated.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Write the recorded topics as an archive: Avro container files that any Avro reader opens, and archive.json.

    Every topic of the manifest is written. Of market.frames, ticks and books it holds the span that is asked for, from
    the last full frame before it on; of all others everything, since decisions cite what may be old.
    """
    from trimtab.cli.when import frame_or_time
    from trimtab.topics import TOPICS, topic_named

    first, last = (
        frame_or_time(text, option) if text is not None else (None, None)
        for text, option in ((begin, "--from"), (end, "--to"))
    )
    wanted = {_FRAMES, *(topic_named(name).name for name in only)} if only else {topic.name for topic in TOPICS}
    found = recorded_in(started(), folder, first, last, [topic for topic in TOPICS if topic.name in wanted])
    result(found.document(), as_json=as_json, readable=lambda: _show(found))


@dataclass(frozen=True, slots=True)
class Recording:
    """What was written: records and unreadable ones by topic, and how its frames follow on one another."""

    folder: Path
    topics: Mapping[str, tuple[int, int]]
    frames: "Continuity"

    def document(self) -> dict[str, Any]:
        """Return it as JSON has it; times in ISO 8601, UTC."""
        from trimtab.drift.explanation import time_text

        first_us, last_us = self.frames.first_us, self.frames.last_us
        return {
            "folder": str(self.folder),
            "rows": sum(records for records, _ in self.topics.values()),
            "first": None if first_us is None else time_text(first_us),
            "last": None if last_us is None else time_text(last_us),
            "gaps": self.frames.gaps,
            "gaps_at": self.frames.places,
            "disorder": self.frames.disorder,
            "topics": {
                name: {"rows": records, "unreadable": unreadable} for name, (records, unreadable) in self.topics.items()
            },
        }


def recorded_in(
    settings: "Settings",
    folder: Path,
    begin: tuple[int | None, int | None],
    end: tuple[int | None, int | None],
    topics: list["Topic[Any]"],
) -> Recording:
    """Write these topics' records between two frames into a new archive.

    Raises:
        UnreachableError: if Kafka or the registry does not answer, or no full frame is kept.
    """
    from trimtab.adapters.archive.writing import new_archive
    from trimtab.adapters.kafka.reading import read_codec
    from trimtab.adapters.kafka.recorded import open_recorded
    from trimtab.cli.progress import topics_bar
    from trimtab.replay.continuity import Continuity
    from trimtab.replay.extent import extent

    frames, codec = Continuity(), read_codec(settings)
    with new_archive(folder, codec) as archive, open_recorded(settings) as recorded, topics_bar() as bar:
        _, last, start = extent(recorded, begin, end)
        bounds = _bounds(recorded, topics, start, last)
        for topic in topics:
            _write(archive, recorded, topic, bounds[topic.name], frames, bar)
        kept = archive.contents().topics
    return Recording(folder, {name: (each.records, each.unreadable) for name, each in kept.items()}, frames)


def _bounds(
    recorded: "RecordedTopics", topics: list["Topic[Any]"], start: int, last: int
) -> Mapping[str, Mapping[int, tuple[int, int]]]:
    """Return what is to be written of each topic: the first offset of each partition, and the one after its last."""
    from trimtab.topics import MARKET_FRAMES

    ends = [recorded.at(MARKET_FRAMES, offset) for offset in (start, last)]
    first_ms, last_ms = (None if each is None else each.recorded_ms for each in ends)
    found: dict[str, Mapping[int, tuple[int, int]]] = {}
    for topic in topics:
        short = topic.name in _AS_LONG_AS_FRAMES
        found[topic.name] = recorded.bounds(topic, first_ms, last_ms) if short else recorded.bounds(topic)
    return found | {_FRAMES: {0: (start, last + 1)}}


def _write(
    archive: "ArchiveWriter",
    recorded: "RecordedTopics",
    topic: "Topic[Any]",
    bounds: Mapping[int, tuple[int, int]],
    frames: "Continuity",
    bar: "OnTopic",
) -> None:
    advance = bar(topic.name, sum(end - first for first, end in bounds.values()))
    with archive.topic(topic, bounds) as file:
        for raw in recorded.raw(topic, bounds):
            row = file.add(raw)
            if topic.name == _FRAMES and row is not None:
                frames.see(raw.offset, row["session"], row["sequence"], row["event_time_us"])
            advance()


def _show(found: Recording) -> None:
    said = found.document()
    rows = [(name, records, unreadable) for name, (records, unreadable) in found.topics.items()]
    table(f"{found.folder}", ("topic", "records", "of them unreadable"), rows)
    gaps = (
        f", {said['gaps']} gaps, at frames {', '.join(map(str, found.frames.places))}" if said["gaps"] else ", no gap"
    )
    say(f"{said['rows']} records; frames from {said['first']} to {said['last']}{gaps}")
    if said["disorder"]:
        say(f"{said['disorder']} frames have an event time before that of the frame before them")
