"""Recorded markets: snapshots in the midst, several symbols, several files of one symbol, and what can't be played."""

import gzip
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import orjson
import pytest

from trimtab.exchange.book import Book
from trimtab.exchange.market import DepthUpdate, MarketEvent, Quote, Snapshot, Trade
from trimtab.exchange.recorded import RecordedMarket
from trimtab.exchange.tape_file import TapeError

RECORDINGS = Path(__file__).resolve().parents[4] / "shared" / "data" / "hftbacktest"
SKEW_US = 1_272_000


@pytest.fixture
def recordings() -> list[Path]:
    found = [RECORDINGS / name for name in ("btcusdt_20240808.gz", "ethusdt_20240808.gz")]
    for path in found:
        if not path.exists():
            pytest.skip(f"needs ../shared/data/hftbacktest/{path.name}, which is not there")
    return found


class Recorder:
    """Writes a recording of one symbol, a tenth of a second a line."""

    def __init__(self, symbol: str, start_ms: int) -> None:
        self.symbol, self.ms = symbol, start_ms
        self.lines: list[bytes] = []

    def add(self, message: object) -> None:
        self.lines.append(b"%d %b\n" % (self.ms * 1_000_000, orjson.dumps(message)))
        self.ms += 100

    def stream(self, kind: str, data: dict[str, object]) -> None:
        self.add({"stream": f"{self.symbol.lower()}@{kind}", "data": data})

    def depth(self, first: int, last: int, bid: str = "1", bids: str = "99.10") -> None:
        data = {
            "e": "depthUpdate", "E": self.ms + SKEW_US // 1000, "s": self.symbol, "U": first, "u": last,
            "b": [[bids, bid]], "a": [],
        }  # fmt: skip
        self.stream("depth@100ms", data)

    def quote(self, update_id: int) -> None:
        data = {"u": update_id, "s": self.symbol, "b": "99.10", "B": "1", "a": "101.0", "A": "2"}
        self.stream("bookTicker", data)

    def snapshot(self, last_id: int) -> None:
        self.add({"lastUpdateId": last_id, "bids": [["99.10", "5.001"]], "asks": [["101.00", "2.000"]]})

    def write(self, path: Path) -> Path:
        path.write_bytes(gzip.compress(b"".join(self.lines)))
        return path


def ids(events: Iterator[MarketEvent]) -> list[tuple[str, int]]:
    found = []
    for event in events:
        if isinstance(event, DepthUpdate | Snapshot):
            found.append((type(event).__name__, event.last_id))
        elif isinstance(event, Quote):
            found.append(("Quote", event.update_id))
    return found


def test_updates_wait_for_the_snapshot_and_those_it_holds_are_dropped(tmp_path: Path) -> None:
    tape = Recorder("LTCUSDT", 1_000_000)
    tape.depth(1, 4)
    tape.quote(3)
    tape.depth(5, 9)
    tape.snapshot(7)
    tape.depth(10, 12)
    tape.quote(13)
    market = RecordedMarket([tape.write(tmp_path / "a.gz")])
    assert ids(market.events()) == [("Snapshot", 7), ("DepthUpdate", 9), ("DepthUpdate", 12), ("Quote", 13)]
    snapshot, straddling, *_ = market.events()
    assert market.start_us == snapshot.time_us == straddling.time_us == 1_000_300_000 + SKEW_US


def test_frames_are_kept_as_recorded(tmp_path: Path) -> None:
    tape = Recorder("LTCUSDT", 1_000_000)
    tape.depth(1, 4)
    tape.snapshot(4)
    tape.quote(5)
    *_, quote = RecordedMarket([tape.write(tmp_path / "a.gz")]).events()
    assert isinstance(quote, Quote)
    assert quote.raw == b'{"u":5,"s":"LTCUSDT","b":"99.10","B":"1","a":"101.0","A":"2"}'


def test_files_of_one_symbol_follow_one_another_in_the_order_of_their_times(tmp_path: Path) -> None:
    first, second, third = (Recorder("LTCUSDT", start) for start in (1_000_000, 2_000_000, 3_000_000))
    first.depth(1, 4)
    first.snapshot(4)
    first.depth(5, 6)
    second.depth(7, 8)
    second.snapshot(8)
    second.depth(9, 9)
    third.depth(50, 55)
    third.snapshot(52)
    third.depth(56, 60)
    for name, tape in (("c.gz", first), ("a.gz", second), ("b.gz", third)):
        tape.write(tmp_path / name)
    assert ids(RecordedMarket(sorted(tmp_path.iterdir())).events()) == [
        ("Snapshot", 4), ("DepthUpdate", 6),
        ("DepthUpdate", 8), ("DepthUpdate", 9),  # joins on: its snapshot is not needed
        ("Snapshot", 52), ("DepthUpdate", 55), ("DepthUpdate", 60),  # a hole before it: begins anew
    ]  # fmt: skip


