"""Worlds for plans: one to ten assets, one to three accounts on one or two venues, crosses, grids of any size."""

import random
from dataclasses import dataclass, field, replace
from decimal import Decimal, localcontext

from drift_worlds import NOW_US, SETTINGS, D, state
from hypothesis import strategies as st

from trimtab.domain.amounts import CONTEXT, quantise
from trimtab.domain.instruments import Instrument
from trimtab.domain.market import Level, Market, Quote
from trimtab.domain.portfolio import (
    Calendar,
    CostAdjusted,
    Hybrid,
    Limits,
    NoTradeRegion,
    Policy,
    Portfolio,
    Threshold,
    VolatilityThreshold,
)
from trimtab.drift.decision import Decision, decide
from trimtab.messages import PortfolioState, Position, Risk
from trimtab.ports.topics import Record

NAMES = ("ADA", "AVAX", "BNB", "BTC", "DOGE", "DOT", "ETH", "LINK", "SOL", "XRP")
POLICIES: tuple[Policy, ...] = (
    Threshold(absolute=D("0.02")),
    Threshold(relative=D("0.1")),
    NoTradeRegion(),
    NoTradeRegion(risk_aversion=D(20)),
    NoTradeRegion(max_deviation=D("0.05")),
    Calendar("* * * * *"),
    Hybrid("* * * * *", absolute=D("0.02")),
    VolatilityThreshold(relative=D("0.1")),
    CostAdjusted(absolute=D("0.02"), safety_factor=D("0.1")),
)


@dataclass(frozen=True)
class World:
    """Everything one decision stands on; `recipe` says what `make` made it of."""

    recipe: tuple[object, ...]
    held: PortfolioState = field(repr=False)
    wanted: Portfolio = field(repr=False)
    at: Market = field(repr=False)
    estimate: Record[Risk] = field(repr=False)

    def decide(self) -> Decision:
        return decide(self.at, self.estimate, self.held, self.wanted, SETTINGS)


@st.composite
def worlds(
    draw: st.DrawFn,
    *,
    policies: tuple[Policy, ...] = POLICIES,
    assets: tuple[int, int] = (1, 10),
    accounts: tuple[int, int] = (1, 3),
    gentle: bool = False,
) -> World:
    """Any world; a gentle one has fine grids, no minimums and no caps, so that nothing keeps a trade from its edge."""
    seed = draw(st.integers(0, 2**32))
    size = draw(st.integers(*assets))
    count = draw(st.integers(*accounts))
    magnitude = draw(st.integers(1, 9))
    return make(seed, size, count, magnitude, draw(st.sampled_from(policies)), gentle=gentle)


def make(seed: int, size: int, count: int, magnitude: int, policy: Policy, *, gentle: bool = False) -> World:
    """Build a world of so many assets and accounts and an equity of 10^magnitude."""
    dice = random.Random(seed)
    names = sorted(dice.sample(NAMES, size))
    equity = D(10) ** magnitude
    venues = ["binance", "kraken"][: dice.randint(1, 2)]
    places = [(f"account-{i}", dice.choice(venues)) for i in range(count)]
    prices = {name: power(dice, -3, 5) for name in names}
    quotes: list[Quote] = []
    for venue in sorted({venue for _, venue in places}):
        shown = {name: near(dice, price, 0.001) for name, price in prices.items()}
        listed = [name for name in names if venue == places[0][1] or dice.random() < 0.95]
        quotes += [book(dice, venue, name, "USDT", shown[name], equity, D(1), gentle=gentle) for name in listed]
        for base in names:
            for other in names:
                if base != other and dice.random() < (0.4 if size < 5 else 0.15):
                    price = near(dice, shown[base] / shown[other], 0.002)
                    quotes.append(book(dice, venue, base, other, price, equity, shown[other], gentle=gentle))
    wanted = Portfolio(
        "core",
        "USDT",
        targets_of(dice, names),
        accounts=tuple(name for name, _ in places),
        policy=policy,
        limits=limits_of(dice, equity, gentle=gentle),
    )
    held = holdings_of(dice, wanted, places, prices, equity)
    instruments = {quote.instrument.key: quote.instrument for quote in quotes}
    at = Market(7, NOW_US, complete=True, instruments=instruments, quotes={q.instrument.key: q for q in quotes})
    return World((seed, size, count, magnitude, policy, gentle), held, wanted, at, estimate_of(dice, names))


def power(dice: random.Random, low: float, high: float) -> Decimal:
    """A number with four digits, evenly spread over its logarithm."""
    return D(f"{10 ** dice.uniform(low, high):.4g}")


def near(dice: random.Random, price: Decimal, reach: float) -> Decimal:
    return price * D(f"{dice.uniform(1 - reach, 1 + reach):.6f}")


def grid(value: Decimal) -> Decimal:
    """The power of ten at or below a value."""
    return D(1).scaleb(value.adjusted())


