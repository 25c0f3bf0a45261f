"""Level-2 recordings of Coinbase: numbered, dated, quoted; prices written two ways are one level."""

import csv
from collections import Counter
from decimal import Decimal
from pathlib import Path

import pytest

from trimtab.exchange.book import Book
from trimtab.exchange.level2 import ASKS, BIDS, MATCHES, RAW, RAW_COLUMNS, UPDATES, Level2Market
from trimtab.exchange.market import DepthUpdate, Quote, Snapshot, Trade
from trimtab.exchange.tape_file import TapeError
from trimtab.exchange.tapes import open_tapes

D = Decimal
GDAX = Path(__file__).resolve().parents[4] / "shared" / "data" / "gdax"
DAY = "2018-04-17T00:55:0"

SPLIT = {
    BIDS: "side,price,size\nbuy,99.9,1\nbuy,99.5,2.5\n",
    ASKS: "side,price,size\nsell,100.1,3\nsell,9999999999,0.02839242\n",
    UPDATES: (
        "side,price,size,time\n"
        f"buy,99.90000000,0.4,{DAY}4.358Z\n"
        f"sell,100.10000000,0,{DAY}4.358Z\n"
        f"sell,100.30000000,7,{DAY}6.000Z\n"
    ),
    MATCHES: (
        "product_id,side,price,size,time,trade_id\n"
        f"BTC-USD,buy,99.90000000,0.60000000,{DAY}4.100000Z,41\n"
        f"BTC-USD,buy,99.90000000,0.60000000,{DAY}4.500000Z,42\n"
        f"BTC-USD,sell,100.30000000,0.10000000,{DAY}6.000000Z,43\n"
    ),
}


def split(folder: Path, **changed: str) -> Path:
    folder.mkdir(exist_ok=True)
    for name, text in (SPLIT | {f"{key}.csv": text for key, text in changed.items()}).items():
        (folder / name).write_text(text)
    return folder


def raw(folder: Path, *messages: dict[str, object]) -> Path:
    path = folder / RAW
    with path.open("w", newline="") as stream:
        rows = csv.DictWriter(stream, RAW_COLUMNS, restval="")
        rows.writeheader()
        rows.writerows({"product_id": "BTC-USD", **message} for message in messages)
    return path


def snapshot(bid: str = "99.9", ask: str = "100.1") -> dict[str, object]:
    return {"type": "snapshot", "bids": [[bid, "1"], ["99.5", "2.5"]], "asks": [[ask, "3"]]}


def update(second: str, *changes: tuple[str, str, str]) -> dict[str, object]:
    return {"type": "l2update", "time": f"{DAY}{second}Z", "changes": [list(change) for change in changes]}


def match(second: str, trade_id: int) -> dict[str, object]:
    # Read back by a program that takes numbers for fractions, ids end in .0
    sale = {"side": "sell", "price": "100.10000000", "size": "0.1", "trade_id": f"{trade_id}.0"}
    return {"type": "match", "time": f"{DAY}{second}Z", **sale}


def test_what_a_recording_lacks_is_made(tmp_path: Path) -> None:
    market = Level2Market(split(tmp_path))
    events = list(market.events())
    begin_us = 1_523_926_504_358_000

    assert market.start_us == begin_us
    assert market.end_us == begin_us + 1_642_000
    assert [type(event).__name__ for event in events] == [
        "Snapshot", "Quote", "Quote", "DepthUpdate", "Quote", "DepthUpdate", "Trade", "Trade", "Quote", "DepthUpdate",
    ]  # fmt: skip
    first = events[0]
    assert isinstance(first, Snapshot)
    assert (first.time_us, first.bids[0], first.asks[0]) == (begin_us, (D("99.9"), D(1)), (D("100.1"), D(3)))
    updates = [event for event in events if isinstance(event, DepthUpdate)]
    assert [(u.first_id, u.last_id) for u in updates] == [(2, 2), (3, 3), (4, 4)]
    trades = [event for event in events if isinstance(event, Trade)]
    assert [(t.trade_id, t.buyer_is_maker) for t in trades] == [(42, True), (43, False)]
    quotes = [(q.update_id, q.bid_size, q.ask) for q in events if isinstance(q, Quote)]
    assert quotes == [
        (1, D(1), D("100.1")), (2, D("0.4"), D("100.1")), (3, D("0.4"), D(9999999999)), (4, D("0.4"), D("100.3")),
    ]  # fmt: skip
    assert list(market.events()) == events


def test_rules_are_those_the_snapshot_needs(tmp_path: Path) -> None:
    rules = Level2Market(split(tmp_path)).instruments["BTCUSD"]

    assert (rules.base, rules.quote, rules.tick, rules.step) == ("BTC", "USD", D("0.1"), D("0.00000001"))


