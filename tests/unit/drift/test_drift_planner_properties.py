"""What every plan keeps, in any world: an independent audit of the trades against holdings, books and limits."""

import subprocess
import sys
from collections import defaultdict
from collections.abc import Mapping
from decimal import Decimal, localcontext

import pytest
from drift_worlds import SETTINGS
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from planner_worlds import ESTIMATES, World, estimated, make, renamed, scaled, shuffled, worlds

from trimtab.adapters.avro import Codec
from trimtab.domain.amounts import CONTEXT, ONE, ZERO
from trimtab.domain.market import Quote
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import NoTradeRegion, Threshold
from trimtab.drift.decision import prepare
from trimtab.drift.region import RegionRule
from trimtab.messages import Signal, Term, Trade
from trimtab.topics import TOPICS

THRESHOLDS = (Threshold(absolute=Decimal("0.02")), Threshold(relative=Decimal("0.1")))
REGIONS = (NoTradeRegion(), NoTradeRegion(risk_aversion=Decimal(20)))
# Weights in a signal's terms have 18 decimals; the corrections are made of them.
LAST_DIGIT = Decimal("1e-18")
MANY = settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow])

CODEC = Codec({topic.name: 1 for topic in TOPICS})

Balances = dict[tuple[str, str], Decimal]


@pytest.fixture(autouse=True)
def _exact() -> object:
    with localcontext(CONTEXT):
        yield


def signal_of(world: World) -> Signal:
    found = world.decide()
    assume(isinstance(found, Signal))
    assert isinstance(found, Signal)
    return found


def book(world: World, trade: Trade) -> Quote:
    return world.at.quotes[f"{trade.venue}:{trade.instrument}"]


def mid(world: World, trade: Trade, asset: str) -> Decimal:
    return ONE if asset == "USDT" else world.at.quotes[f"{trade.venue}:{asset}/USDT"].mid


def opening(world: World) -> Balances:
    return defaultdict(lambda: ZERO, {(p.account, p.asset): p.posted for p in world.held.positions})


def spent(world: World, trade: Trade, price: Decimal) -> tuple[str, Decimal]:
    """What a trade takes at this price, with the fee in the instrument's quote currency, on top."""
    fee = book(world, trade).instrument.taker_fee
    if trade.side is Side.SELL:
        return trade.base, trade.quantity
    return trade.quote, trade.quantity * price * (1 + fee)


def gained(world: World, trade: Trade, price: Decimal) -> tuple[str, Decimal]:
    fee = book(world, trade).instrument.taker_fee
    if trade.side is Side.BUY:
        return trade.base, trade.quantity
    return trade.quote, trade.quantity * price * (1 - fee)


def moved(world: World, found: Signal) -> tuple[dict[str, Decimal], dict[str, Decimal]]:
    """Value by which each asset changes at decision prices, and that of the coarsest step of what moves and pays it."""
    values: dict[str, Decimal] = defaultdict(lambda: ZERO)
    grains: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for trade in found.trades:
        for sign, (asset, amount) in (
            (-1, spent(world, trade, trade.decision_price)),
            (1, gained(world, trade, trade.decision_price)),
        ):
            value = amount * mid(world, trade, asset)
            values[asset] += sign * value
            grains[asset] = max(grains[asset], value / trade.quantity * book(world, trade).instrument.step)
    steps = {t.trade_id: book(world, t).instrument.step * mid(world, t, t.base) for t in found.trades}
    for trade in found.trades:
        grains[trade.base] += sum((steps[name] for name in trade.depends_on), ZERO)
    return values, grains


def terms(found: Signal) -> Mapping[str, Term]:
    return {term.asset: term for term in found.terms}


# --- money ------------------------------------------------------------------------------------------------------------


@MANY
@given(worlds())
def test_no_account_spends_what_it_has_not_even_at_the_worst_prices(world: World) -> None:
    found = signal_of(world)
    balances = opening(world)
    for trade in found.trades:  # what is bought on a cross is not sold again, so the order is no matter
        asset, amount = spent(world, trade, trade.limit_price)
        balances[trade.account, asset] -= amount
        if asset != "USDT":
            assert balances[trade.account, asset] >= 0, "of assets, only what was there before"
        asset, amount = gained(world, trade, trade.limit_price)
        if asset == "USDT":
            balances[trade.account, asset] += amount
    assert min(balances.values()) >= 0


