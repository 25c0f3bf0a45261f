"""What passes the sieve, what it finds, and what becomes of it."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import pytest

from trimtab.domain.instruments import Instrument
from trimtab.exchange.market import DepthUpdate, MarketEvent, Quote, Snapshot, Trade
from trimtab.imports.findings import KINDS, Findings
from trimtab.imports.sieve import Sieve
from trimtab.ports.venue import BookUpdate, PublicTrade, Stale

D = Decimal
SECOND = 1_000_000
NAN, INFINITE = D("NaN"), D("Infinity")
ONE, BID, ASK = D(1), D(99), D(101)
RULES = Instrument("v", "A/B", "A", "B", D("0.1"), D("0.1"), D("0.1"), D(1), D(0), D(0))


def snapshot(time_us: int = SECOND, last_id: int = 10, bid: Any = BID, ask: Any = ASK) -> Snapshot:
    return Snapshot("AB", time_us, last_id, ((bid, D(1)),), ((ask, D(2)),))


def update(number: int, time_us: int = 2 * SECOND, bids: Sequence[Any] = ((D(98), D(3)),), **other: Any) -> DepthUpdate:
    first_id, event_us = other.get("first_id", number), other.get("event_us", time_us)
    return DepthUpdate("AB", time_us, event_us, first_id, number, tuple(bids), tuple(other.get("asks", ())))


def trade(number: int, time_us: int = 2 * SECOND, price: Any = BID, quantity: Any = ONE) -> Trade:
    return Trade("AB", time_us, time_us, number, price, quantity, buyer_is_maker=True)


def sifted(*events: MarketEvent) -> tuple[list[Any], dict[str, int]]:
    findings = Findings()
    sieve = Sieve({"AB": RULES}, {"AB": 60 * SECOND}, findings, 5)
    told: list[Any] = []
    for event in events:
        time_us = sieve.time_us(event)
        told += [stale for _, stale in sieve.losses(time_us, [])]
        told += sieve.sift(event, time_us)
    return told, {kind: findings.count(kind) for kind in KINDS if findings.count(kind)}


def kinds(told: list[Any]) -> list[str]:
    return [each.reason if isinstance(each, Stale) else type(each).__name__ for each in told]


def test_books_and_trades_pass_as_a_feed_would_tell_them() -> None:
    quote = Quote("AB", 2 * SECOND, 11, D(99), D(1), D(101), D(2))
    told, found = sifted(snapshot(), update(11), quote, trade(5), trade(6))
    assert found == {}
    both = ((D(99), D(1)), (D(98), D(3)))
    assert told[:2] == [
        BookUpdate(RULES, 10, SECOND, SECOND, both[:1], ((D(101), D(2)),)),
        BookUpdate(RULES, 11, 2 * SECOND, 2 * SECOND, both, ((D(101), D(2)),)),
    ]
    assert [each.trade_id for each in told[2:] if isinstance(each, PublicTrade)] == ["5", "6"]


def test_a_missing_update_takes_the_book_away_until_the_next_snapshot() -> None:
    told, found = sifted(snapshot(), update(12), update(13), snapshot(3 * SECOND, 20), update(21, 3 * SECOND))
    assert kinds(told) == ["BookUpdate", "gap", "BookUpdate", "BookUpdate"]
    assert found == {"gap": 1}


def test_what_is_told_twice_counts_once() -> None:
    told, found = sifted(snapshot(), update(11), update(11), trade(5), trade(5), trade(4))
    assert kinds(told) == ["BookUpdate", "BookUpdate", "PublicTrade"]
    assert found == {"duplicate": 3}


def test_what_a_snapshot_holds_already_is_no_duplicate() -> None:
    told, found = sifted(snapshot(), update(9), update(10), update(11), update(11))
    assert (kinds(told), found) == (["BookUpdate", "BookUpdate"], {"duplicate": 1})


def test_trades_that_are_missing_are_a_gap() -> None:
    told, found = sifted(snapshot(), trade(5), trade(8))
    assert (kinds(told), found) == (["BookUpdate", "PublicTrade", "PublicTrade"], {"gap": 1})


def test_times_that_run_back_are_raised() -> None:
    told, found = sifted(snapshot(5 * SECOND), update(11, 3 * SECOND, event_us=SECOND))
    assert found == {"disorder": 1}
    assert (told[1].received_us, told[1].event_time_us) == (5 * SECOND, SECOND)


@pytest.mark.parametrize("price", [NAN, INFINITE, D(0), D(-1)])
def test_a_nonsense_price_is_never_told(price: Decimal) -> None:
    level = ((price, D(1)),)
    for bad in (update(11, bids=level), update(11, asks=level)):
        told, found = sifted(snapshot(), bad, update(12), trade(5))
        assert (kinds(told), found) == (["BookUpdate", "nonsense", "PublicTrade"], {"nonsense": 1})
    told, found = sifted(snapshot(bid=price), update(11))
    assert (kinds(told), found) == (["nonsense"], {"nonsense": 1})
    told, found = sifted(snapshot(), trade(5, price=price))
    assert (kinds(told), found) == (["BookUpdate"], {"nonsense": 1})


@pytest.mark.parametrize("quantity", [NAN, INFINITE, D(-1)])
def test_nor_is_a_nonsense_quantity(quantity: Decimal) -> None:
    told, found = sifted(snapshot(), update(11, bids=((D(98), quantity),)), trade(5, quantity=quantity))
    assert (kinds(told), found) == (["BookUpdate", "nonsense"], {"nonsense": 2})
    assert kinds(sifted(snapshot(), trade(5, quantity=D(0)))[0]) == ["BookUpdate"]


def test_a_time_before_there_were_any_is_nonsense() -> None:
    told, found = sifted(snapshot(), update(11, event_us=-5))
    assert (kinds(told), found) == (["BookUpdate", "nonsense"], {"nonsense": 1})


def test_a_crossed_book_is_away_until_it_is_none() -> None:
    told, found = sifted(snapshot(), update(11, bids=((D(101), D(1)),)), update(12, bids=((D(101), D(0)),)))
    assert kinds(told) == ["BookUpdate", "crossed", "BookUpdate"]
    assert found == {"crossed": 1}


def test_a_silence_takes_the_book_away_and_its_end_brings_it_back() -> None:
    told, found = sifted(snapshot(), update(11, 62 * SECOND), update(12, 122 * SECOND))
    assert kinds(told) == ["BookUpdate", "silent", "BookUpdate", "BookUpdate"]
    assert found == {"gap": 1}


def test_a_silence_ends_when_it_has_lasted() -> None:
    findings = Findings()
    sieve = Sieve({"AB": RULES}, {"AB": 60 * SECOND}, findings, 5)
    assert kinds(list(sieve.sift(snapshot(), SECOND))) == ["BookUpdate"]
    assert list(sieve.losses(61 * SECOND, [])) == []
    ((when_us, stale),) = sieve.losses(500 * SECOND, [])
    assert (when_us, stale.reason) == (61 * SECOND, "silent")
    assert list(sieve.losses(900 * SECOND, [])) == []


def test_a_hole_takes_the_book_away_when_it_is_come_to() -> None:
    sieve = Sieve({"AB": RULES}, {"AB": 60 * SECOND}, Findings(), 5)
    holes = [("AB", 5 * SECOND), ("AB", 9 * SECOND)]
    assert kinds(list(sieve.sift(snapshot(), SECOND))) == ["BookUpdate"]
    assert list(sieve.losses(4 * SECOND, holes)) == []
    ((when_us, stale),) = sieve.losses(6 * SECOND, holes)
    assert (when_us, stale.reason, holes) == (5 * SECOND, "gap", [("AB", 9 * SECOND)])


def test_all_are_counted_and_the_first_named() -> None:
    findings = Findings()
    for number in range(9):
        findings.note("gap", f"place {number}")
    found = findings.document()["gap"]
    assert (found["count"], found["first"]) == (9, [f"place {number}" for number in range(5)])
