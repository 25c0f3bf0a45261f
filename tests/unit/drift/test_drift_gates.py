"""Each gate alone, with its own reason, and the order in which they are asked."""

from collections.abc import Callable
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
    open_order,
    portfolio,
    positions,
    quote,
    risk,
    state,
    weights_to_positions,
)

from trimtab.domain.market import Market
from trimtab.domain.portfolio import Calendar, Limits, NoTradeRegion, Portfolio, Threshold, Windows
from trimtab.drift.decision import Decision, Hold, decide
from trimtab.drift.reasons import Reason
from trimtab.messages import PortfolioState, Risk, Signal
from trimtab.ports.topics import Record

DRIFTED = {"BTC": D("0.70"), "ETH": D("0.25")}
HOUR_US = 3_600_000_000


class World:
    """A portfolio far out of its band with nothing in the way; a test puts one thing in the way."""

    def __init__(self) -> None:
        self.market: Market = market()
        self.risk: Record[Risk] | None = risk()
        self.state: PortfolioState = state(weights_to_positions(DRIFTED))
        self.portfolio: Portfolio = portfolio()

    def decide(self) -> Decision:
        return decide(self.market, self.risk, self.state, self.portfolio, SETTINGS)

    def requote(self, base: str, **changes: object) -> None:
        shown = self.market.quotes[f"binance:{base}/USDT"]
        self.market = market(quotes=[replace(shown, **changes)])  # type: ignore[arg-type]  # a dataclass checks names


def _limits(world: World, **changes: object) -> None:
    limits = replace(world.portfolio.limits, **changes)  # type: ignore[arg-type]  # a dataclass checks names
    world.portfolio = replace(world.portfolio, limits=limits)


def incomplete(world: World) -> None:
    world.market = replace(world.market, complete=False)


def halted(world: World) -> None:
    world.state = replace(world.state, halted=True)


def aimless(world: World) -> None:
    world.portfolio = replace(world.portfolio, targets=())


def in_flight(world: World) -> None:
    world.state = replace(world.state, open_orders=(open_order(leaves=D("0.0001")),))


def too_early(world: World) -> None:
    world.state = replace(world.state, not_before_us=NOW_US + 1)


