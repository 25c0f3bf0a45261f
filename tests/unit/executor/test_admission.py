from dataclasses import replace
from decimal import Decimal

import pytest

from examples import messages
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.instruments import Instrument
from trimtab.domain.market import Market
from trimtab.executor.admission import Admitted, Refused, Superseded, judge, require_possible
from trimtab.messages import Signal
from trimtab.ports.ledger import PortfolioRow


@pytest.fixture
def signal() -> Signal:
    (found, *_) = messages("rebalance.signals")
    assert isinstance(found, Signal)
    return found


def row(signal: Signal, **changes: object) -> PortfolioRow:
    base = PortfolioRow(
        signal.portfolio_id, signal.ledger_version, signal.document_version, "{}", halted=False, dry_run=False
    )
    return replace(base, **changes)  # type: ignore[arg-type]  # named in each test


def market(signal: Signal, step: str = "0.000000001", event_time_us: int = 0) -> Market:
    rules = {
        f"{t.venue}:{t.instrument}": Instrument(
            t.venue, t.instrument, t.base, t.quote, Decimal("0.01"), Decimal(step), *[Decimal(0)] * 4
        )
        for t in signal.trades
    }
    return Market(offset=1, event_time_us=event_time_us or signal.event_time_us, complete=True, instruments=rules)


def verdict(signal: Signal, known: PortfolioRow | None, book: Market) -> object:
    return judge(signal, known, book, 3, frozenset(trade.account for trade in signal.trades))


def test_a_signal_on_the_newest_version_is_admitted_trade_by_trade(signal: Signal) -> None:
    found = verdict(signal, row(signal), market(signal))
    assert isinstance(found, Admitted)
    assert [parent.parent_id for parent in found.parents] == [trade.trade_id for trade in signal.trades]
    assert {parent.shard for parent in found.parents} == {3}


def test_another_version_is_superseded(signal: Signal) -> None:
    newer = row(signal, ledger_version=signal.ledger_version + 1)
    assert verdict(signal, newer, market(signal)) == Superseded("older_version")
    assert verdict(signal, None, market(signal)) == Superseded("unknown_portfolio")


@pytest.mark.parametrize(("changes", "lifetimes", "reason"), [({"halted": True}, 0, "halted"), ({}, 1, "deadline")])
def test_what_must_not_trade_is_refused_and_rests(
    signal: Signal,
    changes: dict[str, object],
    lifetimes: int,
    reason: str,
) -> None:
    age_us = lifetimes * (signal.deadline_us - signal.event_time_us)
    book = market(signal, event_time_us=signal.event_time_us + age_us)
    found = verdict(signal, row(signal, **changes), book)
    assert isinstance(found, Refused)
    assert found.reason == reason
    assert found.not_before_us > signal.event_time_us


@pytest.mark.parametrize("field", ["base", "quote"])
def test_a_trade_in_currencies_that_are_not_its_instruments_is_refused(signal: Signal, field: str) -> None:
    forged = replace(signal, trades=tuple(replace(trade, **{field: "DOGE"}) for trade in signal.trades))
    found = verdict(forged, row(signal), market(signal))
    assert isinstance(found, Refused)
    assert found.reason == "wrong_currencies"


def test_a_quantity_of_any_size_is_judged_and_never_raises(signal: Signal) -> None:
    huge = replace(signal, trades=tuple(replace(t, quantity=Decimal(99999999999999999999)) for t in signal.trades))
    assert isinstance(verdict(huge, row(signal), market(signal)), Admitted)
    assert verdict(huge, row(signal), market(signal, step="0.7")) == Refused(
        "quantity_off_grid", signal.event_time_us + 5_000_000
    )


@pytest.mark.parametrize("ahead_us", [-86_400_000_000, 0, 30_000_000, 3_600_000_000])
def test_a_signal_may_be_older_than_the_market_or_as_far_ahead_as_lag_explains(signal: Signal, ahead_us: int) -> None:
    require_possible(signal, market(signal, event_time_us=signal.event_time_us - ahead_us))


def test_a_signal_from_a_time_to_come_is_not_judged_at_all(signal: Signal) -> None:
    seen = market(signal)
    with pytest.raises(InvalidValueError, match=r"^signal\.event_time_us: found .*; allowed: at most an hour after"):
        require_possible(replace(signal, event_time_us=signal.event_time_us + 3_600_000_001), seen)
