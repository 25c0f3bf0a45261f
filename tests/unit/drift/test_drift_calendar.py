"""Calendars: due when their time has come, once, whatever happens to the portfolio meanwhile."""

from dataclasses import replace

import pytest
from drift_worlds import SETTINGS, D, market, portfolio, positions, quote, state, weights_to_positions
from drift_worlds import instrument as rules_of
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.market import Market
from trimtab.domain.portfolio import Calendar, Hybrid, Policy
from trimtab.drift.decision import Decision, Hold, decide
from trimtab.drift.gates import gate_spell
from trimtab.drift.reasons import Reason
from trimtab.messages import PortfolioState, Signal
from trimtab.schedule import last_us

MIDNIGHT_US = 1_767_225_600_000_000  # Thursday, 1 January 2026
SECOND_US, HOUR_US, DAY_US = 1_000_000, 3_600_000_000, 86_400_000_000
DAILY = Calendar("0 0 * * *", window_seconds=300)
DRIFTED = weights_to_positions({"BTC": D("0.61"), "ETH": D("0.3")})


def at(time_us: int) -> Market:
    quotes = [
        replace(quote(rules_of(asset), price), event_time_us=time_us)
        for asset, price in (("BTC", D(60_000)), ("ETH", D(3_000)))
    ]
    return replace(market({}, quotes=quotes), event_time_us=time_us)


def look(time_us: int, known: PortfolioState | None = None, policy: Policy = DAILY) -> Decision:
    return decide(at(time_us), None, known or state(DRIFTED), portfolio(policy=policy), SETTINGS)


@pytest.mark.parametrize(
    ("late_us", "due"),
    [(-1, False), (0, True), (1, True), (300 * SECOND_US - 1, True), (300 * SECOND_US, False)],
)
def test_it_is_due_from_its_time_to_the_end_of_its_window(late_us: int, due: bool) -> None:  # noqa: FBT001 - a parameter of the table above
    found = look(MIDNIGHT_US + late_us)
    assert isinstance(found, Signal) is due
    assert found.reason == (Reason.CALENDAR_DUE if due else Reason.NOT_DUE)
    assert found.policy == "calendar"


def test_everything_goes_back_to_its_target_however_little_it_is_off() -> None:
    found = look(MIDNIGHT_US, state(weights_to_positions({"BTC": D("0.6001"), "ETH": D("0.2999")})))
    assert isinstance(found, Signal)
    after = {term.asset: term.weight for term in found.terms}
    for trade in found.trades:
        after[trade.base] += trade.side.sign * trade.quantity * trade.decision_price / found.equity
    assert abs(after["BTC"] - D("0.6")) < D("1e-5")
    assert abs(after["ETH"] - D("0.3")) < D("1e-5")


def test_on_its_targets_nothing_is_traded() -> None:
    found = look(MIDNIGHT_US, state(weights_to_positions({"BTC": D("0.6"), "ETH": D("0.3")})))
    assert isinstance(found, Hold)
    assert found.reason is Reason.WITHIN_BAND


def test_an_hour_of_memory_is_longer_than_any_window() -> None:
    accepted_us = MIDNIGHT_US
    ended_us = MIDNIGHT_US + 1_800 * SECOND_US - 1
    late = state(DRIFTED, recent_signals_us=(accepted_us,), event_time_us=ended_us)
    assert accepted_us > late.event_time_us - HOUR_US  # the ledger still tells of it
    assert look(ended_us, late, Calendar("0 0 * * *", window_seconds=1_800)).reason == Reason.NOT_DUE


@pytest.mark.parametrize(
    ("signals", "reason"),
    [
        ((MIDNIGHT_US - 1,), Reason.CALENDAR_DUE),  # what was traded before is another matter
        ((MIDNIGHT_US,), Reason.NOT_DUE),
        ((MIDNIGHT_US + SECOND_US,), Reason.NOT_DUE),
        ((MIDNIGHT_US + 30 * SECOND_US,), Reason.NOT_DUE),
    ],
)
def test_what_was_accepted_since_settles_it(signals: tuple[int, ...], reason: Reason) -> None:
    assert look(MIDNIGHT_US + 30 * SECOND_US, state(DRIFTED, recent_signals_us=signals)).reason == reason


def test_a_deposit_leaves_it_due() -> None:
    now_us = MIDNIGHT_US + 10 * SECOND_US
    found = look(now_us, state((*DRIFTED, *positions({"SOL": D(0)})), ledger_version=5, event_time_us=now_us))
    assert found.reason == Reason.CALENDAR_DUE


