"""Random portfolios of a world, most of them well inside their bounds, many of them on purpose next to one."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal
from random import Random

from oracle.brims import to_the_brim
from oracle.clock import due_us
from oracle.deciding import Oracle
from oracle.rounding import UNIT, amount, counts, nearest
from oracle.worlds import CASH, UNLISTED, VENUES, World
from trimtab.domain.market import Quote
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import Calendar, CostAdjusted, Hybrid, Limits, NoTradeRegion, Portfolio, Windows
from trimtab.messages import OpenOrder, PortfolioState, Position

D = Decimal
CHEAP = {"inside": 96, "edge": 2, "far": 1, "wild": 1}  # few trades, which take the oracle ten times as long
DEAR = {"inside": 85, "edge": 8, "far": 5, "wild": 2}
BRIMFUL = 0.25  # of those, whose plan is to stand on one of its limits
NEARNESS = (0, UNIT, 10**15, 10**12, 10**9)  # one part in so many beside the bound; 0 is on it
SECOND_US = 1_000_000
HOUR_US = 3_600 * SECOND_US

Reaches = dict[tuple[object, ...], int]


@dataclass(frozen=True)
class Holder:
    """One case: a portfolio with its state, and what it was made for."""

    kind: str
    state: PortfolioState
    portfolio: Portfolio


def holders(rng: Random, world: World, oracle: Oracle, count: int) -> list[Holder]:
    """Return so many portfolios, by name in the order of their making."""
    shares = DEAR if world.dear else CHEAP
    if world.brink is not None:
        shares = {**shares, "edge": 15}
    kinds = rng.choices(list(shares), list(shares.values()), k=count)
    known: Reaches = {}
    return [_holder(rng, world, oracle, kind, f"p{number:05}", known) for number, kind in enumerate(kinds)]


def _holder(rng: Random, world: World, oracle: Oracle, kind: str, name: str, known: Reaches) -> Holder:
    portfolio = Portfolio(
        name,
        CASH,
        rng.choice(world.targets),
        accounts=("main", "side"),
        policy=rng.choice(world.policies),
        limits=_limits(rng),
        windows=Windows() if rng.random() < 0.97 else _windows(rng, world.market.event_time_us),
    )
    drifts = _drifts(rng, world, oracle, portfolio, kind, known)
    wanted = dict(portfolio.targets)
    weights = {asset: counts(wanted.get(asset, D(0))) + drift for asset, drift in drifts.items()}
    equity = D(round(10 ** rng.uniform(2, 7), 2)) if rng.random() < 0.97 else D(10) ** rng.randrange(-6, 14)
    ruined = rng.choice([0, 0, 0, 1, 2]) if kind == "wild" else 0
    rounded = D(str(equity)).quantize(D("1e-6"))
    positions = _positions(rng, world, weights, rounded, split=kind in {"far", "edge"}, ruined=ruined)
    state = PortfolioState(
        event_id="s",
        portfolio_id=name,
        ledger_version=4,
        event_time_us=world.market.event_time_us,
        document_version=1,
        document="{}",
        halted=False,
        reason="",
        not_before_us=0,
        positions=positions,
        open_orders=(),
        recent_signals_us=(),
    )
    if rng.random() < 0.08:
        state = _hindered(rng, state, portfolio, world)
    if kind in {"edge", "far"} and rng.random() < BRIMFUL:
        state, portfolio = to_the_brim(rng, oracle, state, portfolio)
    return Holder(kind, state, portfolio)


def _limits(rng: Random) -> Limits:
    return Limits(
        min_trade=rng.choice([D(0), D(10), D(10), D(100)]),
        max_trade_share=rng.choice([D("0.1"), D("0.01"), D(1)]),
        signals_per_hour=rng.choice([1, 2, 30]),
        cooldown_seconds=rng.choice([0, 0, 5, 600]),
        slippage_budget_spreads=rng.choice([D("0.4"), D("1.5")]),
    )


def _windows(rng: Random, now_us: int) -> Windows:
    minute = now_us // 60_000_000 % 1_440
    edges = rng.choice([(minute, minute + 1), (0, minute), (minute + 1, 1_440), (0, minute + 1), (minute, 1_440)])
    days = frozenset(rng.sample(range(7), 3)) if rng.random() < 0.3 else frozenset(range(7))
    return Windows(days, (edges,) if edges[0] < edges[1] else ())


def _hindered(rng: Random, state: PortfolioState, portfolio: Portfolio, world: World) -> PortfolioState:
    """Return the state with one or two gates closed, or just open again."""
    now_us = world.market.event_time_us
    base = rng.choice([asset for asset in world.assets if asset != UNLISTED])
    order = OpenOrder("o", "main", f"{base}/{CASH}", base, CASH, rng.choice(list(Side)), D("0.25"), D("1.000001"))
    if rng.random() < 0.3 and base != "BTC":
        order = replace(order, instrument=f"{base}/BTC", quote="BTC", limit_price=D("0.0000123456789"))
    times = [now_us, now_us - 5 * SECOND_US, now_us - 600 * SECOND_US, now_us - HOUR_US]
    if isinstance(portfolio.policy, Calendar | Hybrid):
        times += 4 * [due_us(portfolio.policy, now_us, state) or now_us]
    recent = tuple(sorted(rng.choice(times) + rng.choice([-1, 0, 1]) for _ in range(rng.randrange(1, 4))))
    changes: list[dict[str, object]] = [
        {"halted": True},
        {"open_orders": (order,)},
        {"not_before_us": now_us + rng.choice([-1, 0, 1, SECOND_US])},
        {"recent_signals_us": recent},
    ]
    for change in rng.sample(changes, rng.choice([1, 1, 2])):
        state = replace(state, **change)
    return state


def _drifts(
    rng: Random, world: World, oracle: Oracle, portfolio: Portfolio, kind: str, known: Reaches
) -> dict[str, int]:
    """Return drifts in counts of 1e-18 of all assets that the portfolio has or wants."""
    wanted = dict(portfolio.targets)
    names = sorted(a for a in world.assets if wanted.get(a) or (rng.random() < 0.05 and a != UNLISTED))
    if kind == "wild":
        if rng.random() < 0.3:
            names = sorted({*names, UNLISTED})
        return {name: int(rng.gauss(0, rng.choice([0.1, 0.5, 5.0])) * 10**9) * 10**9 for name in names}
    reaches = {name: _remembered(known, world, oracle, portfolio, name) for name in names}
    factor = {"inside": 0.8 if world.dear else 0.4, "edge": 0.4, "far": 3.0}[kind]
    found = {name: int(reach * factor * rng.uniform(-1, 1)) for name, reach in reaches.items()}
    if kind == "far" and found and rng.random() < 0.5:
        _with_cash(rng, counts(wanted.get(CASH, D(0))), {a: counts(w) for a, w in wanted.items() if a != CASH}, found)
    if kind == "edge" and names:
        _place_on_edge(rng, world, oracle, portfolio, found)
    return found


def _quote(world: World, asset: str) -> Quote | None:
    found = world.market.quotes.get(f"{VENUES[0]}:{asset}/{CASH}")
    return found if found is not None and found.bids and found.asks else None


def _with_cash(rng: Random, cash: int, targets: Mapping[str, int], drifts: dict[str, int]) -> None:
    """Make a deposit of what was drifts, leave next to no cash, or no more than all others have too much."""
    name, way = rng.choice(sorted(drifts)), rng.randrange(3)
    if way == 0:
        share = int(rng.choice([0.01, 0.1, 0.5]) * 10**6) * 10**12
        drifts.update({name: drifts[name] - targets.get(name, 0) * share // UNIT for name in drifts})
        return
    if way == 1:
        drifts.update({other: abs(drift) // rng.randrange(3, 9) for other, drift in drifts.items()})
    drifts[name] += cash - sum(drifts.values()) - rng.choice([0, 0, 10**12, 10**15])


def _remembered(known: Reaches, world: World, oracle: Oracle, portfolio: Portfolio, asset: str) -> int:
    key = (portfolio.targets, portfolio.policy, asset)
    if key not in known:
        known[key] = _reach(world, oracle, portfolio, asset)
    return known[key]


def _reach(world: World, oracle: Oracle, portfolio: Portfolio, asset: str) -> int:
    """Return about how far an asset's drift may go when all others' go as far, in counts of 1e-18."""
    policy = portfolio.policy
    if not isinstance(policy, NoTradeRegion):
        return _bound(oracle, portfolio, asset) // 2
    edge, row = _edge(world, oracle, portfolio, asset), oracle.moves.effects[oracle.places[asset]]
    widest = max((_edge(world, oracle, portfolio, name) for name, _ in portfolio.targets if name != CASH), default=0)
    found = edge * edge * UNIT // (sum(map(abs, row)) * max(widest, edge, 1))
    return found if policy.max_deviation is None else min(found, int(policy.max_deviation * UNIT))


def _bound(oracle: Oracle, portfolio: Portfolio, asset: str) -> int:
    """Return an asset's bound of |x| in counts of 1e-18, cut; a tenth where there is none, or any."""
    wanted = dict(portfolio.targets)
    names = tuple(sorted({*wanted, asset} - {CASH}))
    targets = tuple(counts(wanted.get(name, D(0))) for name in names)
    found = oracle.bounds(portfolio.policy, names, targets, counts(wanted.get(CASH, D(0))))
    own = found.assets[names.index(asset)]
    return int(own * UNIT) if own else UNIT // 10