def book(
    dice: random.Random,
    venue: str,
    base: str,
    quote: str,
    price: Decimal,
    equity: Decimal,
    worth: Decimal,
    *,
    gentle: bool,
) -> Quote:
    """A book around this price; `worth` is what a unit of its quote currency is worth."""
    tick = max(grid(price) * D(10) ** -dice.randint(2, 6), D("1e-16"))
    unit = equity / (price * worth)  # base for all of the equity
    step = max(grid(unit * power(dice, -9, -7 if gentle else -2)), D("1e-16"))
    rules = Instrument(
        venue,
        f"{base}/{quote}",
        base,
        quote,
        tick=tick,
        step=step,
        min_quantity=step * (1 if gentle else dice.choice([0, 1, 3])),
        min_notional=D(0) if gentle else dice.choice([D(0), equity / worth * power(dice, -6, -2)]),
        maker_fee=D("0.001"),
        taker_fee=dice.choice([D(0), D("0.0005"), D("0.001"), D("0.005")]),
        tradable=gentle or dice.random() < 0.97,
    )
    bid = max(int(price / tick), 2)
    ask = bid + dice.choice([1, 1, 2, max(int(bid * dice.uniform(0, 0.004)), 1)])
    depth = max(int(unit * power(dice, -3, 1) / step), 1) * step
    bids = tuple(Level((bid - n) * tick, depth) for n in range(10) if bid > n)
    return Quote(rules, NOW_US, bids, tuple(Level((ask + n) * tick, depth) for n in range(10)))


def targets_of(dice: random.Random, names: list[str]) -> tuple[tuple[str, Decimal], ...]:
    parts = [dice.choice([0, 1, 1, 2, 5, 20]) for _ in names]
    parts[0] += 1
    cash = dice.choice([0, 0, 1, 3]) * sum(parts) // 10
    total = sum(parts) + cash
    weights = {name: quantise(D(part) / total) for name, part in zip(names, parts, strict=True)}
    weights["USDT"] = 1 - sum(weights.values())
    return tuple(sorted(weights.items()))


def limits_of(dice: random.Random, equity: Decimal, *, gentle: bool) -> Limits:
    if gentle:
        return Limits(min_trade=D(0), max_trade_share=D(1), slippage_budget_spreads=D("1.5"))
    return Limits(
        min_trade=dice.choice([D(0), equity * power(dice, -6, -2)]),
        max_trade_share=dice.choice([D("0.02"), D("0.1"), D("0.3"), D(1), D(1)]),
        slippage_budget_spreads=dice.choice([D("0.1"), D("1.5"), D(5)]),
    )


def holdings_of(
    dice: random.Random,
    wanted: Portfolio,
    places: list[tuple[str, str]],
    prices: dict[str, Decimal],
    equity: Decimal,
) -> PortfolioState:
    """Weights somewhere around their targets, spread over the accounts."""
    reach = dice.choice([0.02, 0.1, 0.5])
    drifted = {name: max(float(weight) + dice.uniform(-reach, reach), 0.0) for name, weight in wanted.targets}
    if dice.random() < 0.3:
        drifted["USDT"] = 0.0
    total = sum(drifted.values()) or 1.0
    positions = []
    for name, weight in drifted.items():
        amount = equity * D(f"{weight / total:.9f}") / prices.get(name, D(1))
        shares = [dice.choice([0.0, 1.0, 1.0, 4.0]) for _ in places]
        shares[dice.randrange(len(places))] += 0.5
        for (account, venue), share in zip(places, shares, strict=True):
            posted = quantise(amount * D(f"{share / sum(shares):.6f}"))
            positions.append(Position(account, venue, name, posted, D(0)))
    return state(positions)


def estimate_of(dice: random.Random, names: list[str]) -> Record[Risk]:
    """One common factor and one each: any loadings make a covariance."""
    sigma = {name: D(f"{dice.uniform(0.2, 1.5):.3f}") for name in names}
    common = dice.choice([0.0, 0.5, 0.9, 0.99])
    loading = {name: D(f"{dice.uniform(common - 0.1, common):.3f}") for name in names}
    covariance = tuple(
        sigma[a] * sigma[b] * (1 if a == b else loading[a] * loading[b]) for i, a in enumerate(names) for b in names[i:]
    )
    spread = tuple(sigma[name] ** 2 for name in names)
    return Record(Risk("r", NOW_US, 5, "USDT", "test", 1_000, tuple(names), covariance, spread), "market.risk", 0, 3)


ESTIMATES = ("singular", "huge", "tiny", "dead", "partly dead", "contradictory", "negative")


