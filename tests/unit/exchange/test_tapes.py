"""Tapes of every kind: told apart by what they hold, on one clock where their times allow it."""

import gzip
from dataclasses import replace
from pathlib import Path

import pytest
from bar_files import CALM, LENGTH_S, START_S, write
from test_level2_market import split
from test_recorded_market import Recorder

from trimtab.exchange.bar_market import BarMarket
from trimtab.exchange.bars import survey
from trimtab.exchange.level2 import RAW, Level2Market
from trimtab.exchange.recorded import RecordedMarket
from trimtab.exchange.tape_file import TapeError
from trimtab.exchange.tapes import KINDS, CombinedMarket, by_kind, open_tapes

MIDST_MS = (START_S + LENGTH_S) * 1000


def recording(path: Path, symbol: str = "LTCUSDT", start_ms: int = MIDST_MS) -> Path:
    tape = Recorder(symbol, start_ms)
    tape.depth(1, 4)
    tape.snapshot(4)
    for last in range(5, 12):
        tape.depth(last, last)
    return tape.write(path)


def test_a_tape_is_what_it_holds_whatever_it_is_called(tmp_path: Path) -> None:
    folder = tmp_path / "tapes"
    folder.mkdir()
    (folder / "LICENSE").write_text("passed over")
    bars = write(folder / "BTCUSDT.csv", CALM)
    packed = folder / "ETHUSDT.csv.gz"
    packed.write_bytes(gzip.compress(bars.read_bytes()))
    recorded = recording(folder / "a.gz")
    level2 = split(tmp_path / "coinbase")

    found = by_kind([folder, level2])
    assert found == {"recording": [recorded], "bars": [bars, packed], "level2": [level2]}
    assert found.keys() == KINDS.keys()
    assert isinstance(open_tapes([recorded]), RecordedMarket)
    assert isinstance(open_tapes([bars]), BarMarket)
    assert isinstance(open_tapes([level2]), Level2Market)


def test_kinds_play_together_in_the_order_of_their_times(tmp_path: Path) -> None:
    paths = [write(tmp_path / "BTCUSDT.csv", CALM), write(tmp_path / "ETHUSDT.csv", CALM), recording(tmp_path / "a.gz")]
    market = open_tapes(paths, seed=3)

    assert isinstance(market, CombinedMarket)
    assert sorted(market.instruments) == ["BTCUSDT", "ETHUSDT", "LTCUSDT"]
    events = list(market.events())
    assert [event.time_us for event in events] == sorted(event.time_us for event in events)
    assert market.start_us == next(event.time_us for event in events if event.symbol == "LTCUSDT")
    bars = [event for event in events if event.symbol == "BTCUSDT"]
    assert bars == list(BarMarket([survey(paths[0])], seed=3).events())
    for path in paths:
        alone = open_tapes([path], seed=3)
        (symbol,) = alone.instruments
        assert list(alone.events()) == [event for event in events if event.symbol == symbol]


def test_symbols_narrow_tapes_of_every_kind_down(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / "BTCUSDT.csv", CALM), write(tmp_path / "ETHUSDT.csv", CALM),
        recording(tmp_path / "a.gz"), recording(tmp_path / "b.gz", "BLZETH"),
    ]  # fmt: skip

    assert sorted(open_tapes(paths, ["LTCUSDT", "ETHUSDT"]).instruments) == ["ETHUSDT", "LTCUSDT"]
    assert sorted(open_tapes(paths, ["BTCUSDT"]).instruments) == ["BTCUSDT"]
    with pytest.raises(TapeError, match="the tape holds BLZETH, BTCUSDT, ETHUSDT, LTCUSDT; asked for BTCUSDT, SOLUSDT"):
        open_tapes(paths, ["SOLUSDT", "BTCUSDT"])


def test_tapes_of_different_times_or_of_one_symbol_cannot_play_together(tmp_path: Path) -> None:
    late = [replace(one, open_us=one.open_us + 10**12) for one in CALM]
    first, second = write(tmp_path / "BTCUSDT.csv", CALM), write(tmp_path / "ETHUSDT.csv", late)
    with pytest.raises(TapeError, match=r"BTCUSDT: ends at 2024-01-01T00:15.*before ETHUSDT begins at .*of one time"):
        open_tapes([first, second])
    with pytest.raises(TapeError, match=r"BTCUSD: ends at 2018-.*before BTCUSDT begins"):
        open_tapes([first, split(tmp_path / "coinbase")])
    with pytest.raises(TapeError, match="BTCUSDT: on tapes of two kinds"):
        open_tapes([first, recording(tmp_path / "a.gz", "BTCUSDT")])


@pytest.mark.parametrize(
    ("name", "content", "found"),
    [
        ("a.csv", b"hello world\n", ":1: 'hello world'"),
        ("a.csv", b"side,price,size,time\n", ":1: 'side,price,size,time'"),
        ("a.csv", b"", ":1: ''"),
        ("a.gz", b"no gzip at all", ": Not a gzipped file"),
        ("a.gz", gzip.compress(b"123 [1]\n", mtime=0), ":1: '123 [1]'"),
    ],
)
def test_what_is_no_tape_is_refused_with_the_kinds_there_are(
    tmp_path: Path, name: str, content: bytes, found: str
) -> None:
    path = tmp_path / name
    path.write_bytes(content)
    for tape in (path, tmp_path):
        with pytest.raises(TapeError, match=r"needed: one of raw Binance recordings .*; bars .*; Coinbase") as refused:
            open_tapes([tape])
        assert str(refused.value).startswith(f"{path}{found}")


def test_missing_and_empty_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(TapeError, match="none: no such file or folder"):
        open_tapes([tmp_path / "none"])
    with pytest.raises(TapeError, match=r"a folder without \.gz, \.csv, \.parquet; needed: one of"):
        open_tapes([tmp_path])


def test_a_level_2_file_of_all_messages_is_a_tape_by_itself(tmp_path: Path) -> None:
    (tmp_path / "other.csv").write_text("type,product_id,time,bids,asks,changes,side,price,size,trade_id,_id\n")

    assert by_kind([tmp_path / "other.csv"]) == {"level2": [tmp_path / "other.csv"]}
    (tmp_path / "other.csv").rename(tmp_path / RAW)
    assert by_kind([tmp_path]) == {"level2": [tmp_path]}
