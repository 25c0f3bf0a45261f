"""Bars as files have them: CSV and Parquet alike, and every way in which a row can be wrong."""

import tracemalloc
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest
from bar_files import CALM, HEADING, LENGTH_S, START_S, bar, line, write

from trimtab.exchange.bars import Bar, bars, survey
from trimtab.exchange.tape_file import TapeError

D = Decimal
GOOD = [line(one) for one in CALM]


def parquet(path: Path, rows: Sequence[Bar], kind: str) -> Path:
    times = {"TIMESTAMPTZ": "make_timestamptz({})", "TIMESTAMP": "make_timestamp({})", "BIGINT": "{} // 1000"}
    values = ", ".join(
        f"({times[kind].format(one.open_us)}, {one.open}::DOUBLE, {one.high}::DOUBLE, {one.low}::DOUBLE, "
        f"{one.close}::DOUBLE, {one.volume}::DOUBLE)"
        for one in rows
    )
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT * FROM (VALUES {values}) t({HEADING})) TO '{path}' (FORMAT parquet)")
    return path


def read(path: Path) -> list[Bar]:
    return [one for _, one in bars(path)]


@pytest.mark.parametrize("kind", ["TIMESTAMPTZ", "TIMESTAMP", "BIGINT"])
def test_csv_and_parquet_give_the_same_bars(tmp_path: Path, kind: str) -> None:
    assert read(parquet(tmp_path / "BTCUSDT.parquet", CALM, kind)) == list(CALM)
    assert read(write(tmp_path / "BTCUSDT.csv", CALM)) == list(CALM)


@pytest.mark.parametrize(
    "moment",
    ["1704067200", "1704067200000", "1704067200000000", "1704067200000000000", "2024-01-01T00:00:00Z",
     "2024-01-01 00:00:00", "2024-01-01", "2024-01-01 01:00:00+01:00"],
)  # fmt: skip
def test_times_are_iso_or_counted_in_any_unit(tmp_path: Path, moment: str) -> None:
    path = tmp_path / "BTCUSDT.csv"
    path.write_text(f"Volume,Timestamp,Open,High,Low,Close,Trades\n7,{moment},1,1,1,1,99\n")

    assert read(path) == [Bar(START_S * 1_000_000, D(1), D(1), D(1), D(1), D(7))]


def test_a_survey_finds_what_the_file_needs(tmp_path: Path) -> None:
    rows = [bar(0, "14.5 15 14 14.8", "7.25"), bar(1, "14.8 14.8 14.755 14.8", "1"), bar(9, "14 14 14 14", "0.1")]
    found = survey(write(tmp_path / "LINK_USDT-5m.csv", rows))

    assert (found.base, found.quote, found.tick, found.step) == ("LINK", "USDT", D("0.001"), D("0.01"))
    assert (found.first_us, found.last_us) == (rows[0].open_us, rows[-1].open_us)
    assert found.length_us == LENGTH_S * 1_000_000


@pytest.mark.parametrize(
    ("name", "pair"),
    [
        ("BTC_USDT-5m", ("BTC", "USDT")), ("ETHBTC", ("ETH", "BTC")), ("WBTC-USDT", ("WBTC", "USDT")),
        ("btcusdt-1m-2024-01", ("BTC", "USDT")), ("DOT-USD", ("DOT", "USD")),
    ],
)  # fmt: skip
def test_a_files_name_begins_with_its_pair(tmp_path: Path, name: str, pair: tuple[str, str]) -> None:
    found = survey(write(tmp_path / f"{name}.csv", CALM))

    assert (found.base, found.quote) == pair


