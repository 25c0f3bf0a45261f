"""The journal gives back exactly what the engine did, and is never overwritten or half understood."""

import contextlib
from decimal import Decimal
from pathlib import Path

import pytest

from trimtab.exchange.accounts import Account
from trimtab.exchange.engine import Engine
from trimtab.exchange.instruments import listed
from trimtab.exchange.journal import Journal, JournalError, read_journal
from trimtab.exchange.market import Snapshot
from trimtab.exchange.orders import NewOrder

D = Decimal


def traded(path: Path) -> Engine:
    """An engine that traded a little, with all it reported in the journal at `path`."""
    rules = listed("BTCUSDT")
    assert rules is not None
    engine, journal = Engine({"BTCUSDT": rules}), Journal(path, lambda: 5)
    journal.write("account", 1, account="ann", api_key="k")
    for event in engine.open_account(Account("ann"), {"USDT": D("1000.5")}, 1):
        journal.record(event)
    engine.market(Snapshot("BTCUSDT", 1, 1, ((D(99), D(2)),), ((D(101), D(1)),)))
    for number, price in enumerate((D(101), D("98.50"), D("98.25"))):
        asked = NewOrder("BTCUSDT", "BUY", "LIMIT", f"c{number}", D("1.2"), price=price)
        for event in engine.place("ann", asked, 2)[1]:
            journal.record(event)
    for event in engine.cancel("ann", "BTCUSDT", 2, None, "x", 3)[1]:
        journal.record(event)
    journal.record(engine.transfer("ann", "USDT", D(-7), 4))
    journal.write("fault", 5, fault="lost_answer", struck="POST /api/v3/order")
    journal.write("rejected", 6, account="ann", code=-2010)
    journal.close()
    return engine


def test_it_gives_back_orders_executions_and_balances(tmp_path: Path) -> None:
    engine = traded(tmp_path / "j")
    read = read_journal(tmp_path / "j")
    for order in engine.history.orders("ann", "BTCUSDT"):
        found = read.orders["ann", "BTCUSDT", order.order_id]
        assert (found.status, found.executed, found.locked) == (order.status, order.executed, order.locked)
        assert read.orders_of("ann", order.client_order_id) == [found]
    assert read.executions_of("ann") == engine.history.executions("ann", "BTCUSDT")
    assert read.executions_of("bob") == []
    balances = engine.accounts.by_name["ann"].balances
    assert read.balances["ann"] == {asset: (b.free, b.locked) for asset, b in balances.items()}
    assert [change.delta_free for change in read.transfers] == [D("1000.5"), D(-7)]
    assert [fault["fault"] for fault in read.faults] == ["lost_answer"]
    assert [line["code"] for line in read.rejected] == [-2010]
    assert read.accounts["ann"]["api_key"] == "k"


def test_a_flushed_line_can_be_read_while_the_journal_is_open(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", lambda: 5)
    journal.write("fault", 1, fault="latency")
    journal.flush()
    assert len(read_journal(tmp_path / "j").faults) == 1
    journal.close()


def test_the_journal_of_another_run_is_refused_and_left_alone(tmp_path: Path) -> None:
    path = tmp_path / "j"
    path.write_text("something\n")
    with pytest.raises(JournalError, match="another run"):
        Journal(path, lambda: 0)
    assert path.read_text() == "something\n"


def test_what_cannot_be_written_leaves_no_hole(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j", lambda: 5)
    for count in (1, 2**64, 2):
        with contextlib.suppress(TypeError):
            journal.write("fault", 1, fault="latency", count=count)
    journal.close()
    assert [fault["count"] for fault in read_journal(tmp_path / "j").faults] == [1, 2]
    assert journal.counts == {"fault": 2}


def test_a_folder_is_no_journal_and_no_other_runs(tmp_path: Path) -> None:
    with pytest.raises(JournalError, match="Is a directory; needed: a file that can be written"):
        Journal(tmp_path, lambda: 0)


def test_a_last_line_cut_off_by_a_kill_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "j"
    traded(path)
    whole = read_journal(path)
    path.write_bytes(path.read_bytes()[:-9])
    cut = read_journal(path)
    assert cut.executions == whole.executions
    assert cut.rejected == []


@pytest.mark.parametrize("damage", [b"{}\n", b"nonsense\n", b'{"n": 7, "kind": "fault"}\n'])
def test_a_damaged_line_is_named(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "j"
    path.write_bytes(b'{"n":1,"kind":"opened"}\n' + damage)
    with pytest.raises(JournalError, match="j:2"):
        read_journal(path)
