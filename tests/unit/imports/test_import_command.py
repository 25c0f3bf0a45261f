"""`trimtab import` into archives: OHLCV, raw Binance recordings and Coinbase level 2, sound and damaged."""

import csv
import gzip
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from typer.testing import CliRunner, Result

from trimtab.adapters.archive.recorded import open_archive
from trimtab.cli.__main__ import app
from trimtab.exchange.market import Quote
from trimtab.exchange.recorded import RecordedMarket
from trimtab.messages import Book
from trimtab.topics import MARKET_BOOKS, MARKET_FRAMES, MARKET_TICKS

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
T0, BAR = 1_704_067_200, 300
FOUND = ("gap", "duplicate", "disorder", "nonsense", "crossed", "off_grid")


def run(*words: object) -> Result:
    return CliRunner().invoke(app, ["import", *map(str, words)], env={"TRIMTAB_SETTINGS": None})


def imported(*words: object) -> dict[str, Any]:
    ended = run(*words, "--json")
    assert ended.exit_code == 0, ended.output
    document: dict[str, Any] = json.loads(ended.stdout)
    return document


def counts(document: dict[str, Any]) -> dict[str, int]:
    assert tuple(document["found"]) == FOUND
    return {kind: each["count"] for kind, each in document["found"].items() if each["count"]}


def needed(*names: str) -> list[Path]:
    for name in names:
        if not (DATA / name).exists():
            pytest.skip(f"needs ../shared/data/{name}, which is not there")
    return [DATA / name for name in names]


def bar(number: float, price: object = 100, volume: object = 5) -> list[object]:
    return [int(T0 + number * BAR), price, 101, 99, 100.5, volume]


def ohlcv(folder: Path, rows: Iterable[Sequence[object]], name: str = "BTC_USDT-5m.csv") -> Path:
    path = folder / name
    with path.open("w", newline="") as file:
        csv.writer(file).writerows([("date", "open", "high", "low", "close", "volume"), *rows])
    return path


def line(time_ms: int, message: object) -> str:
    return f"{time_ms * 1_000_000} {json.dumps(message, separators=(',', ':'))}\n"


def depth(time_ms: int, number: int, price: str = "99.99", size: str = "1") -> str:
    data = {"e": "depthUpdate", "E": time_ms, "s": "BTCUSDT", "U": number, "u": number, "b": [[price, size]], "a": []}
    return line(time_ms, {"stream": "btcusdt@depth@100ms", "data": data})


def binance(folder: Path, *more: str, first: int = 11) -> Path:
    """Return a recording that begins at T0, with an update, the snapshot and one more update."""
    start = T0 * 1_000
    answer = {"lastUpdateId": 10, "bids": [["99.98", "1"]], "asks": [["100.01", "2"]]}
    lines = [depth(start, 10), line(start + 1, answer), depth(start + 2, first), *more]
    path = folder / "btcusdt.gz"
    path.write_bytes(gzip.compress("".join(lines).encode()))
    return path