def estimated(world: World, kind: str, seed: int) -> World:
    """The same world under an estimate that is hard to work with, or none at all that could be."""
    dice, names = random.Random(seed), world.estimate.message.assets
    dead = dice.choice(names)

    def entry(first: str, second: str, value: Decimal) -> Decimal:
        match kind:
            case "singular":  # one asset under many names
                return D("0.49")
            case "huge":
                return value * D(10) ** 12
            case "tiny":
                return quantise(value * D(10) ** -17)
            case "dead":
                return D(0)
            case "partly dead":
                return D(0) if dead in {first, second} else value
            case "contradictory":  # correlations beyond 1
                return value if first == second else D(f"{dice.uniform(-3, 3):.3f}")
            case _:
                return -value

    pairs = [(a, b) for i, a in enumerate(names) for b in names[i:]]
    covariance = tuple(entry(*pair, v) for pair, v in zip(pairs, world.estimate.message.covariance, strict=True))
    message = replace(world.estimate.message, covariance=covariance)
    return replace(world, estimate=replace(world.estimate, message=message))


def scaled(world: World, *, money: int, coins: int) -> World:
    """The same world with all quote currency times 10^money and all coins times 10^coins, grids and rules included.

    Crosses keep their prices; their minimum notionals are in coins.
    """
    with localcontext(CONTEXT):
        return _scaled(world, money, coins)


def _scaled(world: World, money: int, coins: int) -> World:
    def rules_of(rules: Instrument) -> Instrument:
        direct = rules.quote == "USDT"
        return replace(
            rules,
            tick=rules.tick.scaleb(money - coins) if direct else rules.tick,
            step=rules.step.scaleb(coins),
            min_quantity=rules.min_quantity.scaleb(coins),
            min_notional=rules.min_notional.scaleb(money if direct else coins),
        )

    def quote_of(quote: Quote) -> Quote:
        by = money - coins if quote.instrument.quote == "USDT" else 0
        bids, asks = (
            tuple(Level(level.price.scaleb(by), level.quantity.scaleb(coins)) for level in side)
            for side in (quote.bids, quote.asks)
        )
        return replace(quote, instrument=rules_of(quote.instrument), bids=bids, asks=asks)

    quotes = {key: quote_of(quote) for key, quote in world.at.quotes.items()}
    positions = tuple(
        replace(p, posted=p.posted.scaleb(money if p.asset == "USDT" else coins)) for p in world.held.positions
    )
    limits = replace(world.wanted.limits, min_trade=world.wanted.limits.min_trade.scaleb(money))
    return replace(
        world,
        held=replace(world.held, positions=positions),
        wanted=replace(world.wanted, limits=limits),
        at=replace(world.at, quotes=quotes, instruments={key: q.instrument for key, q in quotes.items()}),
    )


def shuffled(world: World, seed: int) -> World:
    """The same world told in another order."""
    dice = random.Random(seed)
    keys = dice.sample(sorted(world.at.quotes), len(world.at.quotes))
    held = world.held.positions
    return replace(
        world,
        held=replace(world.held, positions=tuple(dice.sample(held, len(held)))),
        at=replace(
            world.at,
            quotes={key: world.at.quotes[key] for key in keys},
            instruments={key: world.at.instruments[key] for key in reversed(keys)},
        ),
    )


def renamed(world: World) -> tuple[World, dict[str, str]]:
    """The same world with other names, whose order is the reverse; and what each asset is called now."""
    names = [name for name, _ in world.wanted.targets if name != "USDT"]
    called = {"USDT": "USDT"} | {name: f"C{len(names) - i:02}" for i, name in enumerate(names)}

    def quote_of(quote: Quote) -> Quote:
        base, other = called[quote.instrument.base], called[quote.instrument.quote]
        return replace(quote, instrument=replace(quote.instrument, symbol=f"{base}/{other}", base=base, quote=other))

    quotes = {quote.instrument.key: quote for quote in map(quote_of, world.at.quotes.values())}
    changed = replace(
        world,
        held=replace(world.held, positions=tuple(replace(p, asset=called[p.asset]) for p in world.held.positions)),
        wanted=replace(
            world.wanted, targets=tuple(sorted((called[name], weight) for name, weight in world.wanted.targets))
        ),
        at=replace(world.at, quotes=quotes, instruments={key: q.instrument for key, q in quotes.items()}),
        estimate=_renamed_estimate(world.estimate, called),
    )
    return changed, called


def _renamed_estimate(estimate: Record[Risk], called: dict[str, str]) -> Record[Risk]:
    found = estimate.message
    pairs = [(a, b) for i, a in enumerate(found.assets) for b in found.assets[i:]]
    known = dict(zip((frozenset((called[a], called[b])) for a, b in pairs), found.covariance, strict=True))
    names = sorted(called[name] for name in found.assets)
    covariance = tuple(known[frozenset((a, b))] for i, a in enumerate(names) for b in names[i:])
    spread = tuple(known[frozenset((name,))] for name in names)
    message = replace(found, assets=tuple(names), covariance=covariance, long_run_variance=spread)
    return replace(estimate, message=message)
