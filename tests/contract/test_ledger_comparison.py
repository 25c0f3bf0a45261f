"""What any ledger owes the comparison with the venue: own trades, the venue's ids, breaks and what explains them."""

import json
from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from ledger_worlds import ACCOUNT, NOW_US, PORTFOLIO, VENUE, LedgerWorld, child_of, execution_of, parent_of
from trimtab.adapters.postgres.queries import SQL
from trimtab.domain.errors import LedgerRefusedError
from trimtab.domain.orders import OrderState
from trimtab.messages import Break

S = OrderState


def break_of(resolution: str = "", event_id: str = "b1", kind: str = "unexplained", portfolio_id: str = "") -> Break:
    ledger, at_venue, size = Decimal(3), Decimal(1), Decimal(-2)
    return Break(
        event_id, portfolio_id, VENUE, ACCOUNT, kind, "BTC", ledger, at_venue, size, NOW_US, NOW_US, resolution, ""
    )  # fmt: skip - in the record's order


async def test_a_break_is_open_once_until_it_is_closed(funded: LedgerWorld) -> None:
    async with funded.reconciler.transaction() as book:
        assert await book.open_break(break_of())
        assert not await book.open_break(break_of(event_id="b2"))
        assert await book.open_break(break_of("booked", "b3", "missed_fill"))
        assert await book.open_breaks(ACCOUNT) == [break_of()]
        assert await book.close_break(break_of("explained", "b4"))
        assert not await book.close_break(break_of("explained", "b5"))
        assert await book.open_break(break_of(event_id="b6"))
    assert [b.event_id for b in await funded.reconciler.open_breaks()] == ["b6"]
    assert [m.event_id for m in funded.emitted() if isinstance(m, Break)] == ["b1", "b3", "b4", "b6"]


async def test_more_can_be_said_of_an_open_break(funded: LedgerWorld) -> None:
    async with funded.reconciler.transaction() as book:
        assert not await book.note_break(replace(break_of(event_id="b2"), detail="2 too little"))
        await book.open_break(break_of())
        assert await book.note_break(replace(break_of(event_id="b2"), detail="2 too little"))
        assert [found.detail for found in await book.open_breaks(ACCOUNT)] == ["2 too little"]
        await book.close_break(break_of("done", "b3"))
    assert [(m.event_id, m.detail) for m in funded.emitted() if isinstance(m, Break)] == [
        ("b1", ""),
        ("b2", "2 too little"),
        ("b3", ""),
    ]


async def test_a_person_explains_an_open_break_and_books_nothing(funded: LedgerWorld) -> None:
    await funded.add_portfolio("other")
    before, told = funded.balances(), len(funded.emitted())

    async def explain(portfolio_id: str, asset: str = "BTC") -> Break | None:
        async with funded.cli.transaction() as book:
            return await book.explain_break(ACCOUNT, asset, portfolio_id)

    assert await explain(PORTFOLIO) is None
    async with funded.reconciler.transaction() as book:
        await book.open_break(break_of())
        await book.open_break(break_of(event_id="b2", kind="unknown_order", portfolio_id=PORTFOLIO))
        assert await book.explanations(ACCOUNT) == {}
    assert await explain(PORTFOLIO, "ETH") is None
    with pytest.raises(LedgerRefusedError, match="portfolio nobody does not use account main"):
        await explain("nobody")
    assert await explain("other") == break_of()
    assert await explain(PORTFOLIO) == break_of()  # said again: that counts
    assert await funded.reconciler.explanations(ACCOUNT) == {"BTC": PORTFOLIO}
    assert await funded.reconciler.explanations("elsewhere") == {}
    assert funded.balances() == before
    assert len(funded.emitted()) == told + 2  # the breaks; an explanation is nobody else's business
    async with funded.reconciler.transaction() as book:
        assert await book.explanations(ACCOUNT) == {"BTC": PORTFOLIO}
        await book.close_break(break_of("withdrawal", "b3"))
        assert await book.explanations(ACCOUNT) == {}
        await book.open_break(break_of(event_id="b4"))
        assert await book.explanations(ACCOUNT) == {}  # another one
    assert await explain(PORTFOLIO) == break_of(event_id="b4")