def test_bars_become_frames_books_and_ticks_of_their_times(tmp_path: Path) -> None:
    tape = ohlcv(tmp_path, [bar(number) for number in range(4)])
    said = imported("--format", "ohlcv", tape, "--archive", tmp_path / "archive")
    assert (counts(said), said["gaps"], said["instruments"]) == ({}, 0, ["binance:BTC/USDT"])
    recorded = open_archive(tmp_path / "archive")
    frames = list(recorded.whole(MARKET_FRAMES))
    assert frames[0].message.full
    assert [each.message.sequence for each in frames] == list(range(1, len(frames) + 1))
    times = [each.message.event_time_us for each in frames]
    assert times == sorted(times)
    assert (times[0], times[-1] < (T0 + 4 * BAR) * 1_000_000) == (T0 * 1_000_000, True)
    assert all(each.recorded_ms >= each.message.event_time_us // 1_000 for each in frames)
    ticks = [each.message for each in recorded.whole(MARKET_TICKS)]
    assert sum(each.quantity for each in ticks) == 4 * 5 * 100_000  # all that was traded, in steps
    assert said["rows"] == sum(said["topics"].values()) == len(frames) + len(ticks) + said["topics"]["market.books"]
    assert said["first"] == "2024-01-01T00:00:00+00:00"


def test_rows_that_cannot_be_played_are_counted_and_left_out(tmp_path: Path) -> None:
    rows = [bar(n) for n in range(4)]
    rows += [bar(3), bar(1), bar(3.5, "nan"), bar(3.6, -5), bar(3.7, 10**16), bar(3.8, 100, -1), bar(3.9, 150)]
    rows += [bar(n) for n in range(4, 6)]
    damaged = imported("--format", "ohlcv", ohlcv(tmp_path, rows), "--archive", tmp_path / "damaged")
    assert counts(damaged) == {"duplicate": 1, "disorder": 1, "nonsense": 5}
    assert "BTC_USDT-5m.csv:8: open 'nan'" in damaged["found"]["nonsense"]["first"][0]
    good = ohlcv(tmp_path, [bar(n) for n in range(6)])
    imported("--format", "ohlcv", good, "--archive", tmp_path / "good")
    found, wanted = (
        [each.message for each in open_archive(tmp_path / name).whole(MARKET_BOOKS)] for name in ("damaged", "good")
    )
    assert found == wanted


def test_days_without_bars_have_no_book(tmp_path: Path) -> None:
    rows = [bar(n) for n in (0, 1, 2, 3, 3 + 12 * 24 * 3)]
    said = imported("--format", "ohlcv", ohlcv(tmp_path, rows), "--archive", tmp_path / "archive")
    assert (counts(said), said["gaps"]) == ({"gap": 1}, 1)
    frames = list(open_archive(tmp_path / "archive").whole(MARKET_FRAMES))
    empty = [number for number, each in enumerate(frames) if each.message.quotes[0].bids == ()]
    (number,) = empty
    last_ms = frames[number - 1].recorded_ms
    assert frames[number].recorded_ms - last_ms == pytest.approx(BAR * 1_000, abs=1)
    assert frames[number + 1].recorded_ms == (T0 + (3 + 12 * 24 * 3) * BAR) * 1_000


def test_parquet_is_as_csv(tmp_path: Path) -> None:
    import duckdb  # noqa: PLC0415 - only here

    tape = ohlcv(tmp_path, [bar(number) for number in range(4)])
    parquet = tmp_path / "parquet" / "BTC_USDT-5m.parquet"
    parquet.parent.mkdir()
    duckdb.execute(f"COPY (SELECT * FROM '{tape}') TO '{parquet}' (FORMAT parquet)")
    for name, path in (("one", tape), ("other", parquet)):
        imported("--format", "ohlcv", path, "--archive", tmp_path / name)
    one, other = (
        [each.message for each in open_archive(tmp_path / name).whole(MARKET_BOOKS)] for name in ("one", "other")
    )
    assert one == other


def test_a_hole_in_a_binance_recording_takes_the_book_away_until_the_next_snapshot(tmp_path: Path) -> None:
    start = T0 * 1_000
    hole = (depth(start + 100, 12), depth(start + 200, 14), depth(start + 300, 15))
    answer = {"lastUpdateId": 14, "bids": [["99.97", "1"]], "asks": [["100.01", "2"]]}
    tape = binance(tmp_path, *hole, line(start + 5_000, answer), depth(start + 5_100, 16))
    said = imported("--format", "binance-ws", tape, "--archive", tmp_path / "archive")
    assert counts(said) == {"gap": 1}
    assert "btcusdt.gz:5: update 14 after 12" in said["found"]["gap"]["first"][0]
    books = list(open_archive(tmp_path / "archive").whole(MARKET_BOOKS))
    assert [(each.message.update_id, len(each.message.bids)) for each in books] == [
        *((10, 2), (11, 4), (12, 4), (12, 0)),
        *((14, 2), (15, 4), (16, 4)),
    ]
    assert [each.recorded_ms - start for each in books[2:5]] == [100, 200, 5_000]
    ended = run("--format", "binance-ws", binance(tmp_path, *hole), "--archive", tmp_path / "none")
    assert (ended.exit_code, ended.stderr.count("\n")) == (2, 1)
    assert "needed: a REST depth answer within 60 s after a hole" in ended.stderr


@pytest.mark.parametrize(
    ("more", "found"),
    [
        (lambda at: depth(at, 12, "99.999"), {"off_grid": 1}),
        (lambda at: depth(at, 12, "100.02"), {"crossed": 1}),
        (lambda at: depth(at, 11), {"duplicate": 1}),
        (lambda at: depth(at - 50, 12), {"disorder": 1}),
        (lambda at: depth(at + 86_400_000 * 3, 12), {"gap": 1}),
    ],
)
def test_each_kind_of_damage_is_found_once(tmp_path: Path, more: Any, found: dict[str, int]) -> None:
    tape = binance(tmp_path, more(T0 * 1_000 + 40))
    assert counts(imported("--format", "binance-ws", tape, "--archive", tmp_path / "archive")) == found


@pytest.mark.parametrize(("price", "size"), [("NaN", "1"), ("-5", "1"), ("0", "1"), ("99", "-1"), ("99", "Infinity")])
def test_nonsense_in_a_recording_is_refused_with_its_line(tmp_path: Path, price: str, size: str) -> None:
    tape = binance(tmp_path, depth(T0 * 1_000 + 40, 12, price, size))
    ended = run("--format", "binance-ws", tape, "--archive", tmp_path / "archive")
    assert (ended.exit_code, ended.stderr.count("\n")) == (2, 1)
    assert "btcusdt.gz:4: " in ended.stderr
    assert not (tmp_path / "archive").exists()


def test_the_recorded_books_of_binance_come_out(tmp_path: Path) -> None:
    tapes = needed("hftbacktest/btcusdt_20240808.gz", "hftbacktest/ethusdt_20240808.gz")
    said = imported("--format", "binance-ws", *tapes, "--archive", tmp_path / "archive")
    assert counts(said) == {}
    # 3,451 and 3,434 updates, of which 2 each are older than the snapshot; one trade came before there was a book.
    assert (said["topics"]["market.books"], said["topics"]["market.ticks"]) == (6_883, 15_862)
    quotes: dict[str, list[Quote]] = {"BTC/USDT": [], "ETH/USDT": []}
    for event in RecordedMarket(tapes).events():
        if isinstance(event, Quote):
            quotes[f"{event.symbol[:3]}/USDT"].append(event)
    places, compared = dict.fromkeys(quotes, -1), 0
    for each in open_archive(tmp_path / "archive").whole(MARKET_BOOKS):
        book: Book = each.message
        own, place = quotes[book.instrument], places[book.instrument]
        while place + 1 < len(own) and own[place + 1].update_id <= book.update_id:
            place += 1
        places[book.instrument] = place
        if place >= 0:
            best = own[place]
            tick, step = float(book.tick), float(book.step)
            shown = (book.bids[0] * tick, book.bids[1] * step, book.asks[0] * tick, book.asks[1] * step)
            wanted = tuple(map(float, (best.bid, best.bid_size, best.ask, best.ask_size)))
            assert shown == pytest.approx(wanted, rel=1e-12)
            compared += 1
    assert compared == 6_879  # all that come after a bookTicker


def test_the_recorded_book_of_coinbase_comes_out(tmp_path: Path) -> None:
    (tape,) = needed("gdax")
    said = imported("--format", "coinbase-l2", tape, "--archive", tmp_path / "archive")
    assert (counts(said), said["instruments"]) == ({}, ["coinbase:BTC/USD"])
    assert (said["topics"]["market.books"], said["topics"]["market.ticks"]) == (18_094, 256)
    *_, last = open_archive(tmp_path / "archive").whole(MARKET_BOOKS)
    tick = float(last.message.tick)
    assert (last.message.bids[0] * tick, last.message.asks[0] * tick) == pytest.approx((8039.99, 8040.00))


def capture(folder: Path, *streams: str) -> Path:
    """Return a capture of two symbols, of which only one has a depth answer."""
    folder.mkdir()
    answer = '{"lastUpdateId":10,"bids":[["99.98","1"]],"asks":[["100.01","2"]]}'
    (folder / "BINANCE.http.0.0").write_text(
        f"https://x/api/v3/depth?symbol=BTCUSDT&limit=1000 -> {T0}.25: {answer}\n\n"
        f"https://x/api/v3/exchangeInfo -> {T0}.3: {{}}\n"
    )
    told = [f"wss://x/stream?streams=btcusdt@depth@100ms <-> {T0}.0\n"]
    for number, symbol in ((10, "BTCUSDT"), (11, "BTCUSDT"), (5, "ETHUSDT"), (12, "BTCUSDT")):
        moment = f"{number / 100 + 0.1:.4f}"[1:]
        data = json.loads(depth(T0 * 1_000 + number * 10 + 100, number).split(" ", 1)[1])
        data["data"]["s"] = symbol
        told.append(f"{T0}{moment}: {json.dumps(data)}\n")
    (folder / "BINANCE.ws.1.0").write_text("".join([*told, *streams]) + "\n")
    return folder


def test_a_capture_of_cryptofeed_is_a_recording_too(tmp_path: Path) -> None:
    said = imported("--format", "binance-ws", capture(tmp_path / "tape"), "--archive", tmp_path / "archive")
    assert (counts(said), said["instruments"]) == ({}, ["binance:BTC/USDT"])
    books = [each.message for each in open_archive(tmp_path / "archive").whole(MARKET_BOOKS)]
    assert [each.update_id for each in books] == [10, 11, 12]
    bad = capture(tmp_path / "bad", f"{T0}.5: {{nothing\n")
    ended = run("--format", "binance-ws", bad, "--archive", tmp_path / "none")
    assert (ended.exit_code, ended.stderr.count("\n")) == (2, 1)
    assert f"{bad}/BINANCE.ws.1.0:6: " in ended.stderr
    (bad / "BINANCE.ws.1.0").write_text((bad / "BINANCE.ws.1.0").read_text().replace("99.99", "NaN"))
    (bad / "BINANCE.ws.1.0").write_text((bad / "BINANCE.ws.1.0").read_text().replace(f"{T0}.5: {{nothing\n", ""))
    ended = run("--format", "binance-ws", bad, "--archive", tmp_path / "none")
    assert (ended.exit_code, ended.stderr.count("\n")) == (2, 1)
    assert f"{bad}/BTCUSDT.txt:" in ended.stderr


def test_the_recorded_start_of_four_thin_pairs_comes_out(tmp_path: Path) -> None:
    needed("cryptofeed/BINANCE.ws.1.0", "cryptofeed/BINANCE.http.0.0")
    said = imported("--format", "binance-ws", DATA / "cryptofeed", "--archive", tmp_path / "archive")
    assert said["instruments"] == [f"binance:{name}" for name in ("BLZ/ETH", "LRC/BTC", "NKN/USDT", "RUNE/EUR")]
    assert counts(said) == {}
    assert 100 < said["topics"]["market.books"] <= 181  # 177 updates, of which some are older than the 4 snapshots


@pytest.mark.parametrize(
    ("kind", "text", "said"),
    [
        ("ohlcv", "", "needed: one of"),
        ("ohlcv", "date,open,high,low,close,volume\n", "fewer than two bars"),
        ("ohlcv", "date,open,high,low,close\n1,2,3,4,5\n", "needed: one of"),
        ("ohlcv", "1704067200000000000 {}\n", "needed for ohlcv: bars"),
        ("binance-ws", "1704067200000000000 {}\n", "no REST depth answer"),
        ("binance-ws", '1704067200000000000 {"data": 5}\n', "no REST depth answer"),
        ("binance-ws", '1 {"data": {"s": "BTCUSDT"}}\n2 {"lastUpdateId": 1}\n', "BTC_USDT.csv:2: bids None"),
        ("coinbase-l2", "date,open,high,low,close,volume\n", "needed for coinbase-l2"),
    ],
)
def test_what_is_not_of_the_format_gets_one_line(tmp_path: Path, kind: str, text: str, said: str) -> None:
    (tmp_path / "BTC_USDT.csv").write_text(text)
    ended = run("--format", kind, tmp_path / "BTC_USDT.csv", "--archive", tmp_path / "archive")
    assert (ended.exit_code, ended.stdout, ended.stderr.count("\n")) == (2, "", 1), ended.output
    assert said in ended.stderr
    assert not (tmp_path / "archive").exists()


def test_a_message_of_another_shape_is_said_with_its_line(tmp_path: Path) -> None:
    tape = binance(tmp_path, line(T0 * 1_000 + 5, {"data": {"e": "trade", "s": "BTCUSDT", "p": "1"}}))
    ended = run("--format", "binance-ws", tape, "--archive", tmp_path / "archive")
    assert (ended.exit_code, ended.stderr.count("\n")) == (2, 1)
    assert "btcusdt.gz:4: None in q" in ended.stderr


def test_somewhere_has_to_be_named(tmp_path: Path) -> None:
    ended = run("--format", "ohlcv", ohlcv(tmp_path, [bar(0), bar(1)]))
    assert ended.exit_code == 2
    assert "where to is missing; allowed: --archive, --prefix, or both." in ended.stderr


@seed(20261122)
@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture], database=None)
@given(data=st.data())
def test_no_bytes_end_in_a_fault(tmp_path: Path, data: st.DataObject) -> None:
    """Whatever is done to a recording: it is refused in one line, or what comes out is a market."""
    folder = tmp_path / "tapes"
    folder.mkdir(exist_ok=True)
    kind = data.draw(st.sampled_from(["ohlcv", "binance-ws"]))
    if kind == "ohlcv":
        whole = ohlcv(folder, [bar(number) for number in range(5)]).read_bytes()
        path = folder / "BTC_USDT-5m.csv"
    else:
        start = T0 * 1_000
        made = binance(folder, *(depth(start + 3 + number, 12 + number) for number in range(5)))
        whole, path = gzip.decompress(made.read_bytes()), folder / "btcusdt.txt"
        made.unlink()
    where = data.draw(st.integers(0, len(whole) - 1))
    match data.draw(st.sampled_from(["flipped", "cut", "lost", "swapped"])):
        case "flipped":
            whole = whole[:where] + bytes([whole[where] ^ (1 << data.draw(st.integers(0, 7)))]) + whole[where + 1 :]
        case "cut":
            whole = whole[:where]
        case "lost":
            whole = whole[:where] + whole[where + data.draw(st.integers(1, 30)) :]
        case _:
            lines = whole.splitlines(keepends=True)
            other = data.draw(st.integers(0, len(lines) - 1))
            lines[0], lines[other] = lines[other], lines[0]
            whole = b"".join(lines)
    path.write_bytes(whole)
    archive = tmp_path / f"archive-{len(list(tmp_path.iterdir()))}"
    ended = run("--format", kind, path, "--archive", archive, "--json")
    path.unlink()
    assert ended.exit_code in {0, 2}, ended.output
    assert "fault of trimtab" not in ended.output
    if ended.exit_code == 2:
        assert ended.stderr.count("\n") == 1
        assert not archive.exists()
        return
    recorded = open_archive(archive)
    times = [each.message.event_time_us for each in recorded.whole(MARKET_FRAMES)]
    assert times == sorted(times)
    for each in recorded.whole(MARKET_BOOKS):
        bids, asks = each.message.bids, each.message.asks
        assert min((*bids, *asks), default=1) > 0
        assert not (bids and asks) or bids[0] < asks[0]
