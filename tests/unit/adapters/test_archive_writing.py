"""Archives: standard files, the very bytes of the topics, whole or not there, read by the block."""

import gc
import tracemalloc
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import fastavro
import pytest

from archive_files import CODEC, Shelf
from examples import messages
from trimtab.adapters.archive import topic_file
from trimtab.adapters.archive.recorded import open_archive
from trimtab.adapters.archive.writing import new_archive
from trimtab.adapters.manifest import examples
from trimtab.domain.errors import InvalidValueError, UnreachableError
from trimtab.messages import Frame
from trimtab.ports.recorded import Stamped
from trimtab.topics import MARKET_FRAMES, MARKET_RISK, PORTFOLIO_STATE, TOPICS

FRAME = messages("market.frames")[0]


def frame(number: int) -> Frame:
    assert isinstance(FRAME, Frame)
    return replace(FRAME, sequence=number)


def written(folder: Path, frames: int) -> Path:
    shelf = Shelf()
    for number in range(frames):
        shelf.put(frame(number), 1_000 + number)
    return shelf.write(folder, [MARKET_FRAMES])


def plain(value: Any) -> Any:
    """Return a value of a standard reader as the examples have it."""
    if isinstance(value, dict):
        return {name: plain(item) for name, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, Decimal):
        text = format(value, "f")
        return (text.rstrip("0").rstrip(".") or "0") if "." in text else text
    return round(value.timestamp() * 1e6) if isinstance(value, datetime) else value


def test_a_standard_reader_needs_nothing_but_the_files(tmp_path: Path) -> None:
    shelf = Shelf()
    for topic in TOPICS:
        for number, message in enumerate(messages(topic.name)):
            shelf.put(message, 1_790_000_000_000 + number)
    folder = shelf.write(tmp_path / "archive")
    for topic in TOPICS:
        with (folder / f"{topic.name}.avro").open("rb") as file:
            found: list[Any] = list(fastavro.reader(file))
        assert [plain(row["value"]) for row in found] == examples(topic.name)
        assert [(row["partition"], row["offset"], row["framed"]) for row in found] == [
            (0, number, None) for number in range(len(found))
        ]
        assert [round(row["recorded_ms"].timestamp() * 1e3) for row in found] == [
            1_790_000_000_000 + number for number in range(len(found))
        ]


def test_bytes_of_another_schema_and_of_none_are_kept_as_they_are(tmp_path: Path) -> None:
    shelf, good = Shelf(), CODEC.encode(frame(1))
    foreign = b"\x00\x00\x00\x00\x63" + good[5:]
    shelf.put_raw(MARKET_FRAMES, None, good, 1)
    shelf.put_raw(MARKET_FRAMES, None, foreign, 1)
    shelf.put_raw(MARKET_FRAMES, None, b"\xff\xfe", 1)
    folder = shelf.write(tmp_path / "archive", [MARKET_FRAMES])
    with (folder / "market.frames.avro").open("rb") as file:
        rows: list[Any] = list(fastavro.reader(file))
    assert [row["framed"] for row in rows] == [None, foreign, b"\xff\xfe"]
    assert [row["value"] is None for row in rows] == [False, True, True]
    assert [each.value for each in open_archive(folder).whole(MARKET_FRAMES)] == [good]


def test_a_recording_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail() -> None:
        with new_archive(tmp_path / "archive", CODEC) as archive, archive.topic(MARKET_FRAMES, {0: (0, 1)}):
            raise UnreachableError("Kafka", "nowhere", "test")

    with pytest.raises(UnreachableError):
        fail()
    assert list(tmp_path.iterdir()) == []


def test_a_recording_that_is_killed_is_no_archive(tmp_path: Path) -> None:
    with new_archive(tmp_path / "archive", CODEC) as archive, archive.topic(MARKET_FRAMES, {0: (0, 1)}):
        (part,) = tmp_path.iterdir()
        assert not (tmp_path / "archive").exists()
        with pytest.raises(InvalidValueError, match=r"archive: found .*; allowed: a folder that trimtab record"):
            open_archive(part)


@pytest.mark.parametrize("name", ["there", "nowhere/archive"])
def test_nothing_is_written_over(tmp_path: Path, name: str) -> None:
    (tmp_path / "there").mkdir()
    with (
        pytest.raises(InvalidValueError, match="allowed: a new folder, in one that is there"),
        new_archive(tmp_path / name, CODEC),
    ):
        pass


def test_a_topic_that_is_not_in_it_is_said(tmp_path: Path) -> None:
    recorded = open_archive(written(tmp_path / "archive", 1))
    with pytest.raises(UnreachableError, match=r"it holds market\.frames; market\.risk is needed"):
        recorded.marks(MARKET_RISK)


def test_spans_begin_at_the_block_that_has_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_file, "BLOCK_BYTES", 4_096)
    recorded = open_archive(written(tmp_path / "archive", 300))
    blocks = recorded._contents.topics["market.frames"].blocks
    assert len(blocks) > 10
    read: list[int] = []
    container = recorded._container(MARKET_FRAMES)
    taken = container._bytes
    monkeypatch.setattr(container, "_bytes", lambda start, end, digest: read.append(start) or taken(start, end, digest))
    for offset in (0, 1, blocks[1].first_offset - 1, blocks[1].first_offset, 150, 299):
        found = recorded.at(MARKET_FRAMES, offset)
        assert found is not None
        assert found.message == frame(offset)
        assert recorded.after(MARKET_FRAMES, 999 + offset) == offset
    assert len(read) == 12


def test_what_stands_before_a_keys_first_record_may_be_gone(tmp_path: Path) -> None:
    shelf, state = Shelf(), messages("portfolio.state")[0]
    for number in range(4):
        shelf.put(state, number, partition=3)
    shelf.kept["portfolio.state"] = [raw for raw in shelf.kept["portfolio.state"] if raw.offset >= 2]
    key = PORTFOLIO_STATE.key(state)  # type: ignore[arg-type] # an example of this topic
    assert key is not None
    found = open_archive(shelf.write(tmp_path / "archive", [PORTFOLIO_STATE])).history(PORTFOLIO_STATE, key)
    assert (found.hole, found.beheaded, len(found.records)) == (0, True, 2)


def test_reading_holds_one_block_however_long_the_tape_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(topic_file, "BLOCK_BYTES", 16_384)
    peaks: list[int] = []
    for frames in (400, 3_000):
        recorded = open_archive(written(tmp_path / f"archive-{frames}", frames))
        seen = alive = 0
        next(recorded.whole(MARKET_FRAMES))  # what is made once
        gc.collect()
        tracemalloc.start()
        for number, _ in enumerate(recorded.whole(MARKET_FRAMES)):
            seen += 1
            if number % 500 == 0:
                alive = max(alive, sum(type(each) is Stamped for each in gc.get_objects()))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert seen == frames
        assert alive <= 2
    assert peaks[1] < 1.2 * peaks[0], peaks