@MANY
@given(worlds())
def test_cash_closes_to_the_last_unit(world: World) -> None:
    found = signal_of(world)
    balances = opening(world)
    before = sum(amount for (_, asset), amount in balances.items() if asset == "USDT")
    for trade in found.trades:
        for sign, (asset, amount) in (
            (-1, spent(world, trade, trade.decision_price)),
            (1, gained(world, trade, trade.decision_price)),
        ):
            balances[trade.account, asset] += sign * amount
    after = sum(amount for (_, asset), amount in balances.items() if asset == "USDT")
    direct = [trade for trade in found.trades if trade.quote == "USDT"]
    notionals = {
        side: sum(t.quantity * t.decision_price for t in direct if t.side is side) for side in (Side.SELL, Side.BUY)
    }
    fees = sum(t.quantity * t.decision_price * book(world, t).instrument.taker_fee for t in direct)
    assert after == before + notionals[Side.SELL] - notionals[Side.BUY] - fees
    assert min(balances.values()) >= 0


@MANY
@given(worlds())
def test_each_buy_can_be_paid_from_cash_that_is_there_and_the_sells_it_names(world: World) -> None:
    found = signal_of(world)
    seen: dict[str, Trade] = {}
    for trade in found.trades:
        for cause in trade.depends_on:
            assert seen[cause].side is Side.SELL
            assert (seen[cause].account, seen[cause].quote) == (trade.account, "USDT")
        assert not trade.depends_on or (trade.side is Side.BUY and trade.quote == "USDT")
        assert len(set(trade.depends_on)) == len(trade.depends_on)
        seen[trade.trade_id] = trade
    for account in {trade.account for trade in found.trades}:
        buys = [t for t in found.trades if t.account == account and t.side is Side.BUY and t.quote == "USDT"]
        funds = {t.trade_id: gained(world, t, t.limit_price)[1] for t in found.trades if t.account == account}
        needs = {buy.trade_id: spent(world, buy, buy.limit_price)[1] for buy in buys}
        # Hall's condition: whatever buys are taken together, what may pay for any of them is enough for all.
        for chosen in subsets(buys):
            payers = {cause for buy in chosen for cause in buy.depends_on}
            there = opening(world)[account, "USDT"] + sum(funds[cause] for cause in payers)
            assert sum(needs[buy.trade_id] for buy in chosen) <= there


def subsets(buys: list[Trade]) -> list[list[Trade]]:
    return [[buy for i, buy in enumerate(buys) if mask >> i & 1] for mask in range(1, 2 ** len(buys))]


# --- rules ------------------------------------------------------------------------------------------------------------


@MANY
@given(worlds())
def test_every_trade_keeps_the_rules_of_venue_and_owner(world: World) -> None:
    found = signal_of(world)
    venues = {(p.account, p.venue) for p in world.held.positions}
    for trade in found.trades:
        rules = book(world, trade).instrument
        assert (trade.account, trade.venue) in venues
        assert rules.tradable
        assert (rules.base, rules.quote) == (trade.base, trade.quote)
        assert trade.quantity > 0
        assert trade.quantity % rules.step == 0
        assert trade.quantity >= rules.min_quantity
        assert trade.limit_price > 0
        assert trade.limit_price % rules.tick == 0
        assert trade.decision_price == book(world, trade).mid
        assert trade.quantity * min(trade.limit_price, trade.decision_price) >= rules.min_notional
        assert trade.quantity * mid(world, trade, trade.base) >= world.wanted.limits.min_trade
    orders = [(trade.account, trade.instrument, trade.side) for trade in found.trades]
    assert len(set(orders)) == len(orders)
    kinds = [1 if trade.quote != "USDT" else 0 if trade.side is Side.SELL else 2 for trade in found.trades]
    assert kinds == sorted(kinds), "sells, crosses, buys"
    cap = world.wanted.limits.max_trade_share * (found.equity + LAST_DIGIT)
    values, _ = moved(world, found)
    assert all(abs(value) <= cap for asset, value in values.items() if asset != "USDT")