def test_rules_of_an_unlisted_symbol_are_inferred(tmp_path: Path) -> None:
    tape = Recorder("BLZETH", 1_000_000)
    tape.depth(1, 4)
    tape.snapshot(4)
    rules = RecordedMarket([tape.write(tmp_path / "a.gz")]).instruments["BLZETH"]
    assert (rules.base, rules.quote, rules.tick, rules.step) == ("BLZ", "ETH", Decimal("0.1"), Decimal("0.001"))


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "no REST depth answer"),
        (b"hello world\n", "a.txt:1: 'hello world'; needed: nanoseconds since 1970, a space, JSON"),
        (b"123 {broken\n", "needed: JSON"),
        (b"123 []\n", "needed: a JSON object"),
    ],
)
def test_a_file_that_is_no_recording_is_refused_with_its_name_and_place(
    tmp_path: Path, content: bytes, message: str
) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(content)
    with pytest.raises(TapeError, match=r"a\.txt") as refused:
        RecordedMarket([path])
    assert message in str(refused.value)


def test_a_cut_off_gzip_file_is_refused_not_played_short(tmp_path: Path) -> None:
    tape = Recorder("LTCUSDT", 1_000_000)
    tape.depth(1, 4)
    tape.snapshot(4)
    for last in range(5, 3000):
        tape.depth(last, last)
    path = tape.write(tmp_path / "a.gz")
    path.write_bytes(path.read_bytes()[:-2000])
    with pytest.raises(TapeError, match="whole gzip file"):
        list(RecordedMarket([path]).events())


def test_a_missing_symbol_is_named(tmp_path: Path) -> None:
    tape = Recorder("LTCUSDT", 1_000_000)
    tape.depth(1, 4)
    tape.snapshot(4)
    with pytest.raises(TapeError, match="holds LTCUSDT; asked for BTCUSDT"):
        RecordedMarket([tape.write(tmp_path / "a.gz")], ["BTCUSDT"])


def test_the_recorded_book_equals_every_best_quote_it_covers(recordings: list[Path]) -> None:
    """The check of the data's README: after each update the best levels equal the last quote with u <= the update's."""
    market = RecordedMarket(recordings)
    assert sorted(market.instruments) == ["BTCUSDT", "ETHUSDT"]
    books = {symbol: Book() for symbol in market.instruments}
    pending: dict[str, list[Quote]] = {symbol: [] for symbol in market.instruments}
    latest: dict[str, Quote] = {}
    compared = dict.fromkeys(market.instruments, 0)
    last_us = trades = 0
    for event in market.events():
        assert event.time_us >= last_us
        last_us = event.time_us
        book = books[event.symbol]
        if isinstance(event, Snapshot):
            book.reset(event)
        elif isinstance(event, Quote):
            pending[event.symbol].append(event)
        elif isinstance(event, Trade):
            trades += 1
        else:
            assert event.first_id <= book.last_id + 1 <= event.last_id
            book.apply(event)
            waiting = pending[event.symbol]
            while waiting and waiting[0].update_id <= event.last_id:
                latest[event.symbol] = waiting.pop(0)
            quote = latest.get(event.symbol)
            if quote is not None:
                assert book.bids.top(1) == [(quote.bid, quote.bid_size)]
                assert book.asks.top(1) == [(quote.ask, quote.ask_size)]
                compared[event.symbol] += 1
    assert compared["BTCUSDT"] >= 3440
    assert compared["ETHUSDT"] >= 3420
    assert trades > 15_800
    assert (len(books["BTCUSDT"].bids), len(books["BTCUSDT"].asks)) == (1209, 2196)
    assert (len(books["ETHUSDT"].bids), len(books["ETHUSDT"].asks)) == (1195, 1158)


def test_synthetic_frames_have_the_keys_of_recorded_ones(recordings: list[Path]) -> None:
    from trimtab.exchange import stream_messages  # noqa: PLC0415 - the only test here that looks at frames
    from trimtab.exchange.synthetic import SyntheticMarket  # noqa: PLC0415 - as above

    encode = {DepthUpdate: stream_messages.depth_update, Quote: stream_messages.quote, Trade: stream_messages.trade}

    def shapes(events: Iterator[MarketEvent]) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = {}
        for event in events:
            if type(event) in encode:
                data = orjson.loads(encode[type(event)](event))  # type: ignore[operator]  # chosen by type
                found.setdefault(type(event).__name__, {key: type(value) for key, value in data.items()})
            if len(found) == len(encode):
                break
        return found

    recorded = shapes(RecordedMarket(recordings).events())
    assert shapes(SyntheticMarket(1).events()) == recorded
