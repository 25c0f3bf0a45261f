"""Bars as one book each: known when the bar has closed, from what has been until then, and around its close."""

from itertools import groupby
from pathlib import Path

import pytest
from backtest_tapes import LENGTH_S, START_S, write_bars

from trimtab.backtest.closes import Closes
from trimtab.exchange.bars import bars, survey
from trimtab.exchange.market import Snapshot
from trimtab.exchange.tape_file import TapeError


def closes(folder: Path, *, costless: bool = False) -> Closes:
    return Closes(tuple(survey(file) for file in sorted(folder.iterdir())), costless)


def books(market: Closes) -> list[Snapshot]:
    return [event for event in market.events() if isinstance(event, Snapshot)]


def test_every_symbol_has_a_book_when_its_bar_has_closed(tmp_path: Path) -> None:
    market = closes(write_bars(tmp_path / "tape", 20))
    moments = [(time_us, len([*group])) for time_us, group in groupby(books(market), key=lambda book: book.time_us)]
    assert moments == [((START_S + LENGTH_S * number) * 1_000_000, 3) for number in range(1, 21)]
    assert (market.start_us, market.end_us) == (moments[0][0], moments[-1][0])


def test_a_book_stands_around_its_close_and_costs_nothing_where_it_is_not_to(tmp_path: Path) -> None:
    folder = write_bars(tmp_path / "tape", 20)
    dear, free = closes(folder), closes(folder, costless=True)
    last = {file.base + file.quote: [bar.close for _, bar in bars(file.path)] for file in dear.files}
    for book, level in zip(books(dear), books(free), strict=True):
        close, tick = last[book.symbol][book.last_id - 1], dear.instruments[book.symbol].tick
        (bid, _), (ask, _) = book.bids[0], book.asks[0]
        assert bid - tick <= close <= ask + tick
        assert 0 < ask - bid < close / 500
        assert [len(book.bids), len(book.asks)] == [10, 10]
        assert all(size > 0 for _, size in (*book.bids, *book.asks))
        assert (level.bids[0][0] + level.asks[0][0]) / 2 == last[level.symbol][level.last_id - 1]


def test_later_bars_change_no_earlier_book(tmp_path: Path) -> None:
    short, long = (books(closes(write_bars(tmp_path / str(count), count))) for count in (20, 60))
    assert long[: len(short)] == short


def test_bars_of_two_lengths_and_files_that_overlap_are_refused(tmp_path: Path) -> None:
    folder = write_bars(tmp_path / "tape", 20)
    again = folder / "BTC_USDT-more.csv"
    again.write_text((folder / "BTC_USDT-5m.csv").read_text())
    with pytest.raises(TapeError, match="needed: bars that begin when those of"):
        closes(folder)
    lines = again.read_text().splitlines()
    again.write_text("\n".join([lines[0], *lines[1::2], ""]))
    with pytest.raises(TapeError, match="needed: bars of one length"):
        closes(folder)