def test_it_waits_for_orders_in_flight_within_its_window() -> None:
    known = state(DRIFTED, not_before_us=MIDNIGHT_US + 5 * SECOND_US)
    assert look(MIDNIGHT_US, known).reason == Reason.NOT_BEFORE
    assert look(MIDNIGHT_US + 5 * SECOND_US, known).reason == Reason.CALENDAR_DUE


@pytest.mark.parametrize(
    ("btc", "late_us", "reason"),
    [
        ("0.61", 0, Reason.WITHIN_BAND),
        ("0.66", 0, Reason.THRESHOLD_REACHED),
        ("0.66", -1, Reason.NOT_DUE),
        ("0.66", 300 * SECOND_US, Reason.NOT_DUE),
    ],
)
def test_a_hybrid_looks_only_then(btc: str, late_us: int, reason: Reason) -> None:
    held = state(weights_to_positions({"BTC": D(btc), "ETH": D("0.3")}))
    found = look(MIDNIGHT_US + late_us, held, Hybrid("0 0 * * *", absolute=D("0.05")))
    assert found.reason == reason
    assert found.policy == "hybrid"


crons = st.sampled_from(["0 0 * * *", "*/2 * * * *", "* * * * *", "0 */6 * * *", "58,59 * * * *"])
windows = st.sampled_from([1, 60, 300, 1_800])
times = st.integers(MIDNIGHT_US, MIDNIGHT_US + 2 * DAY_US)


@given(crons, windows, times, st.lists(times, max_size=3), st.integers(0, 2 * HOUR_US))
def test_a_spell_lasts_exactly_as_long_as_its_verdict(
    cron: str, window: int, now_us: int, signals: list[int], later_us: int
) -> None:
    owned = portfolio(policy=Calendar(cron, window))
    known = state(DRIFTED, recent_signals_us=tuple(sorted(signals)))
    spell = gate_spell(at(now_us), known, owned)
    then_us = min(now_us + later_us, spell.until_us - 1)
    assert spell.from_us <= now_us < spell.until_us
    assert gate_spell(at(then_us), known, owned).reason is spell.reason


class Ledger:
    """What executor and ledger make of signals and of everything else that happens to a portfolio."""

    def __init__(self) -> None:
        self.state = state(DRIFTED, ledger_version=1, event_time_us=MIDNIGHT_US - DAY_US)
        self.accepted: list[int] = []

    def bump(self, event_time_us: int, not_before_us: int | None = None) -> None:
        time_us = max(self.state.event_time_us, event_time_us)
        self.state = replace(
            self.state,
            ledger_version=self.state.ledger_version + 1,
            event_time_us=time_us,
            not_before_us=self.state.not_before_us if not_before_us is None else not_before_us,
            recent_signals_us=tuple(s for s in self.accepted if s > time_us - HOUR_US),
        )

    def settle(self, signal: Signal, outcome: str) -> None:
        """Take a signal as the executor does: an older version's is dropped, any other changes the version."""
        if outcome == "lost":
            return
        if outcome == "overtaken":
            self.bump(0)
        elif outcome == "refused":
            self.bump(signal.event_time_us, signal.event_time_us + 5 * SECOND_US)
        else:
            self.accepted.append(signal.event_time_us)
            self.bump(signal.event_time_us)


outcomes = st.sampled_from(["accepted", "accepted", "refused", "overtaken", "lost"])
between = st.sampled_from(["", "", "deposit", "fill ahead of the market"])
steps = st.lists(st.tuples(st.integers(0, 90 * SECOND_US), between, outcomes), min_size=1, max_size=60)


@given(crons, windows, st.integers(-120, 120), steps)
def test_it_trades_at_most_once_each_time_and_nothing_but_a_trade_settles_it(
    cron: str, window: int, start_seconds: int, taken: list[tuple[int, str, str]]
) -> None:
    """Nothing is remembered between two looks, so each of them stands for a worker that has just started."""
    policy, ledger = Calendar(cron, window), Ledger()
    now_us, settled = MIDNIGHT_US + start_seconds * SECOND_US, set[int]()
    for passed_us, happening, outcome in taken:
        now_us += passed_us
        if happening:
            ledger.bump(now_us + (2 * SECOND_US if happening.startswith("fill") else 0))
        time_us = last_us(cron, now_us)
        assert time_us is not None
        resting = now_us < ledger.state.not_before_us
        due = now_us < time_us + window * SECOND_US and time_us not in settled
        limits = replace(portfolio().limits, signals_per_hour=3_600)
        owned = portfolio(policy=policy, limits=limits)
        found = decide(at(now_us), None, ledger.state, owned, SETTINGS)
        assert isinstance(found, Signal) is (due and not resting)
        if isinstance(found, Signal):
            ledger.settle(found, outcome)
            settled |= {time_us} if outcome == "accepted" else set()
