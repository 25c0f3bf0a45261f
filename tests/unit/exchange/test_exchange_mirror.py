"""A market with something wrong: thin, empty, crossed or still; numbered without a gap, and right afterwards."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.exchange.book import Book
from trimtab.exchange.instruments import listed
from trimtab.exchange.market import DepthUpdate, Level, MarketEvent, Quote, Snapshot, Trade
from trimtab.exchange.mirror import Bend, Mirror, Sizes, crossed, empty, thin

D = Decimal
LTC = listed("LTCUSDT")
assert LTC is not None
STEP, TICK = LTC.step, LTC.tick
BENDS: dict[str, Bend] = {
    "thin": thin(LTC, D("0.01")),
    "empty": empty(bids=True, asks=True),
    "half": empty(bids=False, asks=True),
    "crossed": crossed(LTC),
}


def straight(book: Book) -> tuple[Sizes, Sizes]:
    return book.bids.sizes, book.asks.sizes


def pairs(*texts: str) -> tuple[Level, ...]:
    """Levels out of "price x size"."""
    return tuple((D(text.split("x")[0]), D(text.split("x")[1])) for text in texts)


def a_book() -> Book:
    book = Book()
    book.reset(Snapshot("LTCUSDT", 1, 10, pairs("60.00x5", "59.99x0.05"), pairs("60.02x4", "60.03x0.001")))
    return book


def update(first_id: int, last_id: int, bids: tuple[Level, ...] = (), asks: tuple[Level, ...] = ()) -> DepthUpdate:
    return DepthUpdate("LTCUSDT", 5, 5, first_id, last_id, bids, asks, raw=b"as recorded")


class Client:
    """Keeps a book by Binance's rules: an update that does not follow upon the last one is a mistake."""

    def __init__(self, book: Book) -> None:
        self.book = book.copied()
        self.heard: list[MarketEvent] = []

    def hear(self, events: list[MarketEvent]) -> None:
        for event in events:
            self.heard.append(event)
            if isinstance(event, DepthUpdate):
                assert event.first_id == self.book.last_id + 1
                assert event.last_id >= event.first_id
                self.book.apply(event)

    @property
    def levels(self) -> tuple[list[Level], list[Level]]:
        return self.book.bids.top(9), self.book.asks.top(9)


def levels(book: Book) -> tuple[list[Level], list[Level]]:
    return book.bids.top(9), book.asks.top(9)


@pytest.mark.parametrize(
    ("name", "bids", "asks"),
    [
        ("thin", pairs("60.00x0.050", "59.99x0.001"), pairs("60.02x0.040", "60.03x0.001")),
        ("empty", (), ()),
        ("half", pairs("60.00x5", "59.99x0.05"), ()),
        ("crossed", pairs("60.03x5", "60.00x5", "59.99x0.05"), pairs("60.02x4", "60.03x0.001")),
    ],
)
def test_a_bent_book_is_told_at_once_in_one_update(name: str, bids: tuple[Level, ...], asks: tuple[Level, ...]) -> None:
    mirror, client = Mirror("LTCUSDT", a_book(), 10), Client(a_book())
    client.hear(mirror.bend(BENDS[name], 7))
    assert client.levels == (list(bids), list(asks))
    assert len(client.heard) == 1
    client.hear(mirror.straighten(8))
    assert client.levels == levels(a_book())


def test_a_crossed_book_follows_the_best_ask() -> None:
    mirror, client = Mirror("LTCUSDT", a_book(), 10), Client(a_book())
    client.hear(mirror.bend(BENDS["crossed"], 7))
    client.hear(mirror.passed(update(11, 12, asks=pairs("60.02x0", "60.01x3"))))
    assert client.book.bids.best() == D("60.02")
    assert client.book.asks.best() == D("60.01")


def test_while_nothing_was_ever_wrong_events_keep_their_numbers() -> None:
    mirror = Mirror("LTCUSDT", a_book(), 10)
    (passed,) = mirror.passed(update(11, 12, pairs("60.00x1")))
    assert passed == replace(update(11, 12, pairs("60.00x1")), raw=None)


