"""Bars as a market: whatever the bars are, its book holds together and its trades add up to them."""

import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from decimal import Decimal
from itertools import islice
from pathlib import Path

import pytest
from bar_files import CALM, LENGTH_S, START_S, bar, market, write
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.exchange.accounts import Account
from trimtab.exchange.bar_market import BarMarket
from trimtab.exchange.bars import Bar, bars, survey
from trimtab.exchange.book import Book
from trimtab.exchange.engine import Engine
from trimtab.exchange.market import DepthUpdate, MarketEvent, Quote, Snapshot, Trade
from trimtab.exchange.orders import NewOrder
from trimtab.exchange.tape_file import TapeError
from trimtab.exchange.tickers import Tape

D = Decimal
CENT, LOT = D("0.01"), D("0.00001")
LENGTH_US = LENGTH_S * 1_000_000
CANDLES = Path(__file__).resolve().parents[4] / "shared" / "data" / "genetrader"


@st.composite
def tapes(draw: st.DrawFn) -> list[Bar]:
    """Bars of a few ticks or of many, of a lot or of none; before the last one some may be missing."""
    found: list[Bar] = []
    for index in range(draw(st.integers(2, 4))):
        low = draw(st.integers(1, 3) | st.integers(1, 10**8))
        high = low + draw(st.integers(0, 3) | st.integers(0, low))
        ticks = (draw(st.integers(low, high)), high, low, draw(st.integers(low, high)))
        volume = draw(st.integers(0, 30) | st.integers(0, 10**12)) * LOT + draw(st.sampled_from([0, 1, 7])) * LOT / 10
        start, top, bottom, close = (tick * CENT for tick in ticks)
        found.append(Bar((START_S + index * LENGTH_S) * 1_000_000, start, top, bottom, close, volume))
    if draw(st.booleans()):
        found.append(replace(found[0], open_us=found[-1].open_us + 5 * LENGTH_US))
    return found


def of_bars(events: Sequence[MarketEvent], tape: Sequence[Bar]) -> Iterator[tuple[Bar, list[MarketEvent]]]:
    for one in tape:
        yield one, [event for event in events if one.open_us <= event.time_us < one.open_us + LENGTH_US]


def trades_of(events: Sequence[MarketEvent]) -> list[Trade]:
    return [event for event in events if isinstance(event, Trade)]


def assert_book_holds(events: Sequence[MarketEvent], made: BarMarket) -> None:
    """Never crossed, whole ticks and lots, quotes and trades at the best prices, ids without a hole."""
    book, quote, last_us, last_trade = Book(), None, made.start_us, None
    assert isinstance(events[0], Snapshot)
    for event in events:
        assert event.time_us >= last_us
        last_us = event.time_us
        if isinstance(event, Snapshot):
            book.reset(event)
        elif isinstance(event, DepthUpdate):
            assert event.first_id == book.last_id + 1 <= event.last_id
            book.apply(event)
        elif isinstance(event, Quote):
            assert event.bid < event.ask
            quote = event
        else:
            best = book.bids.best() if event.buyer_is_maker else book.asks.best()
            assert event.price == best
            assert event.quantity > 0
            assert event.quantity % LOT == 0
            assert last_trade is None or event.trade_id == last_trade + 1
            last_trade = event.trade_id
        if not isinstance(event, Quote):
            (bid, bid_size), (ask, ask_size) = book.bids.top(1)[0], book.asks.top(1)[0]
            assert bid < ask
            assert quote is None or (quote.bid, quote.bid_size) == (bid, bid_size)
            assert quote is None or (quote.ask, quote.ask_size) == (ask, ask_size)
    for price, size in (*book.bids.levels(), *book.asks.levels()):
        assert price > 0
        assert (price % CENT, size % LOT) == (0, 0)


def assert_bars_are_kept(events: Sequence[MarketEvent], tape: Sequence[Bar]) -> None:
    """Prices within each bar and at its four, volumes that sum to it but for less than a lot."""
    wanted = traded = D(0)
    standing: list[Quote] = []
    for one, happened in of_bars(events, tape):
        trades = trades_of(happened)
        wanted += one.volume
        before, traded = traded, traded + sum((trade.quantity for trade in trades), D(0))
        assert traded == wanted // LOT * LOT
        prices = [trade.price for trade in trades]
        assert all(one.low <= price <= one.high for price in prices)
        if traded - before >= 4 * LOT:
            assert (prices[0], max(prices), min(prices), prices[-1]) == (one.open, one.high, one.low, one.close)
            assert trades[0].time_us == one.open_us
        quotes = [event for event in happened if isinstance(event, Quote)]
        if one.low < one.high:
            stood = [] if quotes and quotes[0].time_us == one.open_us else standing
            assert one.high in {quote.ask for quote in (*stood, *quotes)}
            assert one.low in {quote.bid for quote in (*stood, *quotes)}
        standing = quotes[-1:] or standing


