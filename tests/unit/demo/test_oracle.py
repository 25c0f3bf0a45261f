from dataclasses import replace
from decimal import Decimal

import pytest

from trimtab.demo.oracle import judge
from trimtab.exchange.journal import JournalContents
from trimtab.exchange.orders import Execution, Order

ORDER = Order("alpha", "BTCUSDT", 1, "tt-1", "BUY", "LIMIT", "GTC", Decimal(1), Decimal(1), Decimal(0), 0, 0)
SUMS = {"alpha": {"BTC": Decimal(1)}}
TRADE = ("alpha", "BTCUSDT:7")
ASKED = {"tt-1": ("parent-1", Decimal(1)), "tt-2": ("parent-1", Decimal(1))}


@pytest.fixture
def journal() -> JournalContents:
    execution = Execution.__new__(Execution)
    for name, value in {"account": "alpha", "symbol": "BTCUSDT", "order_id": 1, "trade_id": 7}.items():
        object.__setattr__(execution, name, value)
    return JournalContents(
        orders={("alpha", "BTCUSDT", 1): ORDER},
        executions=[execution],
        balances={"alpha": {"BTC": (Decimal("0.4"), Decimal("0.6"))}},
    )


def test_agreement_holds(journal: JournalContents) -> None:
    verdict = judge(journal, [TRADE], [TRADE], SUMS, ASKED)
    assert verdict.holds
    assert (verdict.venue_trades, verdict.ledger_trades) == (1, 1)


def test_an_order_placed_twice_under_one_id_is_doubled(journal: JournalContents) -> None:
    journal.orders["alpha", "BTCUSDT", 2] = replace(ORDER, order_id=2)
    verdict = judge(journal, [TRADE], [TRADE], SUMS, ASKED)
    assert verdict.doubled_orders == 1
    assert not verdict.holds


def test_a_parent_of_which_more_was_executed_than_asked_for_is_doubled_under_any_ids(journal: JournalContents) -> None:
    journal.orders["alpha", "BTCUSDT", 1] = replace(ORDER, executed=Decimal("0.6"))
    journal.orders["alpha", "BTCUSDT", 2] = replace(ORDER, order_id=2, client_order_id="tt-2", executed=Decimal("0.4"))
    assert judge(journal, [TRADE], [TRADE], SUMS, ASKED).doubled_orders == 0
    journal.orders["alpha", "BTCUSDT", 2] = replace(ORDER, order_id=2, client_order_id="tt-2", executed=Decimal("0.5"))
    verdict = judge(journal, [TRADE], [TRADE], SUMS, ASKED)
    assert verdict.doubled_orders == 1
    assert not verdict.holds


@pytest.mark.parametrize(("ledger", "topic"), [([], [TRADE]), ([TRADE], []), ([], [])])
def test_a_fill_missing_in_the_ledger_or_on_the_topic_is_lost(
    journal: JournalContents, ledger: list[tuple[str, str]], topic: list[tuple[str, str]]
) -> None:
    verdict = judge(journal, ledger, topic, SUMS, ASKED)
    assert verdict.lost_fills == 1
    assert not verdict.holds


def test_a_fill_the_venue_never_made_and_one_told_twice_are_found(journal: JournalContents) -> None:
    verdict = judge(journal, [TRADE, ("alpha", "BTCUSDT:8")], [TRADE, TRADE], SUMS, ASKED)
    assert (verdict.invented_fills, verdict.repeated_fills) == (1, 1)
    assert not verdict.holds


def test_balances_must_agree_to_the_last_unit(journal: JournalContents) -> None:
    verdict = judge(journal, [TRADE], [TRADE], {"alpha": {"BTC": Decimal("1.00000001")}}, ASKED)
    assert not verdict.ledger_equals_venue
    assert verdict.differences == ("alpha BTC: ledger 1.00000001, venue 1.0",)


def test_other_accounts_of_the_venue_do_not_count(journal: JournalContents) -> None:
    assert judge(journal, [], [], {"beta": {}}, ASKED).holds