@MANY
@given(worlds(accounts=(1, 1), policies=THRESHOLDS))
def test_there_are_no_more_orders_than_assets_that_move(world: World) -> None:
    found = signal_of(world)
    values, _ = moved(world, found)
    assert len(found.trades) <= len(values.keys() - {"USDT"})


@MANY
@given(worlds())
def test_nothing_is_bought_and_sold_in_one_plan(world: World) -> None:
    found = signal_of(world)
    signs: dict[str, set[bool]] = defaultdict(set)
    for trade in found.trades:
        signs[trade.base].add(trade.side is Side.BUY)
        if trade.quote != "USDT":
            signs[trade.quote].add(trade.side is Side.SELL)
    assert all(len(found) == 1 for found in signs.values())


# --- where it lands ---------------------------------------------------------------------------------------------------


@MANY
@given(worlds(policies=THRESHOLDS))
def test_under_a_threshold_what_is_traded_lands_on_its_target_to_the_step_or_says_why_not(world: World) -> None:
    found = signal_of(world)
    values, grains = moved(world, found)
    lost = lost_on_crosses(world, found)
    deferred = {deferral.asset for deferral in found.deferred}
    for asset, term in terms(found).items():
        if asset == "USDT":
            continue
        rest = -term.drift * found.equity - values[asset]
        slack = LAST_DIGIT * (2 + found.equity)
        assert values[asset] * term.drift <= 0, "the right way"
        assert rest * term.drift <= slack * abs(term.drift), "never past the target"
        if values[asset] and asset not in deferred:
            assert abs(rest) < grains[asset] + lost[asset] + slack


@MANY
@given(worlds(policies=REGIONS, gentle=True))
@example(
    make(364968, 3, 3, 1, NoTradeRegion(risk_aversion=Decimal(20)), gentle=True)
)  # BTC is sold where it is not priced
def test_in_the_region_what_is_traded_lands_within_its_edges_to_the_step(world: World) -> None:
    found = signal_of(world)
    assume(not found.deferred)
    values, grains = moved(world, found)
    rule = prepare(world.estimate, world.held, world.wanted, SETTINGS).rule
    assert isinstance(rule, RegionRule)
    names = [term.asset for term in found.terms if term.asset != "USDT"]
    saved = saved_on_orders(world, found)
    for band, name in zip(rule.bands, names, strict=True):
        term = terms(found)[name]
        effective = sum(
            (a * (terms(found)[k].drift + values[k] / found.equity) for a, k in zip(band.effect, names, strict=True)),
            ZERO,
        )
        steps = sum((abs(a) * (grains[k] + saved) for a, k in zip(band.effect, names, strict=True)), ZERO)
        slack = steps / found.equity + Decimal("1e-9")
        gone = term.weight * found.equity + values[name] < grains[name] and effective > 0
        outside = abs(term.effective_drift) > term.half_band * SETTINGS.trigger
        too_dear = outside and term.benefit <= term.cost  # it may still have paid for something
        if values[name] and not gone and not too_dear:
            # What was inside and only pays for others may come from between the landing edge and the trigger.
            edge = SETTINGS.landing if outside else SETTINGS.trigger
            assert abs(effective) <= term.half_band * edge + slack


def lost_on_crosses(world: World, found: Signal) -> dict[str, Decimal]:
    """Value that crosses lost on the way to an asset: the fee, and what their mid is off the two direct ones."""
    lost: dict[str, Decimal] = defaultdict(lambda: ZERO)
    for trade in found.trades:
        if trade.quote != "USDT":
            gone, amount = spent(world, trade, trade.decision_price)
            got, more = gained(world, trade, trade.decision_price)
            lost[got] += max(amount * mid(world, trade, gone) - more * mid(world, trade, got), ZERO)
    return lost