def outside_window(world: World) -> None:
    today = (NOW_US // 86_400_000_000 + 3) % 7
    world.portfolio = replace(world.portfolio, windows=Windows(weekdays=frozenset(range(7)) - {today}))


def cooling(world: World) -> None:
    world.state = replace(world.state, recent_signals_us=(NOW_US - 59_999_999,))
    _limits(world, cooldown_seconds=60)


def too_many(world: World) -> None:
    world.state = replace(world.state, recent_signals_us=(NOW_US - HOUR_US + 1, NOW_US - 5))
    _limits(world, signals_per_hour=2)


def not_due(world: World) -> None:
    """The time was twenty seconds ago, and the portfolio has traded since."""
    world.state = replace(world.state, recent_signals_us=(NOW_US - 10_000_000,))
    world.portfolio = replace(world.portfolio, policy=Calendar("* * * * *"))


def missing(world: World) -> None:
    world.market = market({"BTC": PRICES["BTC"]})


def empty(world: World) -> None:
    world.requote("ETH", asks=())


def crossed(world: World) -> None:
    shown = world.market.quotes["binance:ETH/USDT"]
    world.requote("ETH", bids=shown.asks)


def stale(world: World) -> None:
    world.requote("ETH", event_time_us=NOW_US - 10_000_001)


def broke(world: World) -> None:
    world.state = state(positions({"USDT": D(0)}))


def no_risk(world: World) -> None:
    world.risk = None


def young_risk(world: World) -> None:
    world.risk = risk(observations=SETTINGS.risk_observations_min - 1)


def partial_risk(world: World) -> None:
    world.risk = risk({"BTC": D("0.5")})


def foreign_risk(world: World) -> None:
    assert world.risk is not None
    world.risk = replace(world.risk, message=replace(world.risk.message, quote="EUR"))


def untradable(world: World) -> None:
    quotes = [quote(instrument(base, tradable=False), PRICES[base]) for base in ("BTC", "ETH")]
    world.market = market(quotes=quotes)


def tiny(world: World) -> None:
    _limits(world, min_trade=D(10**9))


def small_for_the_venue(world: World) -> None:
    quotes = [quote(instrument(base, min_notional=D(10**9)), PRICES[base]) for base in ("BTC", "ETH")]
    world.market = market(quotes=quotes)


def all_reserved(world: World) -> None:
    held = weights_to_positions({"BTC": D("0.8"), "ETH": D("0.2")})
    world.state = state([replace(position, reserved=position.posted) for position in held])


def on_target(world: World) -> None:
    world.state = state(weights_to_positions({"BTC": D("0.6"), "ETH": D("0.3")}))


def dear(world: World) -> None:
    """Right at the trigger, but the book has nothing behind the touch."""
    world.state = state(weights_to_positions({"BTC": D("0.635"), "ETH": D("0.3")}))
    world.market = market(quotes=[quote(instrument("BTC"), PRICES["BTC"], depth=D("0.0001"))])


CASES: list[tuple[Callable[[World], None], Reason]] = [
    (incomplete, Reason.MARKET_INCOMPLETE),
    (halted, Reason.HALTED),
    (aimless, Reason.TARGETS_MISSING),
    (in_flight, Reason.ORDERS_IN_FLIGHT),
    (too_early, Reason.NOT_BEFORE),
    (outside_window, Reason.OUTSIDE_WINDOW),
    (cooling, Reason.COOLDOWN),
    (too_many, Reason.SIGNALS_PER_HOUR),
    (not_due, Reason.NOT_DUE),
    (missing, Reason.MISSING_PRICE),
    (empty, Reason.EMPTY_BOOK),
    (crossed, Reason.CROSSED_BOOK),
    (stale, Reason.STALE_PRICE),
    (broke, Reason.EQUITY_NOT_POSITIVE),
    (no_risk, Reason.RISK_MISSING),
    (young_risk, Reason.RISK_MISSING),
    (partial_risk, Reason.RISK_MISSING),
    (foreign_risk, Reason.RISK_MISSING),
    (untradable, Reason.INSTRUMENT_NOT_TRADABLE),
    (tiny, Reason.BELOW_MINIMUM_TRADE),
    (small_for_the_venue, Reason.BELOW_MINIMUM_TRADE),
    (all_reserved, Reason.INSUFFICIENT_FUNDS),
    (on_target, Reason.WITHIN_BAND),
    (dear, Reason.COST_ABOVE_BENEFIT),
]


def test_with_nothing_in_the_way_it_trades() -> None:
    assert isinstance(World().decide(), Signal)


@pytest.mark.parametrize(("put", "reason"), CASES, ids=[put.__name__ for put, _ in CASES])
def test_one_thing_in_the_way_is_one_reason(put: Callable[[World], None], reason: Reason) -> None:
    world = World()
    put(world)
    found = world.decide()
    assert isinstance(found, Hold)
    assert found.reason is reason


def test_every_reason_to_hold_has_a_case() -> None:
    signals = {
        Reason.BAND_EXCEEDED,
        Reason.MAX_DEVIATION,
        Reason.THRESHOLD_REACHED,
        Reason.CALENDAR_DUE,
        Reason.BENEFIT_ABOVE_COST,
        Reason.MAX_TRADE_SHARE,
    }
    assert {reason for _, reason in CASES} == set(Reason) - signals


@pytest.mark.parametrize("first", range(8))
def test_the_gates_are_asked_in_the_order_of_their_reasons(first: int) -> None:
    world = World()
    world.state = replace(world.state, recent_signals_us=())
    for put, _ in reversed(CASES[first:8]):
        recent = world.state.recent_signals_us
        put(world)
        world.state = replace(world.state, recent_signals_us=(*recent, *world.state.recent_signals_us))
    found = world.decide()
    assert isinstance(found, Hold)
    assert found.reason is CASES[first][1]


@pytest.mark.parametrize("put", [in_flight, halted, too_early, cooling], ids=lambda put: put.__name__)
def test_a_closed_gate_still_shows_the_terms(put: Callable[[World], None]) -> None:
    world = World()
    put(world)
    found = world.decide()
    assert isinstance(found, Hold)
    assert [term.asset for term in found.terms] == ["BTC", "ETH", "USDT"]
    assert found.equity > 0


def test_a_faulty_book_is_named() -> None:
    world = World()
    stale(world)
    found = world.decide()
    assert isinstance(found, Hold)
    assert found.detail == "binance:ETH/USDT"


@pytest.mark.parametrize(
    ("put", "moved_us"),
    [
        (too_early, 1),
        (cooling, 1),
        (too_many, 1),
    ],
    ids=["not before", "cooldown", "signals per hour"],
)
def test_a_gate_in_time_opens_on_the_microsecond(put: Callable[[World], None], moved_us: int) -> None:
    world = World()
    put(world)
    world.market = replace(world.market, event_time_us=NOW_US + moved_us)
    assert isinstance(world.decide(), Signal)


def test_a_quote_at_the_age_limit_is_not_stale() -> None:
    world = World()
    world.requote("ETH", event_time_us=NOW_US - 10_000_000)
    assert isinstance(world.decide(), Signal)


def test_thresholds_need_no_risk_estimate() -> None:
    world = World()
    no_risk(world)
    world.portfolio = replace(world.portfolio, policy=Threshold(absolute=D("0.05")))
    found = world.decide()
    assert isinstance(found, Signal)
    assert found.risk_offset == -1
    assert {trade.volatility for trade in found.trades} == {D(0)}


def test_an_asset_nobody_wants_and_nobody_lists_is_left_alone() -> None:
    world = World()
    airdrop = positions({"SCAM": D(10**12)})
    world.state = state((*weights_to_positions(DRIFTED), *airdrop))
    found = world.decide()
    assert isinstance(found, Signal)
    assert found.equity == D(100_000)
    assert "SCAM" not in {trade.base for trade in found.trades}


def test_open_orders_count_as_filled_in_the_terms() -> None:
    world = World()
    world.state = replace(world.state, open_orders=(open_order(leaves=D("0.1")),))
    found = world.decide()
    assert isinstance(found, Hold)
    btc = found.terms[0]
    assert btc.weight == D("0.76")
    assert found.equity == D(100_000)


def test_limits_alone_never_hide_a_hard_bound() -> None:
    world = World()
    world.portfolio = portfolio(policy=NoTradeRegion(max_deviation=D("0.02")), limits=Limits(min_trade=Decimal(1)))
    found = world.decide()
    assert isinstance(found, Signal)
    assert found.reason == Reason.MAX_DEVIATION