def test_a_market_that_stands_still_shows_nothing_and_then_everything() -> None:
    mirror, client = Mirror("LTCUSDT", a_book(), 10), Client(a_book())
    mirror.stand_still()
    trade = Trade("LTCUSDT", 5, 5, 1, D("60.02"), D(1), buyer_is_maker=False)
    quote = Quote("LTCUSDT", 5, 13, D(60), D(1), D(61), D(1))
    for event in (update(11, 12, pairs("60.00x0")), trade, quote):
        client.hear(mirror.passed(event))
    assert client.heard == []
    client.hear(mirror.straighten(8))
    assert client.book.bids.best() == D("59.99")
    assert mirror.passed(trade) == [trade]


def test_an_update_after_a_standstill_in_which_nothing_changed_follows_upon_the_last_one() -> None:
    mirror, client = Mirror("LTCUSDT", a_book(), 10), Client(a_book())
    mirror.stand_still()
    client.hear(mirror.passed(update(11, 30, pairs("60.00x5"))))  # as it was
    client.hear(mirror.straighten(8))
    client.hear(mirror.passed(update(31, 32, pairs("60.01x1"))))
    client.hear(mirror.passed(update(33, 34, pairs("60.01x2"))))
    assert client.book.bids.top(1) == list(pairs("60.01x2"))


def test_what_is_told_is_newer_than_any_quote_before_it_and_quotes_after_it_are_newer_still() -> None:
    mirror = Mirror("LTCUSDT", a_book(), 17)  # a quote ran ahead of the updates
    (bent,) = mirror.bend(BENDS["empty"], 7)
    assert isinstance(bent, DepthUpdate)
    assert (bent.first_id, bent.last_id) == (11, 17)
    assert mirror.passed(Quote("LTCUSDT", 5, 11, D(60), D(1), D(61), D(1))) == []
    (straight,) = mirror.straighten(8)
    (quote,) = mirror.passed(Quote("LTCUSDT", 5, 11, D(60), D(1), D(61), D(1)))
    assert isinstance(straight, DepthUpdate)
    assert isinstance(quote, Quote)
    assert quote.update_id > straight.last_id


def test_a_jump_of_a_recording_is_told_as_an_update() -> None:
    mirror, client = Mirror("LTCUSDT", a_book(), 10), Client(a_book())
    client.hear(mirror.bend(BENDS["thin"], 7))
    client.hear(mirror.straighten(8))
    client.hear(mirror.passed(Snapshot("LTCUSDT", 9, 99, pairs("50.00x1"), pairs("51.00x1"))))
    client.hear(mirror.passed(update(100, 101, pairs("50.01x2"))))
    assert client.levels == (list(pairs("50.01x2", "50.00x1")), list(pairs("51.00x1")))


prices = st.integers(5990, 6010).map(lambda ticks: TICK * ticks)
sizes = st.integers(0, 400).map(lambda steps: STEP * steps)
changes = st.lists(st.tuples(prices, sizes), max_size=4).map(lambda found: tuple(dict(found).items()))
steps = st.one_of(
    st.tuples(st.just("update"), changes),
    st.tuples(st.sampled_from(["straighten", "still", *BENDS]), st.just(())),
)


@given(st.lists(steps, max_size=40))
def test_whatever_goes_wrong_a_client_has_what_is_shown_and_in_the_end_the_truth(
    happened: list[tuple[str, tuple[Level, ...]]],
) -> None:
    truth, mirror, client = a_book(), Mirror("LTCUSDT", a_book(), 10), Client(a_book())
    shown: Bend | None = straight  # None while it stands still
    for name, levels_changed in happened:
        if name == "update":
            event = update(truth.last_id + 1, truth.last_id + 3, levels_changed)
            truth.apply(event)
            client.hear(mirror.passed(event))
        else:
            client.hear(mirror.straighten(6))
            shown = straight
        if name == "still":
            mirror.stand_still()
            shown = None
        elif name in BENDS:
            client.hear(mirror.bend(BENDS[name], 6))
            shown = BENDS[name]
        if shown is not None:
            assert (client.book.bids.sizes, client.book.asks.sizes) == shown(truth)
    client.hear(mirror.straighten(9))
    assert client.levels == levels(truth)