def test_a_price_written_in_two_ways_is_one_level(tmp_path: Path) -> None:
    book = Book()
    for event in Level2Market(split(tmp_path)).events():
        if isinstance(event, Snapshot):
            book.reset(event)
        elif isinstance(event, DepthUpdate):
            book.apply(event)

    assert list(book.bids.levels()) == [(D("99.9"), D("0.4")), (D("99.5"), D("2.5"))]
    assert len(book.asks) == 2


def test_messages_keep_their_order_of_arrival_and_what_is_late_is_due_at_once(tmp_path: Path) -> None:
    path = raw(
        tmp_path,
        update("1.000", ("buy", "1", "1")),  # before there is a book
        snapshot(),
        {"type": "error", "product_id": ""},
        update("4.000", ("buy", "99.95000000", "1"), ("sell", "100.10000000", "0")),
        match("3.500", 7),
        update("4.100", ("sell", "100.20000000", "5")),
    )
    events = [event for event in Level2Market(path).events() if not isinstance(event, Quote)]

    start_us = 1_523_926_504_000_000
    assert [(type(e).__name__, e.time_us - start_us) for e in events] == [
        ("Snapshot", 0), ("DepthUpdate", 0), ("Trade", 0), ("DepthUpdate", 100_000),
    ]  # fmt: skip
    assert isinstance(events[2], Trade)
    assert (events[2].event_us - start_us, events[2].trade_id) == (-500_000, 7)
    assert isinstance(events[1], DepthUpdate)
    assert (events[1].first_id, events[1].last_id) == (2, 3)


def test_a_second_snapshot_begins_the_book_anew_behind_a_gap(tmp_path: Path) -> None:
    path = raw(
        tmp_path, snapshot(), update("4.000", ("buy", "99.8", "1")),
        snapshot("90", "101"), update("5.000", ("buy", "89", "1")),
    )  # fmt: skip
    found = [
        (type(e).__name__, e.last_id) for e in Level2Market(path).events() if isinstance(e, Snapshot | DepthUpdate)
    ]

    assert found == [("Snapshot", 1), ("DepthUpdate", 2), ("Snapshot", 3), ("DepthUpdate", 4)]


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"match": "product_id,side,price,size,time,trade_id\n"}, "products none; needed: one"),
        ({"l2update": "side,price,size,time\n"}, "a snapshot, but no update after it"),
        ({"snapshot_bids": "side,price,size\n"}, "no snapshot with bids and asks"),
        ({"l2update": f"side,price,size,time\nhold,1,1,{DAY}4Z\n"}, "l2update.csv:2: side 'hold'; needed: buy or sell"),
        (
            {"l2update": f"side,price,size,time\nbuy,x,1,{DAY}4Z\n"},
            "l2update.csv:2: price 'x'; needed: a number above 0",
        ),
        ({"l2update": f"side,price,size,time\nbuy,1e25,1,{DAY}4Z\n"}, "l2update.csv:2: price '1e25'; needed: a number"),
        (
            {"match": f"product_id,side,price,size,time,trade_id\nBTC-USD,buy,1,1,{DAY}5Z,1e99999999\n"},
            "match.csv:2: trade_id '1e99999999'; needed: a number above 0, at most",
        ),
        (
            {"match": f"product_id,side,price,size,time,trade_id\nBTC-USD,buy,1,0,{DAY}5Z,7\n"},
            "match.csv:2: trade 7 of size 0; needed: a whole number, a size above 0",
        ),
        ({"match": f"product_id,side,price,size,time,trade_id\nA-B-C,buy,1,1,{DAY}5Z,7\n"}, "product 'A-B-C'; needed"),
        ({"snapshot_bids": "side,price,size\nsell,99,1\n"}, "snapshot_bids.csv:2: side 'sell'; needed: buy"),
        (
            {"snapshot_bids": "side,price,size\nbuy,102,1\n"},
            "l2update.csv:4: best bid 102 and ask 100.30000000; needed: bids below asks",
        ),
        (
            {"l2update": f"side,price,size,time\nbuy,101,1,{DAY}4Z\nbuy,1,1,{DAY}7Z\n"},
            "l2update.csv:2: best bid 101 and ask 100.1; needed: bids below asks (is a message missing before?)",
        ),
        ({"l2update": "side,price,size,time\nbuy,1,1,soon\n"}, "l2update.csv:2: time 'soon'; needed: ISO 8601"),
        ({"l2update": f"side,price,size\nbuy,1,{DAY}4Z\n"}, "no column time; found: price, side, size"),
    ],
)
def test_what_cannot_be_played_is_refused(tmp_path: Path, changed: dict[str, str], complaint: str) -> None:
    with pytest.raises(TapeError, match=str(tmp_path)) as refused:
        open_tapes([split(tmp_path, **changed)])
    assert complaint in str(refused.value)