async def test_instruments_that_were_traded_are_known_with_where_to_look_from(funded: LedgerWorld) -> None:
    ledger = funded.reconciler
    assert await ledger.traded(ACCOUNT) == {}
    await funded.accept(
        replace(parent_of("p1"), decided_us=NOW_US + 7),
        replace(parent_of("p2", quantity="1"), decided_us=NOW_US + 3),
        replace(parent_of("p3", quantity="1"), instrument="ETH/USDT", decided_us=NOW_US + 5),
    )
    async with funded.executor.transaction() as book:
        await book.add_parent(replace(parent_of("p4"), instrument="SOL/USDT"), dry_run=True)
    assert await ledger.traded(ACCOUNT) == {"BTC/USDT": NOW_US + 3, "ETH/USDT": NOW_US + 5}
    assert await ledger.traded("elsewhere") == {}
    for since_us in (NOW_US + 60, NOW_US + 50):  # it rises only
        async with ledger.transaction() as book:
            await book.raise_watermark(ACCOUNT, "BTC/USDT", since_us)
    assert await ledger.traded(ACCOUNT) == {"BTC/USDT": NOW_US + 60, "ETH/USDT": NOW_US + 5}


async def test_finding_the_instruments_costs_as_much_as_there_are_of_them(funded: LedgerWorld) -> None:
    await funded.accept(parent_of("p1"), replace(parent_of("p2", quantity="1"), instrument="ETH/USDT"))
    columns = [
        str(row["column_name"])
        for row in funded.ask(
            "SELECT column_name FROM information_schema.columns WHERE table_schema = 'ledger'"
            " AND table_name = 'parent_order' AND is_identity = 'NO' AND column_name NOT IN ('parent_id', 'state')"
        )
    ]
    names = ", ".join(columns)
    funded.ask(
        f"INSERT INTO ledger.parent_order (parent_id, state, {names})"
        f" SELECT p.parent_id || '-' || n, 'released', {names} FROM ledger.parent_order p, generate_series(1, 10000) n"
    )
    funded.ask("ANALYZE ledger.parent_order")
    explain = "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) " + SQL["traded"].replace("%(account)s", f"'{ACCOUNT}'")
    ((plan,),) = (row.values() for row in funded.ask(explain))
    document: Any = json.loads(plan) if isinstance(plan, str) else plan
    found = document[0]["Plan"]
    assert found["Actual Rows"] == 2
    assert found["Shared Hit Blocks"] + found["Shared Read Blocks"] < 40  # of more than 500


async def test_trades_without_a_fill_are_told_apart(funded: LedgerWorld) -> None:
    parent, child = parent_of(), child_of(parent_of())
    await funded.accept(parent)
    await funded.submit(child)
    await funded.record(parent, child, execution_of("BTCUSDT:1"), state=S.PARTIALLY_FILLED)
    ledger = funded.reconciler
    assert await ledger.unrecorded(VENUE, ACCOUNT, ["BTCUSDT:1", "ETHUSDT:1", "BTCUSDT:2"]) == {
        "ETHUSDT:1",
        "BTCUSDT:2",
    }
    assert await ledger.unrecorded(VENUE, "elsewhere", ["BTCUSDT:1"]) == {"BTCUSDT:1"}
    assert await ledger.unrecorded(VENUE, ACCOUNT, []) == set()


async def test_an_order_is_found_by_the_venues_id_of_its_instrument(funded: LedgerWorld) -> None:
    bitcoin, ether = parent_of(), replace(parent_of("p2", quantity="1"), instrument="ETH/USDT")
    await funded.accept(bitcoin, ether)
    for parent in (bitcoin, ether):
        await funded.submit(child_of(parent))
    async with funded.executor.transaction() as book:
        assert await book.child_by_venue_order(ACCOUNT, "BTC/USDT", "") is None  # not accepted yet
        for parent in (bitcoin, ether):  # venues count by instrument: both have order 7
            await book.change_child(replace(child_of(parent), state=S.ACCEPTED, venue_order_id="7"), "")
        for parent in (bitcoin, ether):
            found = await book.child_by_venue_order(ACCOUNT, parent.instrument, "7")
            assert found is not None
            assert (found[0].parent_id, found[1].parent_id) == (parent.parent_id, parent.parent_id)
        assert await book.child_by_venue_order(ACCOUNT, "SOL/USDT", "7") is None
        assert await book.child_by_venue_order(ACCOUNT, "BTC/USDT", "8") is None
        assert await book.child_by_venue_order("elsewhere", "BTC/USDT", "7") is None
