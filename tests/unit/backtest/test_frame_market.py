"""Recorded frames as a market: books as drift saw them, the trades between them, and archives as tapes."""

import json
import os
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from backtest_tapes import write_portfolio
from typer.testing import CliRunner, Result

from archive_files import Shelf
from frame_tapes import DEPTH, SECOND_US, START_US, Writer, ladder, rules
from recorded_topics import Topics
from trimtab.backtest.errors import UnplayableError
from trimtab.backtest.fees import Fees
from trimtab.backtest.frame_market import FrameMarket, open_frames
from trimtab.backtest.shown import Shown
from trimtab.cli.__main__ import app
from trimtab.domain.orders import Side
from trimtab.exchange.market import DepthUpdate, Snapshot, Trade
from trimtab.messages import InstrumentRules

D = Decimal
PORTFOLIO = """
portfolio: core
quote: USDT
targets: {BTC: 0.5, USDT: 0.5}
policy: {kind: threshold, absolute: 0.05}
limits: {max_trade_share: 0.5}
"""


@pytest.fixture
def topics() -> Topics:
    return Topics()


@pytest.fixture
def writer(topics: Topics) -> Writer:
    return Writer(topics.keep, "BTC")


def tops(market: FrameMarket) -> list[tuple[int, Decimal | None, Decimal | None]]:
    """Return what stands at the top after each event: seconds, bid, ask."""
    shown, found = Shown(market.instruments, Fees()), []
    for event in market.events():
        shown.take(event)
        top = shown.top("BTCUSDT")
        prices = (None, None) if top is None else (top.bid, top.ask)
        found.append(((event.time_us - START_US) // SECOND_US, *prices))
    return found


def test_books_come_as_what_has_changed_and_only_when_it_has(topics: Topics, writer: Writer) -> None:
    writer.prices(BTC=100_000)
    writer.wait()
    writer.prices(BTC=100_001, full=False)
    writer.wait()
    writer.frame(full=False)
    market = open_frames(topics)

    first, second = market.events()

    assert isinstance(first, Snapshot)
    assert (first.bids[0], first.asks[0]) == ((D("999.99"), D(100)), (D("1000.01"), D(100)))
    assert isinstance(second, DepthUpdate)
    assert {*second.bids} == {(D("1000.00"), D(100)), (D("999.97"), D(0))}
    assert {*second.asks} == {(D("1000.01"), D(0)), (D("1000.04"), D(100))}
    assert tops(market) == [(0, D("999.99"), D("1000.01")), (1, D("1000.00"), D("1000.02"))]
    assert (market.start_us, market.end_us) == (START_US, START_US + 2 * SECOND_US)


def test_a_book_that_is_empty_or_crossed_is_not_there_to_trade_on(topics: Topics, writer: Writer) -> None:
    writer.prices(BTC=100_000)
    writer.wait()
    writer.frame(writer.quote("BTC", (), ()))
    writer.wait()
    writer.frame(writer.quote("BTC", ladder(100_001, -1), ladder(100_000, 1)))
    writer.wait()
    writer.prices(BTC=100_000, full=False)

    found = tops(open_frames(topics))

    assert found == [(0, D("999.99"), D("1000.01")), (1, None, None), (2, None, None), (3, D("999.99"), D("1000.01"))]


def test_nothing_moves_between_a_missing_frame_and_the_next_full_one(topics: Topics, writer: Writer) -> None:
    writer.prices(BTC=100_000)
    for mid, full, lost in ((100_001, False, 1), (100_002, False, 0), (100_003, True, 0)):
        writer.wait()
        writer.sequence += lost
        writer.prices(BTC=mid, full=full)

    assert [second for second, *_ in tops(open_frames(topics))] == [0, 3]


def test_a_book_that_a_full_frame_leaves_out_is_gone(topics: Topics) -> None:
    writer = Writer(topics.keep)
    for mids in ({"BTC": 100_000, "ETH": 50_000}, {"ETH": 50_000}, {"ETH": 50_001}, {"BTC": 100_000, "ETH": 50_001}):
        writer.prices(**mids)
        writer.wait()

    found = tops(open_frames(topics).of("binance", {"BTC", "USDT"}))

    assert found == [(0, D("999.99"), D("1000.01")), (1, None, None), (3, D("999.99"), D("1000.01"))]


def test_a_market_begins_when_all_have_a_book_but_for_those_that_never_have(topics: Topics) -> None:
    writer = Writer(topics.keep, "BTC", "ETH", "BNB")
    for books in (("BTC",), ("BTC", "BNB"), ("BTC", "ETH"), ("BTC", "ETH")):
        empty = (writer.quote(base, (), ()) for base in writer.bases if base not in books)
        sound = (writer.quote(base, ladder(99_999, -1), ladder(100_001, 1)) for base in books)
        writer.frame(*sound, *empty, full=True)
        writer.wait()
    market = open_frames(topics)

    begun = market.of("binance", {"BTC", "ETH", "USDT"}).begun()
    lonely = open_frames(topics, end=(0, None)).begun()

    assert (begun.stretch.first, begun.start_us, [*begun.instruments]) == (
        2,
        START_US + 2 * SECOND_US,
        ["BTCUSDT", "ETHUSDT"],
    )
    assert (lonely.stretch.first, [*lonely.instruments]) == (0, ["BTCUSDT"])
    with pytest.raises(UnplayableError, match=r"frames 0 to 3: .*BNB/USDT, .* never have a book at the same time"):
        market.begun()


def test_trades_come_by_time_with_the_first_frame_that_is_not_older(topics: Topics, writer: Writer) -> None:
    writer.tick("BTC", 99_990, 7)  # at the time of the first frame, so before it
    writer.prices(BTC=100_000)
    writer.wait(0.9)
    writer.tick("BTC", 100_001, 5, Side.BUY)
    late_us = writer.now_us
    writer.now_us -= SECOND_US // 2
    writer.tick("BTC", 99_999, 6)
    early_us = writer.now_us
    writer.now_us = START_US + SECOND_US
    writer.prices(BTC=100_010)

    _, *trades, book = open_frames(topics).events()

    assert [(each.time_us, each.event_us) for each in trades if isinstance(each, Trade)] == [
        (START_US + SECOND_US, early_us),
        (START_US + SECOND_US, late_us),
    ]
    assert [(each.price, each.quantity, each.buyer_is_maker) for each in trades if isinstance(each, Trade)] == [
        (D("999.99"), D("0.0006"), True),
        (D("1000.01"), D("0.0005"), False),
    ]
    assert isinstance(book, DepthUpdate)


def test_a_span_begins_with_every_book_as_it_then_stands(topics: Topics) -> None:
    writer = Writer(topics.keep)
    writer.prices(BTC=100_000, ETH=50_000)
    for mid in (100_001, 100_002):
        writer.wait()
        writer.prices(BTC=mid, full=False)

    market = open_frames(topics, (2, None), (None, None))
    events = list(market.events())

    assert [(type(each), each.symbol, each.time_us) for each in events] == [
        (Snapshot, symbol, START_US + 2 * SECOND_US) for symbol in ("BTCUSDT", "ETHUSDT")
    ]
    assert [each.symbol for each in market.of("binance", {"ETH", "USDT"}).events()] == ["ETHUSDT"]
    assert not market.of("coinbase").instruments


def test_what_cannot_be_played_gets_one_line(topics: Topics, writer: Writer) -> None:
    writer.prices(BTC=100_000)
    writer.wait()
    writer.rules = (rules("BTC", tick="0.001"),)
    writer.prices(BTC=1_000_000)

    with pytest.raises(UnplayableError, match=r"frame 1: BTC/USDT has tick 0\.001 .* before 0\.01 .*; needed: a span"):
        list(open_frames(topics).events())
    with pytest.raises(UnplayableError, match="frames 7 to 1: not there, or the wrong way round"):
        open_frames(topics, (7, None), (None, None))


def backtested(*words: object) -> Result:
    clean: dict[str, str | None] = {name: None for name in os.environ if name.startswith("TRIMTAB_")}
    return CliRunner().invoke(app, ["backtest", *map(str, words)], env=clean)


def archived(folder: Path, *others: InstrumentRules) -> Path:
    """BTC rises by a quarter in three steps of ten seconds; `others` are listed as well."""
    shelf = Shelf()
    writer = Writer(shelf.put)
    writer.rules += others
    for mid in (100_000, 110_000, 120_000, 125_000, 125_000):
        writer.prices(BTC=mid, ETH=50_000)
        writer.wait(10)
    return shelf.write(folder)


def test_an_archive_is_a_tape(tmp_path: Path) -> None:
    policy = write_portfolio(tmp_path, PORTFOLIO)
    archive = archived(tmp_path / "archive")

    ended = backtested("--tape", archive, "--policy", policy, "--against", "buy_and_hold", "--json")

    assert ended.exit_code == 0, ended.output
    found: dict[str, Any] = json.loads(ended.stdout)
    assert (found["tape"]["symbols"], found["tape"]["bar_seconds"]) == (["BTCUSDT", "ETHUSDT"], None)
    traded, held = found["policies"]["threshold"], found["policies"]["buy_and_hold"]
    assert held["final_equity"] == pytest.approx(1_125_000, rel=1e-4)
    assert (traded["orders"] > 0, held["orders"]) == (True, 0)
    assert Decimal(traded["holdings"]["BTC"]) < Decimal(held["holdings"]["BTC"])
    # Three levels of a hundred BTC a side: all of it was traded at the top of the book.
    assert DEPTH * D("0.0001") == 100
    assert traded["impact_cost"] == 0


def test_a_pair_that_never_has_a_book_is_left_out_unless_somebody_wants_it(tmp_path: Path) -> None:
    ether_in_bitcoin = replace(rules("ETH"), instrument="ETH/BTC", quote="BTC")
    archive = archived(tmp_path / "archive", rules("BNB"), ether_in_bitcoin)
    both = PORTFOLIO.replace("{BTC: 0.5, USDT: 0.5}", "{BTC: 0.5, ETH: 0.2, USDT: 0.3}")
    for text, code, line in (
        (both, 0, ""),
        (both.replace("ETH", "BNB"), 2, "targets.BNB: found 'BNB/USDT'; allowed: what is on the tape: BTC/USDT"),
        (PORTFOLIO.replace("{BTC: 0.5, USDT: 0.5}", "{USDT: 1}"), 2, "targets: found 'USDT'; allowed: something that"),
    ):
        policy = write_portfolio(tmp_path, text)
        ended = backtested("--tape", archive, "--policy", policy, "--against", "buy_and_hold", "--json")
        assert (ended.exit_code, ended.stderr.count("\n")) == (code, 1 if code else 0), ended.output
        assert line in ended.stderr


def test_what_is_wrong_with_an_archive_gets_one_line(tmp_path: Path) -> None:
    policy = write_portfolio(tmp_path, PORTFOLIO)
    sound, two = archived(tmp_path / "sound"), archived(tmp_path / "two", rules("BTC", "coinbase"))
    bitten = archived(tmp_path / "bitten")
    frames = bitten / "market.frames.avro"
    data = bytearray(frames.read_bytes())
    data[-20] ^= 4
    frames.write_bytes(data)
    for words, line in (
        ((sound, "--costless"), "an archive; needed: nothing beside it, neither --costless nor --ways"),
        ((sound, "--tape", two), "an archive; needed: nothing beside it"),
        ((two,), "two: instruments of binance, coinbase; needed: of one venue"),
        ((bitten,), "market.frames.avro: bytes"),
    ):
        ended = backtested("--policy", policy, "--tape", *words)
        assert (ended.exit_code, ended.stdout) == (2, ""), ended.output
        assert line in ended.stderr
        assert ended.stderr.count("\n") == 1
