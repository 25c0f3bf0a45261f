"""Archives of which something is broken: a clear error that says where, never a wrong record and never a traceback."""

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from archive_files import CODEC, Shelf
from examples import messages
from trimtab.adapters.archive import topic_file
from trimtab.adapters.archive.contents import Contents, load, save
from trimtab.adapters.archive.errors import DamagedError
from trimtab.adapters.archive.recorded import open_archive
from trimtab.adapters.archive.writing import new_archive
from trimtab.adapters.avro import Codec
from trimtab.domain.errors import InvalidValueError, TrimtabError
from trimtab.messages import Frame
from trimtab.ports.recorded import RawRecord
from trimtab.topics import MARKET_FRAMES, MARKET_RISK, PORTFOLIO_STATE, TOPICS, Topic

EXAMPLE = messages("market.frames")[0]
KEPT = (MARKET_FRAMES, MARKET_RISK, PORTFOLIO_STATE)
FRAMES = 120


def frame(number: int) -> Frame:
    assert isinstance(EXAMPLE, Frame)
    return replace(EXAMPLE, sequence=number)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of some blocks in which nothing is wrong."""
    shelf = Shelf()
    for number in range(FRAMES):
        shelf.put(frame(number), 1_000 + number)
    for topic in KEPT[1:]:
        for message in messages(topic.name):
            shelf.put(message, 5)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(topic_file, "BLOCK_BYTES", 4_096)
        return shelf.write(tmp_path_factory.mktemp("whole") / "archive", KEPT)


def everything(folder: Path) -> list[Any]:
    """Read all of it, every way there is."""
    recorded = open_archive(folder)
    found: list[Any] = [each for topic in KEPT for each in recorded.whole(topic)]
    low, high = recorded.marks(MARKET_FRAMES)
    found += recorded.span(MARKET_FRAMES, (low + high) // 2, high)
    found += [recorded.at(MARKET_FRAMES, high - 1), recorded.after(MARKET_FRAMES, 1_050)]
    return [*found, recorded.history(PORTFOLIO_STATE, "core-60-30-10")]


def copied(whole: Path, folder: Path) -> Path:
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(whole, folder)
    return folder


def bitten(data: bytes, where: int, how: str) -> bytes:
    """Return the bytes damaged at a place."""
    match how:
        case "flipped":
            return data[:where] + bytes([data[where] ^ (1 << where % 8)]) + data[where + 1 :]
        case "cut":
            return data[:where]
        case "lost":
            return data[:where] + data[where + 1 :]
        case "doubled":
            return data[:where] + data[where : where + 64] + data[where:]
        case _:
            return data[:where] + bytes(len(data) - where)


# The short form, always the same cases; any number of others with --hypothesis-seed and a profile of its own.
@seed(20261122)
@settings(max_examples=80, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(data=st.data())
def test_any_damage_to_any_file_is_found(whole: Path, tmp_path: Path, data: st.DataObject) -> None:
    intact = everything(whole)
    folder = copied(whole, tmp_path / "archive")
    path = folder / data.draw(st.sampled_from(sorted(each.name for each in whole.iterdir())))
    before = path.read_bytes()
    where = data.draw(st.integers(0, len(before) - 1))
    after = bitten(before, where, data.draw(st.sampled_from(["flipped", "cut", "lost", "doubled", "zeros"])))
    path.write_bytes(after)
    try:
        found = everything(folder)
    except TrimtabError as error:
        said = str(error)
        assert path.name in said or str(folder) in said
        assert "\n" not in said
    else:
        assert found == intact, "a record came out that was not put in"
        if path.suffix == ".avro":
            assert after == before


@pytest.mark.parametrize(
    ("damage", "said"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), r"market\.frames\.avro: found '\d+ bytes'; allowed"),
        (lambda path: path.unlink(), r"market\.frames\.avro: found 'no such file'"),
        (lambda path: path.write_bytes(b"x" * path.stat().st_size), r"bytes 0 to \d+: found 'digest"),
    ],
)
def test_it_is_said_where(whole: Path, tmp_path: Path, damage: Callable[[Path], Any], said: str) -> None:
    folder = copied(whole, tmp_path / "archive")
    damage(folder / "market.frames.avro")
    with pytest.raises(DamagedError, match=said):
        everything(folder)


def test_blocks_before_the_damage_can_be_read(whole: Path, tmp_path: Path) -> None:
    folder = copied(whole, tmp_path / "archive")
    path, blocks = folder / "market.frames.avro", load(folder).topics["market.frames"].blocks
    data = bytearray(path.read_bytes())
    data[blocks[1].end + 30] ^= 1  # in the third block
    path.write_bytes(data)
    recorded = open_archive(folder)
    good = list(recorded.span(MARKET_FRAMES, 0, blocks[2].first_offset))
    assert [each.message.sequence for each in good] == list(range(blocks[2].first_offset))
    with pytest.raises(DamagedError, match=rf"bytes {blocks[1].end} to {blocks[2].end}: found 'digest"):
        list(recorded.span(MARKET_FRAMES, 0, blocks[2].first_offset + 1))


def _rewritten(whole: Path, folder: Path, change: Callable[[dict[str, Any]], object]) -> Path:
    """Return an archive whose contents were changed, under a digest that fits."""
    copied(whole, folder)
    document = load(folder).model_dump(mode="json")
    change(document["topics"])
    save(Contents.model_validate(document), folder)
    return folder


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda topics: topics["market.frames"].update(file="market.risk.avro"), "found"),
        (lambda topics: topics["market.frames"].update(partitions={"0": [0, 50]}), "offset 50.*and before 50"),
        (lambda topics: topics["market.frames"].update(partitions={"0": [7, 500]}), "offset 0.*7 or later"),
        (lambda topics: topics["market.frames"].update(partitions={"1": [0, 500]}), "partition 0"),
        (lambda topics: topics["market.frames"]["blocks"][1].__setitem__(1, 3), "records'; allowed: 3"),
    ],
)
def test_contents_that_do_not_fit_the_files_are_found(
    whole: Path, tmp_path: Path, change: Callable[[dict[str, Any]], object], said: str
) -> None:
    folder = _rewritten(whole, tmp_path / "archive", change)
    with pytest.raises(TrimtabError, match=said):
        list(open_archive(folder).whole(MARKET_FRAMES))


def test_another_topics_schema_is_found(whole: Path, tmp_path: Path) -> None:
    def swap(topics: dict[str, Any]) -> None:
        topics["market.frames"], topics["market.risk"] = topics["market.risk"], topics["market.frames"]

    folder = _rewritten(whole, tmp_path / "archive", swap)
    with pytest.raises(DamagedError, match=r"its schema is KeptRisk; this topic has KeptFrame"):
        list(open_archive(folder).whole(MARKET_FRAMES))


class Careless(Codec):
    """Takes any record as one that its readers would take."""

    def decode(self, topic: str, value: bytes | None) -> Any:
        return None


@pytest.mark.parametrize(
    ("values", "said"),
    [
        ({"sequence": -1}, "sequence"),
        ({"event_time_us": -5}, "event_time_us"),
        ({"quotes": [{"instrument": "BTC/USDT", "bids": [-100, 1], "asks": []}]}, "bids"),
    ],
)
def test_a_nonsense_record_under_sound_digests_is_an_error(tmp_path: Path, values: dict[str, Any], said: str) -> None:
    codec = Careless({topic.name: number for number, topic in enumerate(TOPICS, 1)})
    shelf = Shelf()
    record = CODEC.record("market.frames", CODEC.encode(frame(1)))
    for name, value in values.items():
        record[name] = [record[name][0] | value[0]] if isinstance(value, list) else value
    shelf.put_raw(MARKET_FRAMES, None, _raw(record, MARKET_FRAMES), 1)
    folder = shelf.write(tmp_path / "archive", [MARKET_FRAMES], codec)
    with pytest.raises(DamagedError, match=rf"partition 0, offset 0: found .*{said}"):
        list(open_archive(folder).whole(MARKET_FRAMES))


def _raw(record: dict[str, Any], topic: Topic[Any]) -> bytes:
    import io  # noqa: PLC0415 - only here

    import fastavro  # noqa: PLC0415 - only here

    from trimtab.adapters.archive.layout import our_schema  # noqa: PLC0415 - only here

    buffer = io.BytesIO()
    fastavro.schemaless_writer(buffer, our_schema(topic), record)
    return CODEC.encode(frame(0))[:5] + buffer.getvalue()


@pytest.mark.parametrize(("offsets", "said"), [((0, 2, 1), "offset 1.*3 or later"), ((0, 0), "offset 0.*1 or later")])
def test_offsets_that_run_back_are_an_error(tmp_path: Path, offsets: tuple[int, ...], said: str) -> None:
    folder = tmp_path / "archive"
    with new_archive(folder, CODEC) as archive, archive.topic(MARKET_FRAMES, {0: (0, 9)}) as file:
        for offset in offsets:
            file.add(RawRecord(0, offset, 1, None, CODEC.encode(frame(offset))))
    with pytest.raises(DamagedError, match=said):
        list(open_archive(folder).whole(MARKET_FRAMES))


@pytest.mark.parametrize("text", ["", "{}", "[]", '{"contents": 1}', "[" * 100_000, '{"contents": {}, "digest": ""}'])
def test_contents_that_are_none_are_said(whole: Path, tmp_path: Path, text: str) -> None:
    folder = copied(whole, tmp_path / "archive")
    (folder / "archive.json").write_text(text)
    with pytest.raises(DamagedError, match=r"archive\.json"):
        open_archive(folder)


def test_a_file_outside_the_archive_is_not_read(whole: Path, tmp_path: Path) -> None:
    folder = copied(whole, tmp_path / "archive")
    document = load(folder).model_dump(mode="json")
    document["topics"]["market.frames"]["file"] = "../secret.avro"
    text = json.loads((folder / "archive.json").read_text())
    assert text["contents"] != document
    with pytest.raises(ValueError, match="pattern"):
        Contents.model_validate(document)


def test_an_archive_of_a_later_form_is_refused(whole: Path, tmp_path: Path) -> None:
    from trimtab.adapters.archive.contents import _canonical, digest  # noqa: PLC0415 - only here

    folder = copied(whole, tmp_path / "archive")
    document = load(folder).model_dump(mode="json") | {"version": 2}
    text = json.dumps({"contents": document, "digest": digest(_canonical(document))})
    (folder / "archive.json").write_text(text)
    with pytest.raises(InvalidValueError, match=r"version: found 2; allowed: Input should be 1"):
        open_archive(folder)
