"""What engines have not been told yet is kept once, and each of them gets what it has not heard."""

from decimal import Decimal

from trimtab.backtest.backlog import Backlog
from trimtab.exchange.market import Snapshot, Trade


def trade(number: int) -> Trade:
    return Trade("BTCUSDT", number, number, number, Decimal(1), Decimal(1), buyer_is_maker=True)


def test_each_gets_what_it_has_not_heard_once() -> None:
    backlog = Backlog(["BTCUSDT", "ETHUSDT"])
    backlog.add(trade(1))
    first, heard = backlog.since("BTCUSDT", 0)
    backlog.add(trade(2))
    assert (list(first), heard) == ([trade(1)], 1)
    assert backlog.since("BTCUSDT", heard) == ([trade(2)], 2)
    assert backlog.since("BTCUSDT", 0) == ([trade(1), trade(2)], 2)
    assert backlog.since("BTCUSDT", 2) == ([], 2)
    assert backlog.since("ETHUSDT", 0) == ([], 0)


def test_a_snapshot_replaces_what_came_before_it() -> None:
    backlog, book = Backlog(["BTCUSDT"]), Snapshot("BTCUSDT", 3, 3, (), ())
    backlog.add(trade(1))
    backlog.add(book)
    backlog.add(trade(4))
    assert backlog.since("BTCUSDT", 0) == ([book, trade(4)], 3)
    assert backlog.since("BTCUSDT", 2) == ([trade(4)], 3)


def test_it_is_full_at_some_time_and_goes_on_from_there() -> None:
    backlog = Backlog(["BTCUSDT"])
    for number in range(1_000):
        assert not backlog.full("BTCUSDT")
        backlog.add(trade(number))
    assert backlog.full("BTCUSDT")
    backlog.clear("BTCUSDT")
    backlog.add(trade(1_000))
    assert backlog.since("BTCUSDT", 1_000) == ([trade(1_000)], 1_001)