def _edge(world: World, oracle: Oracle, portfolio: Portfolio, asset: str) -> int:
    """Return the trigger's |y| in counts of 1e-18, cut; a tenth where there is none."""
    quote = _quote(world, asset)
    if quote is None or oracle.moves.dead(oracle.places[asset]):
        return UNIT // 10
    return oracle.trigger(portfolio, asset, quote)


def _beside(rng: Random, bound: int) -> int:
    """Return a count on the bound or next to it, on either side of zero."""
    near = rng.choice(NEARNESS)
    step = max(bound // near, 1) if near else 0
    return (bound + rng.choice([-step, 0, 1, step])) * rng.choice([-1, 1])


def _place_on_edge(rng: Random, world: World, oracle: Oracle, portfolio: Portfolio, drifts: dict[str, int]) -> None:
    """Move one asset to its bound, or two that are alike to the same distance from theirs."""
    policy, name = portfolio.policy, rng.choice(sorted(drifts))
    if isinstance(policy, Calendar):
        drifts.update(dict.fromkeys(drifts, rng.choice([0, 1, -1])))
        return
    if world.brink is not None and world.brink[0] in drifts and isinstance(policy, CostAdjusted):
        drifts[world.brink[0]] = _beside(rng, world.brink[1])
        return
    if not isinstance(policy, NoTradeRegion):
        bound = _beside(rng, _bound(oracle, portfolio, name))
        drifts[name] = bound - (sum(drifts.values()) - drifts[name] if rng.random() < 0.3 else 0)  # the rest is cash's
        return
    if world.brink is not None and world.brink[0] in drifts and rng.random() < 0.8:
        _set_effective(oracle, drifts, world.brink[0], _beside(rng, world.brink[1]))
        return
    if policy.max_deviation is not None and rng.random() < 0.4:
        drifts[name] = _beside(rng, counts(policy.max_deviation))
        return
    if world.twins and all(twin in drifts for twin in world.twins) and rng.random() < 0.7:
        size = int(_edge(world, oracle, portfolio, name) * rng.uniform(0.6, 2)) * rng.choice([-1, 1])
        for twin in world.twins:
            drifts[twin] = _beside(rng, size)
        return
    other, settings = rng.choice(sorted(drifts)), world.settings
    if other != name and rng.random() < 0.3:
        landing = int(_edge(world, oracle, portfolio, other) * settings.landing / settings.trigger)
        _set_effective(oracle, drifts, other, _beside(rng, landing))
    _set_effective(oracle, drifts, name, _beside(rng, _edge(world, oracle, portfolio, name)))


def _set_effective(oracle: Oracle, drifts: dict[str, int], name: str, wanted: int) -> None:
    """Give one asset the drift with which its effective drift is as wanted, to the last digit."""
    row = oracle.moves.effects[oracle.places[name]]
    others = sum(row[oracle.places[other]] * drift for other, drift in drifts.items() if other != name)
    drifts[name] = nearest(wanted * UNIT - others, UNIT)


def _positions(
    rng: Random, world: World, weights: Mapping[str, int], equity: Decimal, *, split: bool, ruined: int
) -> tuple[Position, ...]:
    """Return holdings of these weights: exactly, where 18 decimals of a quantity are fine enough."""
    whole, found = counts(equity) * UNIT, []
    cash = whole
    for asset, weight in weights.items():
        quote = _quote(world, asset)
        twice = counts(quote.bids[0].price) + counts(quote.asks[0].price) if quote else 2 * UNIT
        quantity = nearest(weight * counts(equity) * 2, twice)
        if not quantity and rng.random() < 0.5:
            continue
        cash -= quantity * twice // 2 if quote else 0
        venue, reserved = VENUES[0], rng.choice([0, 0, 0, max(quantity, 0) // 3])
        if split and quantity > 2 and rng.random() < 0.2:
            there = f"{VENUES[1]}:{asset}/{CASH}" in world.market.quotes and rng.random() < 0.5
            part = quantity // 3
            found.append(Position(*(("side", VENUES[1]) if there else ("aside", venue)), asset, amount(part), D(0)))
            quantity -= part
            reserved = 0
        found.append(Position("main", venue, asset, amount(quantity), amount(reserved)))
    cash = nearest(cash - whole * ruined, UNIT)  # ruined: equity is nothing, or less
    if split and cash > 2 and rng.random() < 0.4:
        for account, venue in (("side", VENUES[1]), ("aside", VENUES[0])):
            part = cash // rng.choice([2, 3, 100])
            found.append(Position(account, venue, CASH, amount(part), amount(rng.choice([0, 0, part // 2]))))
            cash -= part
    found.append(Position("main", VENUES[0], CASH, amount(cash), D(0)))
    return tuple(sorted(found, key=lambda position: (position.account, position.asset)))