@given(tape=tapes(), seed=st.integers(0, 2**32))
@settings(max_examples=150)
def test_whatever_the_bars_are_the_book_holds_and_the_trades_are_theirs(tape: list[Bar], seed: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        made = market(Path(folder), tape, seed)
        events = list(made.events())
        assert list(made.events()) == events
    assert_book_holds(events, made)
    assert_bars_are_kept(events, tape)
    assert (made.start_us, made.end_us) == (tape[0].open_us, tape[-1].open_us + LENGTH_US)
    assert events[-1].time_us < made.end_us


def test_the_same_files_and_seed_give_the_same_market_and_another_seed_another(tmp_path: Path) -> None:
    one, same, other = (list(market(tmp_path, CALM, seed).events()) for seed in (3, 3, 4))

    assert one == same
    assert one != other
    assert trades_of(one)[0].price == trades_of(other)[0].price == CALM[0].open


def test_the_same_bars_of_two_symbols_go_two_ways(tmp_path: Path) -> None:
    ways = [
        [trade.price for trade in trades_of(list(market(tmp_path, CALM, 5, name).events()))]
        for name in ("AAA_USDT.csv", "BBB_USDT.csv")
    ]
    assert ways[0] != ways[1]


def test_a_bar_does_not_depend_on_those_after_it_and_its_book_not_on_the_bar_itself(tmp_path: Path) -> None:
    """The last bar is ten times as large: no book shows it before the bar is over."""
    busy = bar(2, "100.80 102.00 100.75 101.10", "3100")
    one, other = (list(market(tmp_path, rows).events()) for rows in (CALM, (*CALM[:2], busy)))

    def books(events: Sequence[MarketEvent]) -> list[MarketEvent]:
        return [event for event in events if not isinstance(event, Trade)]

    assert books(one) == books(other)
    assert trades_of(one) != trades_of(other)


def test_less_than_a_lot_waits_for_the_next_bar(tmp_path: Path) -> None:
    rows = [bar(index, "100 101 99 100", "0.000004") for index in range(5)]
    made = market(tmp_path, rows)

    volumes = [sum(trade.quantity for trade in trades_of(events)) for _, events in of_bars(list(made.events()), rows)]
    assert volumes == [0, 0, LOT, 0, LOT]


def test_where_bars_are_missing_the_market_stands_still(tmp_path: Path) -> None:
    rows = (*CALM, bar(20, "110 111 109 110", "5"))
    events = list(market(tmp_path, rows).events())

    inside = [e for e in events if CALM[-1].open_us + LENGTH_US <= e.time_us < rows[-1].open_us]
    assert inside == []
    assert trades_of(events)[-1].price == 110


def test_a_tick_finer_than_the_listed_one_is_taken_from_the_bars(tmp_path: Path) -> None:
    rows = [bar(index, "14.881 14.9 14.7 14.75", "100.123") for index in range(2)]

    assert market(tmp_path, rows, name="LINK_USDT-5m.csv").instruments["LINKUSDT"].tick == D("0.001")
    assert market(tmp_path, rows, name="LINK_USDT-5m.csv").instruments["LINKUSDT"].step == D("0.01")
    unlisted = market(tmp_path, rows, name="FOOUSDT.csv").instruments["FOOUSDT"]
    assert (unlisted.base, unlisted.quote, unlisted.tick, unlisted.step) == ("FOO", "USDT", D("0.001"), D("0.001"))


def test_files_of_one_symbol_follow_one_another_and_must_not_overlap(tmp_path: Path) -> None:
    later = [bar(index + 3, "101 102 100 101", "9") for index in range(2)]
    first, second = survey(write(tmp_path / "BTCUSDT-a.csv", CALM)), survey(write(tmp_path / "BTCUSDT-b.csv", later))
    whole = list(market(tmp_path, [*CALM, *later], name="BTCUSDT-c.csv").events())

    assert list(BarMarket([second, first]).events()) == whole
    overlapping = survey(write(tmp_path / "BTCUSDT-d.csv", [CALM[-1], *later]))
    with pytest.raises(
        TapeError, match=r"BTCUSDT-d\.csv: bars of 300 s from 2024-01-01T00:10.*00:15:00\+00:00, or later"
    ):
        BarMarket([first, overlapping])


def test_candles_counted_from_the_trades_are_the_bars(tmp_path: Path) -> None:
    tape = Tape()
    events = list(market(tmp_path, CALM).events())
    for event in events:
        if isinstance(event, Trade):
            tape.trade(event)
    candles = tape.candles(LENGTH_US, CALM[-1].open_us + LENGTH_US - 1)

    found = [(c.open_us, c.open, c.high, c.low, c.close, c.volume) for c in candles]
    assert found == [(b.open_us, b.open, b.high, b.low, b.close, b.volume) for b in CALM]


def test_the_engine_fills_who_waits_where_the_bar_goes_and_nobody_beyond_it(tmp_path: Path) -> None:
    made = market(tmp_path, CALM)
    events = made.events()
    engine = Engine(made.instruments)
    engine.open_account(Account("ann"), {"USDT": D(10_000)}, made.start_us)
    for event in islice(events, 1):
        engine.market(event)
    orders = [
        engine.place("ann", NewOrder("BTCUSDT", "BUY", "LIMIT", price, D("0.5"), price=D(price)), made.start_us)[0]
        for price in ("99.21", "99.19")
    ]
    for event in events:
        engine.market(event)

    assert [order.status for order in orders] == ["FILLED", "NEW"]


@pytest.mark.parametrize("asset", ["BTC", "XRP", "LINK"])
def test_recorded_candles_are_kept_to_the_last_unit(asset: str) -> None:
    path = CANDLES / f"{asset}_USDT-5m.parquet"
    if not path.exists():
        pytest.skip(f"needs ../shared/data/genetrader/{path.name}, which is not there")
    file = survey(path)
    made = BarMarket([file], 1)
    rules = made.instruments[f"{asset}USDT"]
    tape, kept, last_us = Tape(), 0, made.start_us + 200 * LENGTH_US
    for event in made.events():
        if event.time_us >= last_us:
            break
        if isinstance(event, Trade):
            tape.trade(event)
            assert event.price % rules.tick == 0
    for candle, (_, one) in zip(tape.candles(LENGTH_US, last_us - 1), bars(path), strict=False):
        assert (candle.open, candle.high, candle.low, candle.close) == (one.open, one.high, one.low, one.close)
        assert candle.volume == one.volume
        kept += 1
    assert kept == 200
    assert (file.length_us, file.end_us - file.first_us) == (LENGTH_US, 26_208 * LENGTH_US)
