"""Stale look-ups show what was true when they froze, and the truth again afterwards."""

from decimal import Decimal

from trimtab.exchange.accounts import Account
from trimtab.exchange.engine import Engine
from trimtab.exchange.instruments import listed
from trimtab.exchange.market import Snapshot
from trimtab.exchange.orders import NewOrder
from trimtab.exchange.reads import Reads

D = Decimal


def place(engine: Engine, name: str, price: str, quantity: str = "1") -> None:
    engine.place("ann", NewOrder("BTCUSDT", "BUY", "LIMIT", name, D(quantity), price=D(price)), 2)


def a_market() -> Engine:
    rules = listed("BTCUSDT")
    assert rules is not None
    engine = Engine({"BTCUSDT": rules})
    engine.open_account(Account("ann"), {"USDT": D(1000)}, 1)
    engine.market(Snapshot("BTCUSDT", 1, 1, ((D(99), D(2)),), ((D(101), D(1)),)))
    return engine


def test_what_happens_after_the_freeze_is_not_seen_until_the_thaw() -> None:
    engine = a_market()
    reads = Reads(engine)
    place(engine, "before", "98")
    reads.freeze()
    place(engine, "after", "101", "0.5")
    engine.cancel("ann", "BTCUSDT", None, "before", "x", 3)
    engine.transfer("ann", "USDT", D(5), 4)

    assert reads.history.find("ann", "BTCUSDT", None, "after") is None
    assert reads.history.find("ann", "BTCUSDT", 2, None) is None
    assert [order.client_order_id for order in reads.history.open_orders("ann")] == ["before"]
    assert [order.status for order in reads.history.orders("ann", "BTCUSDT")] == ["NEW"]
    assert reads.history.executions("ann", "BTCUSDT") == []
    frozen = reads.account("ann").balances
    assert (frozen["USDT"].free, frozen["USDT"].locked) == (D(902), D(98))

    reads.thaw()
    assert reads.history is engine.history
    assert reads.account("ann") is engine.accounts.by_name["ann"]
    assert len(reads.history.executions("ann", "BTCUSDT")) == 1


def test_what_was_there_before_stays_as_it_was_and_the_truth_is_untouched() -> None:
    engine = a_market()
    reads = Reads(engine)
    place(engine, "taken", "101", "0.5")
    reads.freeze()
    found = reads.history.find("ann", "BTCUSDT", None, "taken")
    assert found is not None
    assert (found.status, len(reads.history.executions("ann", "BTCUSDT"))) == ("FILLED", 1)
    assert found is not engine.history.find("ann", "BTCUSDT", None, "taken")


def test_the_latest_order_of_a_client_id_is_the_one_it_names_in_a_copy_too() -> None:
    engine = a_market()
    place(engine, "again", "101", "0.5")
    place(engine, "again", "98")
    copied = engine.history.copied()
    found = copied.find("ann", "BTCUSDT", None, "again")
    assert found is not None
    assert (found.order_id, found.status) == (2, "NEW")


def test_an_account_opened_since_is_seen_as_it_is() -> None:
    engine = a_market()
    reads = Reads(engine)
    reads.freeze()
    engine.open_account(Account("bob"), {"USDT": D(7)}, 5)
    assert reads.account("bob").balances["USDT"].free == D(7)
    assert reads.history.open_orders("bob") == []