@pytest.mark.parametrize(
    ("rows", "complaint"),
    [
        (["1704068100,nan,2,1,1,5"], ":5: open 'nan'; needed: a number above 0"),
        (["1704068100,,2,1,1,5"], ":5: open ''; needed: a number above 0"),
        (["1704068100,1,inf,1,1,5"], ":5: high 'inf'; needed: a number above 0"),
        (["1704068100,1,2,0,1,5"], ":5: low '0'; needed: a number above 0"),
        (["1704068100,1,2,1,1,-5"], ":5: volume '-5'; needed: a number not below 0"),
        (["1704068100,1,1,2,1,5"], ":5: open 1, high 1, low 2, close 1; needed: all from low to high"),
        (["1704068100,3,2,1,1,5"], ":5: open 3, high 2, low 1, close 1; needed: all from low to high"),
        (["1704068100,1,2,1,1.000000001,5"], ":5: close 1.000000001; needed: 8 decimals at most"),
        (["1704068100,1,2,1,1,9e99"], ":5: volume '9e99'; needed: a number not below 0, at most 1e+15"),
        (["1704067800,1,2,1,1,5"], ":5: opens at 2024-01-01T00:10:00+00:00, the bar before it at 2024-01-01T00:10:00"),
        (["1704067200,1,2,1,1,5"], ":5: opens at 2024-01-01T00:00:00+00:00, the bar before it at 2024-01-01T00:10:00"),
        (["1704068101,1,2,1,1,5"], ":5: opens 301 s after the bar before it; needed: whole bars of 300 s"),
        (["yesterday,1,2,1,1,5"], ":5: date 'yesterday'; needed: ISO 8601 or a count since 1970"),
        (["20240101,1,2,1,1,5"], ":5: date '20240101'; needed: ISO 8601 or a count since 1970, of 10 digits or more"),
        (["1969-12-31,1,2,1,1,5"], ":5: date '1969-12-31'; needed: ISO 8601 or a count since 1970"),
        (["1704068100,1_0,20,1,1,5"], ":5: open '1_0'; needed: a number above 0"),
        (["1704068100,\u0661,2,1,1,5"], ":5: open '\u0661'; needed: a number above 0"),
        (["1704068100,1,2,1,1"], ":5: 5 fields; needed: 6, as in its heading"),
    ],
)
def test_a_bad_bar_is_named_with_its_place(tmp_path: Path, rows: list[str], complaint: str) -> None:
    path = write(tmp_path / "BTCUSDT.csv", [*GOOD, *rows])
    with pytest.raises(TapeError) as refused:
        survey(path)
    assert str(refused.value).startswith(f"{path}{complaint}")


def test_a_bad_bar_in_parquet_is_named_with_its_row(tmp_path: Path) -> None:
    path = parquet(tmp_path / "BTCUSDT.parquet", [*CALM, bar(3, "5 4 3 3", "1")], "TIMESTAMP")
    with pytest.raises(
        TapeError, match=r"BTCUSDT\.parquet: row 4: open 5.0, high 4.0, low 3.0, close 3.0; needed: all"
    ):
        survey(path)


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("BTCUSDT.csv", "date,open,high,low,close\n", "no column volume; found: close, date, high, low, open"),
        ("BTCUSDT.csv", "day,open,high,low,close,volume\n1,1,1,1,1,1\n", "no column date or timestamp; found: "),
        ("BTCUSDT.csv", f"{HEADING},volume\n{GOOD[0]},1\n", "column volume more than once; needed: each once"),
        ("BTCUSDT.csv", f"{HEADING}\n{GOOD[0]}\n", "fewer than two bars; needed: two at least"),
        ("candles.csv", f"{HEADING}\n", "a name that begins with no pair; needed: as BTC_USDT-5m or BTCUSDT"),
        ("BTCUSDT.csv", f'{HEADING}\n"{GOOD[0]}\n', "unexpected end of data; needed: a whole CSV file"),
        ("BTCUSDT.parquet", "PAR1 and nothing more", "needed: a whole Parquet file"),
    ],
)
def test_a_file_that_holds_no_bars_is_refused(tmp_path: Path, name: str, content: str, complaint: str) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(TapeError, match=rf"{name}: .*") as refused:
        survey(tmp_path / name)
    assert complaint in str(refused.value)
    assert "\n" not in str(refused.value)


def test_a_files_name_is_no_pattern_of_names(tmp_path: Path) -> None:
    other = parquet(tmp_path / "BTCUSDT-1.parquet", [bar(9, "5 5 5 5", "1")], "TIMESTAMP")
    for name in ("BTCUSDT-*.parquet", "BTCUSDT-?.parquet", "BTCUSDT-[1].parquet"):
        path = parquet(tmp_path / "new", CALM, "TIMESTAMP").rename(tmp_path / name)
        assert read(path) == list(CALM)
    assert len(read(other)) == 1


def test_ten_times_as_many_bars_take_no_more_memory(tmp_path: Path) -> None:
    peaks = []
    for count in (3_000, 30_000):
        path = write(tmp_path / f"BTCUSDT-{count}.csv", (bar(index, "100 101 99 100.5", "3") for index in range(count)))
        tracemalloc.start()
        survey(path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < peaks[0] + 100_000
