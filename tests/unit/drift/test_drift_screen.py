"""The screen against the exact decision: what it says to hold, holds, and for the reason it says."""

from collections import Counter
from dataclasses import replace
from decimal import Decimal

import pytest
from drift_worlds import (
    NOW_US,
    PRICES,
    SETTINGS,
    D,
    instrument,
    market,
    portfolio,
    positions,
    quote,
    risk,
    state,
    unusual,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from trimtab.domain.market import Market
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import (
    Calendar,
    CostAdjusted,
    Hybrid,
    Limits,
    NoTradeRegion,
    Policy,
    Threshold,
    VolatilityThreshold,
    Windows,
)
from trimtab.drift.cohort import Glance
from trimtab.drift.decision import Hold, judge, prepare
from trimtab.drift.portfolios import Entry
from trimtab.drift.reasons import Reason
from trimtab.drift.screen import Screen
from trimtab.messages import OpenOrder, Risk
from trimtab.ports.topics import Record

KEYS = tuple(f"binance:{asset}/USDT" for asset in PRICES)
POLICIES: tuple[Policy, ...] = (
    NoTradeRegion(),
    NoTradeRegion(risk_aversion=D(30), max_deviation=D("0.02")),
    Threshold(absolute=D("0.03")),
    Threshold(relative=D("0.1")),
    Threshold(absolute=D("0.05"), relative=D("0.2")),
    VolatilityThreshold(absolute=D("0.03")),
    VolatilityThreshold(relative=D("0.1"), scale_min=D("0.01"), scale_max=D(10)),
    CostAdjusted(absolute=D("0.03")),
    CostAdjusted(absolute=D("0.03"), relative=D("0.01"), volatility_factor=D(3), safety_factor=D(0)),
)
# It is 22:13:20 UTC, and the worlds' times reach from a second before to a hundred seconds after.
CALENDARS: tuple[Policy, ...] = (
    Calendar("* * * * *"),
    Calendar("14 22 * * *", window_seconds=30),
    Hybrid("*/2 * * * *", absolute=D("0.03"), window_seconds=20),
    Hybrid("0 0 29 2 *", relative=D("0.1")),
)
TARGETS = (
    (("BTC", D("0.6")), ("ETH", D("0.3")), ("USDT", D("0.1"))),
    (("BTC", D("0.5")), ("SOL", D("0.5"))),
    (("DOGE", D("0.1")), ("ETH", D("0.9"))),
    (("USDT", D(1)),),
)
RISKS = (
    None,
    risk(),
    risk(correlation=D("0.999999")),
    risk({"BTC": D("0.5"), "ETH": D(0), "SOL": D("0.9")}),
    risk({"BTC": D("0.5")}),
    risk(observations=1),
    unusual(risk(), BTC=D("0.1"), ETH=D("0.9"), SOL=D(0)),
    unusual(risk({"BTC": D("0.5"), "ETH": D("0.7")}), BTC=D("0.49"), ETH=D("0.000001")),
)

near = st.one_of(st.decimals("-0.06", "0.06", places=6), st.just(D(0)))


@st.composite
def entries(draw: st.DrawFn, name: str) -> Entry:
    targets = draw(st.sampled_from(TARGETS))
    held = {
        asset: (weight + draw(near)) * 100_000 / PRICES.get(asset, D(1))
        for asset, weight in {**dict(targets), **draw(st.sampled_from([{}, {"SOL": D(0)}, {"JUNK": D(1)}]))}.items()
    }
    brakes = draw(st.sampled_from([Limits(), Limits(cooldown_seconds=5), Limits(signals_per_hour=1)]))
    found = portfolio(
        portfolio_id=name,
        targets=targets,
        policy=draw(st.sampled_from(POLICIES + CALENDARS)),
        limits=replace(brakes, min_trade=D(1), max_trade_share=D(1)),
        windows=draw(st.sampled_from([Windows(), Windows(minutes=((0, 1_334), (1_335, 1_440)))])),
    )
    waiting = OpenOrder("o", "main", "BTC/USDT", "BTC", "USDT", Side.BUY, D("0.01"), D(60_000))
    positions_held = positions({asset: amount for asset, amount in held.items() if amount})
    if draw(st.integers(0, 9)) == 0:
        positions_held += positions({"ETH": D(1)}, account="other", venue="kraken")
    known = state(
        positions_held,
        portfolio_id=name,
        halted=draw(st.integers(0, 7)) == 0,
        not_before_us=draw(st.sampled_from([0, 0, 0, NOW_US + 3_000_000])),
        recent_signals_us=draw(st.sampled_from([(), (), (NOW_US - 1_000_000,), (NOW_US + 41_000_000,)])),
        open_orders=draw(st.sampled_from([(), (), (), (waiting,)])),
    )
    venues = {position.venue for position in positions_held}
    names = {asset for asset, _ in targets} | {position.asset for position in positions_held}
    return Entry(0, 0, known, found, frozenset(f"{v}:{a}/USDT" for v in venues for a in names - {"USDT"}))


@st.composite
def markets(draw: st.DrawFn) -> Market:
    prices = {asset: price * (1 + draw(near)) for asset, price in PRICES.items()}
    books = [quote(instrument(asset), price.quantize(D("0.01"))) for asset, price in prices.items()]
    for i, book in enumerate(books):
        fault = draw(st.sampled_from(["", "", "", "", "", "", "empty", "crossed", "old"]))
        changes = {
            "empty": {"bids": ()},
            "crossed": {"bids": book.asks, "asks": book.bids},
            "old": {"event_time_us": 0},
        }
        books[i] = replace(book, **changes.get(fault, {}))
    if draw(st.integers(0, 9)) == 0:
        books.pop()
    seconds = draw(st.integers(-1, 100))
    found = market({}, quotes=books)
    return replace(found, event_time_us=NOW_US + seconds * 1_000_000, complete=draw(st.integers(0, 9)) > 0)


def exact(found: Market, entry: Entry, estimate: Record[Risk] | None) -> Reason | None:
    """Return why the exact decision holds; None if it trades."""
    decision = judge(found, prepare(estimate, entry.state, entry.portfolio, SETTINGS), explain=False)
    return decision.reason if isinstance(decision, Hold) else None


@settings(max_examples=300)
@given(st.data())
def test_every_hold_it_tells_is_the_exact_decisions_with_its_reason(data: st.DataObject) -> None:
    screen, held, estimate = Screen(SETTINGS), dict[str, Entry](), None
    for _ in range(data.draw(st.integers(1, 4))):
        fresh = data.draw(st.sampled_from(RISKS))
        if fresh is not None:
            estimate = fresh
            screen.estimate(fresh.message)
        for name in data.draw(st.lists(st.sampled_from("abcde"), unique=True, min_size=1)):
            if name in held and data.draw(st.booleans()):
                screen.drop(name)
                del held[name]
            else:
                held[name] = data.draw(entries(name))
                screen.put(held[name])
        found = data.draw(markets())
        glance = screen.look(found, None)
        unsure = set(glance.unsure)
        sure = [exact(found, entry, estimate) for name, entry in held.items() if name not in unsure]
        assert glance.holds == Counter(sure)
        assert None not in sure


def clear_world(count: int, policy: Policy) -> tuple[Screen, list[Entry]]:
    screen, made = Screen(SETTINGS), []
    screen.estimate(risk().message)
    for number in range(count):
        held = positions({"BTC": D(1), "ETH": D(10), "USDT": D(10_000)})
        entry = Entry(
            0,
            0,
            state(held, portfolio_id=f"p{number}"),
            portfolio(portfolio_id=f"p{number}", policy=policy),
            frozenset(KEYS),
        )
        made.append(entry)
        screen.put(entry)
    return screen, made


@pytest.mark.parametrize("policy", POLICIES)
def test_what_is_well_inside_is_settled_by_the_screen_alone(policy: Policy) -> None:
    screen, _ = clear_world(40, policy)
    glance = screen.look(market(), None)
    assert (glance.holds, glance.unsure) == ({Reason.WITHIN_BAND: 40}, ())
    assert all(0 <= ratio < 1 for ratio in glance.ratios.values())


@pytest.mark.parametrize("policy", CALENDARS)
def test_whose_time_has_not_come_is_settled_until_it_does(policy: Policy) -> None:
    screen, made = clear_world(3, policy)
    for entry in made:
        screen.put(replace(entry, state=replace(entry.state, recent_signals_us=(NOW_US - 10_000_000,))))
    found = market()
    assert screen.look(found, None) == Glance(Counter({Reason.NOT_DUE: 3}), (), dict.fromkeys(("p0", "p1", "p2"), 0.0))
    later = replace(
        found,
        event_time_us=NOW_US + 40_000_000,
        quotes={key: replace(quote, event_time_us=NOW_US + 40_000_000) for key, quote in found.quotes.items()},
    )
    unsure = screen.look(later, None).unsure
    match policy:
        case Calendar():
            assert unsure == ("p0", "p1", "p2")
        case _:
            assert unsure == ()


def test_bounds_move_with_each_estimate() -> None:
    screen = Screen(SETTINGS)
    policy = VolatilityThreshold(absolute=D("0.03"))
    entry = moved(policy, D("0.04"))
    screen.estimate(risk().message)
    screen.put(entry)
    assert screen.look(market(), None).unsure == ("core",)
    wild = unusual(risk(), BTC=D("0.25"), ETH=D("0.35"))
    screen.estimate(wild.message)
    assert screen.look(market(), None).holds == {Reason.WITHIN_BAND: 1}
    assert exact(market(), entry, wild) is Reason.WITHIN_BAND
    screen.estimate(risk().message)
    assert screen.look(market(), None).unsure == ("core",)


def test_a_frame_concerns_only_who_holds_or_wants_what_it_touches() -> None:
    screen, _ = clear_world(3, NoTradeRegion())
    screen.look(market(), None)
    assert screen.look(market(), {"binance:SOL/USDT", "kraken:BTC/USDT"}).holds == {}
    assert screen.look(market(), {"binance:ETH/USDT"}).holds == {Reason.WITHIN_BAND: 3}


def test_only_what_is_touched_is_read_again() -> None:
    screen, _ = clear_world(1, NoTradeRegion())
    screen.look(market(), None)
    fallen = market({"BTC": D(30_000), "ETH": D(3_000)})
    assert screen.look(fallen, {"binance:ETH/USDT"}).unsure == ()
    assert screen.look(fallen, {"binance:BTC/USDT"}).unsure == ("p0",)


def test_a_signalled_portfolio_is_left_alone_until_it_counts_as_lost() -> None:
    screen, (entry,) = clear_world(1, NoTradeRegion())
    fallen = market({"BTC": D(30_000), "ETH": D(3_000)})
    assert screen.look(fallen, None).unsure == ("p0",)
    entry.signalled_us, entry.retry_us = NOW_US, NOW_US + 10
    screen.wake("p0")
    assert screen.look(fallen, None) == replace(screen.look(fallen, None), holds=Counter(), unsure=())
    assert screen.look(replace(fallen, event_time_us=NOW_US + 10), None).unsure == ("p0",)


@pytest.mark.parametrize("edge", [D("1e-9"), D("1e-12"), D(0), D("-1e-12"), D("-1e-9")])
def test_whoever_stands_on_the_edge_is_looked_at_exactly(edge: Decimal) -> None:
    bound = D("0.05")
    screen = Screen(SETTINGS)
    held = positions(
        {"BTC": (D("0.6") + bound * (1 + edge)) * 100_000 / 60_000, "USDT": (D("0.4") - bound * (1 + edge)) * 100_000}
    )
    wanted = (("BTC", D("0.6")), ("USDT", D("0.4")))
    entry = Entry(0, 0, state(held), portfolio(targets=wanted, policy=Threshold(absolute=bound)), frozenset(KEYS))
    screen.put(entry)
    assert screen.look(market(), None).unsure == ("core",)


def moved(policy: Policy, share: Decimal) -> Entry:
    """A portfolio that was well inside and then moved this share of its equity from ETH to BTC."""
    held = positions(
        {"BTC": (60_000 + share * 100_000) / 60_000, "ETH": (30_000 - share * 100_000) / 3_000, "USDT": D(10_000)}
    )
    return Entry(0, 0, state(held), portfolio(policy=policy), frozenset(KEYS))


@pytest.mark.parametrize("direction", [1, -1])
@pytest.mark.parametrize("policy", POLICIES)
def test_the_screen_is_as_wide_as_the_band_and_no_wider(policy: Policy, direction: int) -> None:
    estimate, found = risk(), market()
    inside, outside = D(0), D("0.3") * direction
    while abs(outside - inside) > D("1e-12"):
        middle = (inside + outside) / 2
        if exact(found, moved(policy, middle), estimate) is Reason.WITHIN_BAND:
            inside = middle
        else:
            outside = middle
    screen = Screen(SETTINGS)
    screen.estimate(estimate.message)
    screen.put(moved(policy, inside - D("1e-7") * direction))
    assert screen.look(found, None).unsure == ()
    screen.put(moved(policy, outside))
    assert screen.look(found, None).unsure == ("core",)
