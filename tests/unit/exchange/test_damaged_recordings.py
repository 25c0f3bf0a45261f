"""Raw recordings with something wrong: each is refused with file, line and what is needed, or mended as documented."""

import gzip
from collections.abc import Callable, Iterator
from pathlib import Path

import orjson
import pytest
from test_recorded_market import Recorder, ids

from trimtab.exchange.frames import frames
from trimtab.exchange.market import MarketEvent, Trade
from trimtab.exchange.recorded import RecordedMarket
from trimtab.exchange.tape_file import TapeError
from trimtab.exchange.tapes import open_tapes

START_MS = 1_700_000_000_000
LINE = b'{"stream":"ltcusdt@depth@100ms","data":{"e":"depthUpdate","E":1700000000300,"s":"LTCUSDT","U":7,"u":8,"b":[["99.10","1"]],"a":[]}}'  # noqa: E501 - a line as recorded
TRADE = b'{"stream":"ltcusdt@trade","data":{"e":"trade","E":1700000000300,"s":"LTCUSDT","t":1,"p":"100","q":"1","T":1,"m":true,"M":true}}'  # noqa: E501 - a line as recorded
QUOTE = b'{"stream":"ltcusdt@bookTicker","data":{"u":7,"s":"LTCUSDT","b":"99.1","B":"1","a":"101","A":"2"}}'


def begun() -> Recorder:
    """Two updates and a snapshot: what is added is line 4."""
    tape = Recorder("LTCUSDT", START_MS)
    tape.depth(1, 4)
    tape.snapshot(4)
    tape.depth(5, 6)
    return tape


def played(path: Path, *others: Path) -> Iterator[MarketEvent]:
    return RecordedMarket([path, *others]).events()


@pytest.mark.parametrize(
    ("line", "old", "new", "complaint"),
    [
        (LINE, b'"99.10"', b'"NaN"', "price in b 'NaN'; needed: a number above 0"),
        (LINE, b'"99.10"', b'"-5"', "price in b '-5'; needed: a number above 0"),
        (LINE, b'"99.10"', b'"abc"', "price in b 'abc'; needed: a number above 0"),
        (LINE, b'"99.10"', b'"1e400000"', "price in b '1e400000'; needed: a number above 0, at most 1e+15"),
        (LINE, b'"99.10"', b'"0.000000001"', "price in b 0.000000001; needed: 8 decimals at most"),
        (LINE, b'"99.10"', b"99.1", "99.1 in b; needed: numbers as texts"),
        (LINE, b'"1"', b'"-1"', "size in b '-1'; needed: a number not below 0"),
        (LINE, b'"1"', b'"Infinity"', "size in b 'Infinity'; needed: a number not below 0"),
        (LINE, b',"1"]', b"]", "b [['99.10']]; needed: a list of prices with their sizes"),
        (LINE, b'[["99.10","1"]]', b"null", "b None; needed: a list of prices with their sizes"),
        (LINE, b'"U":7,', b"", "U None; needed: a whole number"),
        (LINE, b'"U":7', b'"U":9', "update from 9 to 8; needed: U up to u"),
        (LINE, b'"E":1700000000300', b'"E":"noon"', "E 'noon'; needed: a whole number"),
        (LINE, b'"E":1700000000300', b'"E":true', "E True; needed: a whole number"),
        (LINE, b'"LTCUSDT"', b'"ETHUSDT"', "symbol ETHUSDT after LTCUSDT; needed: one symbol a file"),
        (TRADE, b'"100"', b'"0"', "p '0'; needed: a number above 0"),
        (TRADE, b'"q":"1"', b'"q":"-1"', "q '-1'; needed: a number above 0"),
        (TRADE, b'"t":1,', b"", "t None; needed: a whole number"),
        (TRADE, b'"m":true', b'"m":1', "m 1; needed: true or false"),
        (QUOTE, b'"99.1"', b'"102"', "best bid 102 and ask 101; needed: a bid below the ask"),
        (QUOTE, b'"A":"2"', b'"A":"0"', "A '0'; needed: a number above 0"),
        (LINE, LINE, b"[1]", "b'[1]'; needed: a JSON object"),
        (LINE, LINE, LINE[:-1], "unexpected end of data"),
    ],
)
def test_a_bad_line_is_named(tmp_path: Path, line: bytes, old: bytes, new: bytes, complaint: str) -> None:
    tape = begun()
    assert old in line
    assert list(played(tape.write(tmp_path / "good.gz")))
    tape.lines.append(b"%d %b\n" % (tape.ms * 1_000_000, line.replace(old, new, 1)))
    path = tape.write(tmp_path / "a.gz")
    for play in (played, lambda path: open_tapes([path])):  # the exchange knows of it before anything starts
        with pytest.raises(TapeError) as refused:
            list(play(path))  # type: ignore[operator]  # either raises, nothing is listed
        assert str(refused.value).startswith(f"{path}:4: {complaint}")


@pytest.mark.parametrize(
    ("bids", "asks", "complaint"),
    [
        ([["99", "1"]], [], "best bid and ask 99 and none; needed: a book with bids below its asks"),
        ([["102", "1"]], [["101", "1"]], "best bid and ask 102 and 101; needed"),
        ([["NaN", "1"]], [["101", "1"]], "price in bids 'NaN'; needed"),
        (None, [["101", "1"]], "bids None; needed: a list"),
    ],
)
def test_a_book_that_is_none_is_refused(tmp_path: Path, bids: object, asks: object, complaint: str) -> None:
    tape = Recorder("LTCUSDT", START_MS)
    tape.depth(1, 4)
    tape.add({"lastUpdateId": 4, "bids": bids, "asks": asks})
    with pytest.raises(TapeError, match=r"a\.gz:2: ") as refused:
        RecordedMarket([tape.write(tmp_path / "a.gz")])
    assert complaint in str(refused.value)