def saved_on_orders(world: World, found: Signal) -> Decimal:
    """At most what orders cost less than the ones that their funding was counted for, in value.

    Those are the direct ones, where a cross is sent; those of the venue that prices an asset, where another is taken.
    """
    saved = ZERO
    for trade in found.trades:
        crossed = trade.quote != "USDT"
        counted = [trade.base, trade.quote] if crossed else [trade.base]
        worst = [
            max(counted_at(quote) for quote in world.at.quotes.values() if quote.instrument.symbol == f"{asset}/USDT")
            for asset in counted
            if crossed or any(p.venue != trade.venue for p in world.held.positions)
        ]
        saved += trade.quantity * mid(world, trade, trade.base) * sum(worst, ZERO)
    return saved


def counted_at(quote: Quote) -> Decimal:
    """How far the worst prices of a buy and a sale are apart, fees included, as a fraction of the mid."""
    return 2 * quote.instrument.taker_fee + (quote.spread * 4 + quote.instrument.tick * 2) / quote.mid


# --- whatever the estimate says ---------------------------------------------------------------------------------------


@MANY
@given(worlds(), st.sampled_from(ESTIMATES), st.integers(0, 10**6))
def test_no_estimate_is_too_odd_for_a_decision_that_keeps_every_account_solvent(
    world: World, kind: str, seed: int
) -> None:
    odd = estimated(world, kind, seed)
    found = odd.decide()
    assert len(CODEC.encode(found) if isinstance(found, Signal) else found.reason) > 0
    if not isinstance(found, Signal):
        return
    balances = opening(odd)
    for trade in found.trades:
        for sign, (asset, amount) in (
            (-1, spent(odd, trade, trade.limit_price)),
            (1, gained(odd, trade, trade.limit_price)),
        ):
            balances[trade.account, asset] += sign * amount
    assert min(balances.values()) >= 0


# --- what must not matter ---------------------------------------------------------------------------------------------


def outcome(found: object, money: int = 0, coins: int = 0) -> object:
    """What was decided, in the units of another scale, without the ids (which are hashes)."""
    if not isinstance(found, Signal):
        return (getattr(found, "reason", None), getattr(found, "detail", None))
    order = {trade.trade_id: i for i, trade in enumerate(found.trades)}
    return [
        (
            t.account,
            t.instrument,
            t.side,
            t.quantity.scaleb(coins),
            t.limit_price.scaleb(money - coins if t.quote == "USDT" else 0),
            [order[cause] for cause in t.depends_on],
        )
        for t in found.trades
    ], found.deferred


@MANY
@given(worlds(), st.integers(0, 3), st.integers(0, 3))
def test_the_size_of_the_money_changes_nothing(world: World, coins: int, more: int) -> None:
    money = coins + more
    assert outcome(scaled(world, money=money, coins=coins).decide()) == outcome(world.decide(), money, coins)


@MANY
@given(worlds(), st.integers(0, 10**6))
def test_the_order_in_which_things_are_told_changes_nothing(world: World, seed: int) -> None:
    assert shuffled(world, seed).decide() == world.decide()


@MANY
@given(worlds())
def test_names_change_nothing(world: World) -> None:
    other, called = renamed(world)
    first, second = world.decide(), other.decide()
    drifts = [abs(term.drift) for term in first.terms]
    assume(len(set(drifts)) == len(drifts))  # among equals it is the names that decide
    assert type(first) is type(second)
    if not isinstance(first, Signal) or not isinstance(second, Signal):
        return
    mine = {(t.account, called[t.base], called[t.quote], t.side): t.quantity for t in first.trades}
    assert mine == {(t.account, t.base, t.quote, t.side): t.quantity for t in second.trades}


PROGRAM = """
import random
from hashlib import blake2b
from planner_worlds import POLICIES, make
dice = random.Random(5)
sizes = [(seed, dice.randint(2, 10), dice.randint(1, 3), 5, dice.choice(POLICIES)) for seed in range(40)]
found = [make(*size) for size in sizes]
print(blake2b(repr([world.decide() for world in found]).encode()).hexdigest())
"""


def test_no_decision_depends_on_the_order_of_a_set() -> None:
    folder = __file__.rpartition("/")[0]
    printed = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env={"PYTHONHASHSEED": seed, "PYTHONPATH": ":".join([folder, *sys.path])},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "77")
    }
    assert len(printed) == 1
