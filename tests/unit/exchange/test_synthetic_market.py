"""The synthetic market: the same for the same seed, and a market in every respect that clients rely on."""

from decimal import Decimal
from itertools import islice

import numpy as np
import pytest

from trimtab.exchange import stream_messages
from trimtab.exchange.book import Book
from trimtab.exchange.instruments import DEFAULT_SYMBOLS
from trimtab.exchange.market import DepthUpdate, MarketEvent, Quote, Snapshot, Trade, until
from trimtab.exchange.synthetic import SyntheticMarket

SECOND_US = 1_000_000


def frame(event: MarketEvent) -> bytes:
    if isinstance(event, DepthUpdate):
        return stream_messages.depth_update(event)
    if isinstance(event, Quote):
        return stream_messages.quote(event)
    if isinstance(event, Trade):
        return stream_messages.trade(event)
    return repr(event).encode()


def mids(seed: int, seconds: int, symbols: tuple[str, ...], volatility: float = 1.0) -> dict[str, list[float]]:
    """The mid price of every symbol at the end of each second."""
    found: dict[str, dict[int, float]] = {symbol: {} for symbol in symbols}
    market = SyntheticMarket(seed, symbols, volatility=volatility)
    for event in until(market.events(), seconds * SECOND_US):
        if isinstance(event, Quote):
            found[event.symbol][event.time_us // SECOND_US] = float(event.bid + event.ask) / 2
    return {symbol: list(values.values()) for symbol, values in found.items()}


def test_the_same_seed_gives_the_same_market_event_for_event_and_byte_for_byte() -> None:
    one, other = SyntheticMarket(11), SyntheticMarket(11)
    events = list(islice(one.events(), 6000))
    assert events == list(islice(other.events(), 6000))
    assert events == list(islice(one.events(), 6000))
    assert [frame(event) for event in events] == [frame(event) for event in islice(other.events(), 6000)]


def test_another_seed_gives_another_market() -> None:
    one, other = (list(islice(SyntheticMarket(seed).events(), 50)) for seed in (1, 2))
    assert one != other


def test_the_start_moves_times_only() -> None:
    early, late = (islice(SyntheticMarket(3, start_us=start).events(), 500) for start in (0, 77))
    for one, other in zip(early, late, strict=True):
        assert other.time_us == one.time_us + 77
        if isinstance(one, Quote) and isinstance(other, Quote):
            assert (one.bid, one.ask, one.update_id) == (other.bid, other.ask, other.update_id)


def test_books_are_never_crossed_and_quotes_agree_with_them() -> None:
    market = SyntheticMarket(5, volatility=20.0)
    books = {symbol: Book() for symbol in market.instruments}
    quotes: dict[str, Quote] = {}
    compared = 0
    for event in until(market.events(), 20 * SECOND_US):
        book = books[event.symbol]
        if isinstance(event, Snapshot):
            book.reset(event)
        elif isinstance(event, Quote):
            assert event.bid < event.ask
            quotes[event.symbol] = event
        elif isinstance(event, DepthUpdate):
            assert event.first_id == book.last_id + 1
            book.apply(event)
            quote = quotes[event.symbol]
            assert quote.update_id <= event.last_id
            assert book.bids.top(1) == [(quote.bid, quote.bid_size)]
            assert book.asks.top(1) == [(quote.ask, quote.ask_size)]
            assert len(book.bids) >= 20
            compared += 1
    assert compared > 12 * 190


def test_trades_happen_at_the_best_price_of_their_side() -> None:
    quotes: dict[str, Quote] = {}
    seen = set()
    for event in until(SyntheticMarket(6).events(), 20 * SECOND_US):
        if isinstance(event, Quote):
            quotes[event.symbol] = event
        elif isinstance(event, Trade) and event.symbol in quotes:
            quote = quotes[event.symbol]
            best, size = (quote.bid, quote.bid_size) if event.buyer_is_maker else (quote.ask, quote.ask_size)
            assert event.price == best
            assert 0 < event.quantity <= size
            seen.add((event.symbol, event.buyer_is_maker))
    assert len(seen) == 2 * len(DEFAULT_SYMBOLS)


def test_prices_and_quantities_are_whole_ticks_and_steps() -> None:
    market = SyntheticMarket(8)
    for event in islice(market.events(), 4000):
        rules = market.instruments[event.symbol]
        if isinstance(event, DepthUpdate | Snapshot):
            for price, size in (*event.bids, *event.asks):
                assert price % rules.tick == 0
                assert size % rules.step == 0


def test_times_never_go_back_and_each_symbol_moves_about_ten_times_a_second() -> None:
    last = 0
    counts = dict.fromkeys(DEFAULT_SYMBOLS, 0)
    for event in until(SyntheticMarket(9).events(), 10 * SECOND_US):
        assert event.time_us >= last
        last = event.time_us
        if isinstance(event, DepthUpdate):
            counts[event.symbol] += 1
    assert all(90 <= count <= 100 for count in counts.values())


def test_assets_move_together_with_fat_tails_and_clustered_volatility() -> None:
    prices = mids(2, 1500, ("BTCUSDT", "ETHUSDT", "LTCUSDT"), volatility=20.0)
    shortest = min(len(values) for values in prices.values())
    returns = np.diff(np.log(np.array([values[:shortest] for values in prices.values()])), axis=1)
    assert np.corrcoef(returns)[0, 1] > 0.4
    assert np.corrcoef(returns)[0, 2] > 0.3
    btc = returns[0]
    kurtosis = float(np.mean((btc - btc.mean()) ** 4) / np.var(btc) ** 2)
    assert kurtosis > 3.5
    size = np.abs(btc)
    assert np.corrcoef(size[:-5], size[5:])[0, 1] > 0.05


def test_volatility_is_a_multiplier() -> None:
    def spread_of(volatility: float) -> float:
        (values,) = mids(4, 120, ("BTCUSDT",), volatility).values()
        return float(np.std(np.diff(np.log(values))))

    assert spread_of(50.0) > 5 * spread_of(1.0)


def test_the_spread_is_wider_when_volatility_is_high() -> None:
    market = SyntheticMarket(12, ("BTCUSDT",), volatility=5.0)
    by_second: dict[int, list[Quote]] = {}
    for event in until(market.events(), 900 * SECOND_US):
        if isinstance(event, Quote):
            by_second.setdefault(event.time_us // (15 * SECOND_US), []).append(event)
    moves, spreads = [], []
    for quotes in by_second.values():
        logs = np.log([float(q.bid + q.ask) for q in quotes])
        moves.append(float(np.std(np.diff(logs))))
        spreads.append(float(np.mean([float((q.ask - q.bid) / q.bid) for q in quotes])))
    assert np.corrcoef(moves, spreads)[0, 1] > 0.3


def test_a_pair_without_cash_costs_what_its_two_assets_do_elsewhere_and_is_as_deep() -> None:
    market = SyntheticMarket(6, ("BTCUSDT", "ETHUSDT", "ETHBTC"))
    mid: dict[str, float] = {}
    values: dict[str, list[float]] = {symbol: [] for symbol in market.instruments}
    off = []
    for event in until(market.events(), 60 * SECOND_US):
        if isinstance(event, Snapshot):
            values[event.symbol] += [float(price * size) for price, size in event.bids]
        if isinstance(event, Quote):
            mid[event.symbol] = float(event.bid + event.ask) / 2
            if len(mid) == 3:
                off.append(mid["ETHBTC"] * mid["BTCUSDT"] / mid["ETHUSDT"] - 1)
    assert len(off) > 1000
    assert np.quantile(np.abs(off), 0.99) < 0.001
    assert abs(float(np.mean(off))) < 0.0005
    in_cash = np.sum(values["ETHBTC"]) * mid["BTCUSDT"]
    assert 0.3 < in_cash / np.sum(values["ETHUSDT"]) < 3


def test_a_pair_without_cash_changes_nothing_of_the_others() -> None:
    alone, beside = (
        [event for event in islice(SyntheticMarket(6, symbols).events(), 5000) if event.symbol != "ETHBTC"]
        for symbols in (("BTCUSDT", "ETHUSDT"), ("BTCUSDT", "ETHUSDT", "ETHBTC"))
    )
    assert beside == alone[: len(beside)]


@pytest.mark.parametrize("symbols", [("FOOUSDT",), ("BTCEUR",), ("ETHBNB",), ("NONSENSE",)])
def test_an_unlisted_symbol_is_refused_by_name(symbols: tuple[str, ...]) -> None:
    with pytest.raises(ValueError, match=symbols[0]):
        SyntheticMarket(1, symbols)


def test_a_volatility_of_zero_is_refused() -> None:
    with pytest.raises(ValueError, match="volatility"):
        SyntheticMarket(1, volatility=0.0)


def test_prices_start_where_they_are_said_to() -> None:
    first = next(iter(SyntheticMarket(1, ("BTCUSDT",)).events()))
    assert isinstance(first, Snapshot)
    assert abs(first.bids[0][0] - Decimal("61837.64")) < 100