def test_times_may_not_go_back_by_more_than_a_second(tmp_path: Path) -> None:
    tape = begun()
    tape.ms -= 900
    tape.depth(7, 8)
    path = tape.write(tmp_path / "a.gz")
    times = [event.time_us for event in played(path)]
    assert times == sorted(times)

    tape.ms -= 1_000
    tape.depth(9, 9)
    with pytest.raises(TapeError, match=r"a\.gz:5: time 2023-.* after 2023-.*; needed: times that rise"):
        list(played(tape.write(path)))


def test_times_that_are_not_in_nanoseconds_are_refused(tmp_path: Path) -> None:
    lines = [line[:13] + line[19:] for line in begun().lines]
    (tmp_path / "a.txt").write_bytes(b"".join(lines))
    with pytest.raises(TapeError, match=r"a\.txt:1: received at 1970-.*; needed: nanoseconds since 1970"):
        RecordedMarket([tmp_path / "a.txt"])


def test_a_hole_stands_still_until_a_newer_book(tmp_path: Path) -> None:
    tape = begun()
    tape.depth(9, 10)
    tape.quote(10)
    tape.snapshot(7)  # too old: 8 is in nobody's hands
    tape.depth(11, 12)
    tape.snapshot(11)
    tape.depth(13, 13)
    assert ids(played(tape.write(tmp_path / "a.gz"))) == [
        ("Snapshot", 4), ("DepthUpdate", 6), ("Snapshot", 11), ("DepthUpdate", 12), ("DepthUpdate", 13),
    ]  # fmt: skip


@pytest.mark.parametrize("seconds", [0, 61])
def test_a_hole_that_no_book_follows_is_refused(tmp_path: Path, seconds: int) -> None:
    tape = begun()
    tape.depth(9, 10)
    tape.ms += seconds * 1000
    tape.depth(11, 12)
    if seconds:
        tape.snapshot(12)
    with pytest.raises(
        TapeError, match=r"a\.gz:4: update 9 after 6, .* is missing; needed: a REST depth answer within"
    ):
        list(played(tape.write(tmp_path / "a.gz")))


def test_a_book_that_is_older_than_every_update_is_refused(tmp_path: Path) -> None:
    tape = Recorder("LTCUSDT", START_MS)
    tape.depth(10, 14)
    tape.snapshot(4)
    with pytest.raises(TapeError, match=r"a\.gz:2: a book of update 4, then update 10; needed: every update"):
        list(played(tape.write(tmp_path / "a.gz")))


def test_what_is_told_twice_is_told_once(tmp_path: Path) -> None:
    tape = begun()

    def repeat() -> None:
        tape.depth(5, 6)
        tape.quote(7)
        tape.lines.append(b"%d %b\n" % (tape.ms * 1_000_000, TRADE))

    repeat()
    repeat()
    events = list(played(tape.write(tmp_path / "a.gz")))
    assert ids(iter(events)) == [("Snapshot", 4), ("DepthUpdate", 6), ("Quote", 7)]
    assert len([event for event in events if isinstance(event, Trade)]) == 1


def test_a_snapshot_may_come_first(tmp_path: Path) -> None:
    tape = Recorder("LTCUSDT", START_MS)
    tape.snapshot(4)
    tape.depth(5, 6)
    assert ids(played(tape.write(tmp_path / "a.gz"))) == [("Snapshot", 4), ("DepthUpdate", 6)]


def test_an_update_that_the_book_holds_is_told_once_as_the_venue_does(tmp_path: Path) -> None:
    tape = Recorder("LTCUSDT", START_MS)
    tape.depth(1, 4)
    tape.snapshot(8)
    for first, last in ((5, 6), (7, 8), (7, 8), (9, 9)):
        tape.depth(first, last)
    assert ids(played(tape.write(tmp_path / "a.gz"))) == [
        ("Snapshot", 8), ("DepthUpdate", 6), ("DepthUpdate", 8), ("DepthUpdate", 9),
    ]  # fmt: skip


def flipped(data: bytes) -> bytes:
    return data[: len(data) // 2] + bytes([data[len(data) // 2] ^ 0xFF]) + data[len(data) // 2 + 1 :]


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-800], flipped, lambda data: data[:-5] + b"x" + data[-4:], lambda data: data + b"x"]
)
def test_a_damaged_gzip_file_is_refused_before_anything_starts(
    tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    tape = begun()
    for last in range(7, 3000):
        tape.depth(last, last)
    path = tmp_path / "a.gz"
    path.write_bytes(damage(gzip.compress(b"".join(tape.lines))))
    with pytest.raises(TapeError, match=r"a\.gz.*; needed: ") as refused:
        open_tapes([path])
    assert "\n" not in str(refused.value)


def test_data_are_kept_as_recorded_wherever_they_stand(tmp_path: Path) -> None:
    data = orjson.loads(QUOTE)["data"]
    spaced = QUOTE.replace(b'"data":', b'"data": ')
    turned = orjson.dumps({"data": data, "stream": "ltcusdt@bookTicker"})
    path = tmp_path / "a.txt"
    path.write_bytes(b"".join(b"1700000000000000000 %b\n" % line for line in (QUOTE, spaced, turned)))
    raws = [event.raw for frame in frames(path) if (event := frame.event(0)) is not None]
    assert [orjson.loads(raw or b"") for raw in raws] == [data] * 3