def test_a_missing_file_a_second_product_and_a_broken_list_are_named(tmp_path: Path) -> None:
    (split(tmp_path / "a") / ASKS).unlink()
    with pytest.raises(TapeError, match=rf"no {ASKS}; needed: {RAW}, or all of"):
        Level2Market(tmp_path / "a")
    with pytest.raises(TapeError, match="products BTC-USD, ETH-USD; needed: one"):
        Level2Market(raw(tmp_path, snapshot(), {**update("4.0", ("buy", "1", "1")), "product_id": "ETH-USD"}))
    with pytest.raises(TapeError, match=rf"{RAW}:3: .* in '\[\[x'; needed: a list of levels"):
        Level2Market(raw(tmp_path, snapshot(), {**update("4.0"), "changes": "[[x"}))
    with pytest.raises(TapeError, match=rf"{RAW}:3: .*; needed: a list of levels, 3 texts each"):
        Level2Market(raw(tmp_path, snapshot(), {**update("4.0"), "changes": "[['buy', '1']]"}))


def test_time_that_runs_back_is_refused(tmp_path: Path) -> None:
    market = Level2Market(raw(tmp_path, snapshot(), update("4.0", ("buy", "1", "1")), update("2.9", ("buy", "1", "2"))))
    with pytest.raises(
        TapeError, match=rf"{RAW}:4: time 2018-04-17T00:55:02.900000\+00:00 after .*; needed: times that"
    ):
        list(market.events())


@pytest.mark.parametrize("source", [RAW, UPDATES])
def test_the_recorded_book_is_the_one_that_was_there(tmp_path: Path, source: str) -> None:
    """The check of the data's README, on both forms of the same ten minutes."""
    for name in (RAW, UPDATES, MATCHES, BIDS, ASKS):
        if not (GDAX / name).exists():
            pytest.skip(f"needs ../shared/data/gdax/{name}, which is not there")
    folder = GDAX
    if source != RAW:
        for name in (UPDATES, MATCHES, BIDS, ASKS):
            (tmp_path / name).symlink_to(GDAX / name)
        folder = tmp_path
    market = Level2Market(folder)
    book, counts, last_us, last_trade = Book(), Counter[str](), 0, 41_766_820
    for event in market.events():
        assert event.time_us >= last_us
        last_us = event.time_us
        counts[type(event).__name__] += 1
        if isinstance(event, Snapshot):
            book.reset(event)
            assert (len(book.bids), len(book.asks)) == (11_245, 16_997)
        elif isinstance(event, DepthUpdate):
            assert event.first_id == book.last_id + 1
            for side, levels in ((book.bids, event.bids), (book.asks, event.asks)):
                assert all(size or price in side.sizes for price, size in levels)
            book.apply(event)
            bid, ask = book.bids.best(), book.asks.best()
            assert bid is not None
            assert ask is not None
            assert bid < ask
        elif isinstance(event, Trade):
            assert event.trade_id == last_trade + 1
            last_trade = event.trade_id
    assert (counts["Snapshot"], counts["DepthUpdate"], counts["Trade"]) == (1, 18_093, 256)
    assert (len(book.bids), len(book.asks)) == (11_225, 17_014)
    assert (book.bids.best(), book.asks.best()) == (D("8039.99"), D("8040.00"))
    rules = market.instruments["BTCUSD"]
    assert (rules.tick, rules.step) == (D("0.01"), D("0.00000001"))
    assert market.end_us - market.start_us == 599_128_000


def test_a_trade_that_is_told_twice_is_told_once(tmp_path: Path) -> None:
    path = raw(
        tmp_path, snapshot(), update("4.000", ("buy", "99.8", "1")), match("4.1", 7), match("4.1", 7), match("4.2", 8)
    )
    assert [event.trade_id for event in Level2Market(path).events() if isinstance(event, Trade)] == [7, 8]


def test_a_book_may_be_crossed_within_one_moment(tmp_path: Path) -> None:
    rows = f"buy,100.1,1,{DAY}4Z\nsell,100.1,0,{DAY}4Z\nsell,100.5,1,{DAY}4Z\n"
    events = list(Level2Market(split(tmp_path, l2update=f"side,price,size,time\n{rows}")).events())
    assert all(event.bid < event.ask for event in events if isinstance(event, Quote))
