"""Random worlds: a market, an estimate, settings, and what portfolios in it may be like; all from one seed."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from decimal import Decimal
from math import exp, log10, sqrt
from random import Random

from trimtab.domain.instruments import Instrument
from trimtab.domain.market import Level, Market, Quote
from trimtab.domain.portfolio import (
    Calendar,
    CostAdjusted,
    Hybrid,
    NoTradeRegion,
    Policy,
    Threshold,
    VolatilityThreshold,
)
from trimtab.messages import Costs, Risk
from trimtab.ports.topics import Record
from trimtab.settings import DriftSettings

D = Decimal
ASSETS = ("ADA", "AVAX", "BNB", "BTC", "DOGE", "DOT", "ETH", "LINK", "LTC", "SOL", "UNI", "XRP")
CASH, UNLISTED = "USDT", "JUNK"
VENUES = ("binance", "kraken")
SECOND_US = 1_000_000
WEEK_US = 7 * 24 * 3_600 * SECOND_US
FAULTS = ("missing", "empty", "crossed", "stale")


@dataclass(frozen=True)
class World:
    """One market with what may be held at it; `pools` are shared by many portfolios, as bands are."""

    market: Market
    risk: Risk | None
    settings: DriftSettings
    assets: tuple[str, ...]
    targets: tuple[tuple[tuple[str, Decimal], ...], ...]
    policies: tuple[Policy, ...]
    twins: tuple[str, str] | None  # two assets that differ in nothing
    dear: bool  # whether many of its portfolios are to trade
    brink: tuple[str, int] | None = None  # an asset, and the count of |y| at which something is exactly equal
    costs: Record[Costs] | None = None  # what own fills have shown of fees; `market` has the stated ones

    @property
    def universe(self) -> tuple[str, ...]:
        """Return every asset that a portfolio may have; orders in flight are in BTC."""
        return tuple(sorted({*self.assets, "BTC"}))


def world(rng: Random, *, dear: bool) -> World:
    """Return the next world."""
    size = rng.choices(range(1, 13), (12, 14, 14, 12, 10, 8, 6, 5, 4, 4, 2, 2))[0]
    assets = tuple(sorted(rng.sample(ASSETS, size)))
    pair = rng.sample(assets, 2) if size > 1 and rng.random() < 0.15 else None
    twins = (min(pair), max(pair)) if pair else None
    estimate = risk(rng, assets, twins)
    seen = market(rng, assets, twins)
    return World(
        seen,
        estimate,
        settings(rng),
        (*sorted({*assets, UNLISTED}),),
        tuple(targets(rng, assets, twins) for _ in range(3)),
        tuple(policy(rng, seen.event_time_us, often=dear) for _ in range(3)),
        twins,
        dear,
    )


def settings(rng: Random) -> DriftSettings:
    """Return the defaults two times in three."""
    if rng.random() < 0.67:
        return DriftSettings()
    return DriftSettings(
        signal_lifetime_seconds=rng.choice([1, 60, 3_600]),
        quote_age_max_seconds=rng.choice([1.0, 10.0]),
        region_scale=rng.choice([D("0.8"), D(1), D("1.3"), D("0.333")]),
        trigger=rng.choice([D("1.1"), D("1.25"), D("1.5"), D(1)]),
        landing=rng.choice([D(0), D("0.6"), D("0.75"), D("0.9"), D(1)]),
        safety_factor=rng.choice([D("0.5"), D(1), D("1.2"), D(2), D(10)]),
        impact_coefficient=rng.choice([D("0.5"), D("0.7"), D(1)]),
    )


def market(rng: Random, assets: tuple[str, ...], twins: tuple[str, str] | None) -> Market:
    """Return books on one venue, some on a second, a faulty one in one world out of five."""
    now_us = 1_700_000_000_000_000 + rng.randrange(60 * WEEK_US)
    now_us -= now_us % rng.choice([1, 1, SECOND_US, 60 * SECOND_US])
    quotes: dict[str, Quote] = {}
    for asset in assets:
        found = book(rng, asset, VENUES[0], now_us)
        if twins and asset == twins[1]:
            first = quotes[f"{VENUES[0]}:{twins[0]}/{CASH}"]
            found = replace(first, instrument=replace(first.instrument, symbol=f"{asset}/{CASH}", base=asset))
        quotes[found.instrument.key] = found
        if rng.random() < 0.4:
            other = elsewhere(rng, found, now_us)
            quotes[other.instrument.key] = other
    for venue in VENUES:
        _add_crosses(rng, assets, venue, quotes, now_us)
    rules = {key: quote.instrument for key, quote in quotes.items()}
    if rng.random() < 0.3:
        _spoil(rng, quotes, rules, now_us)
    return Market(rng.randrange(10**6), now_us, complete=rng.random() < 0.97, instruments=rules, quotes=quotes)


def elsewhere(rng: Random, found: Quote, now_us: int) -> Quote:
    """Return a book of the same asset on the second venue: the very same, one nearby, or one far off."""
    asset = found.instrument.base
    if rng.random() < 0.2:
        return replace(found, instrument=replace(found.instrument, venue=VENUES[1]))
    near = float(found.mid) * exp(rng.gauss(0, rng.choice([0.0001, 0.001, 0.5])))
    return book(rng, asset, VENUES[1], now_us, near)


def _add_crosses(rng: Random, assets: tuple[str, ...], venue: str, quotes: dict[str, Quote], now_us: int) -> None:
    """List pairs of assets, about as dear as their prices say, in half of the worlds."""
    if rng.random() < 0.5:
        return
    direct = {asset: quotes[f"{venue}:{asset}/{CASH}"] for asset in assets if f"{venue}:{asset}/{CASH}" in quotes}
    share = rng.choice([0.2, 0.5, 1.0])
    for base in direct:
        for quote in direct:
            if base < quote and rng.random() < share:
                first, second = rng.choice([(base, quote), (quote, base)])
                price = float(direct[first].mid / direct[second].mid) * exp(rng.gauss(0, rng.choice([0.0, 1e-4, 1e-2])))
                found = book(rng, first, venue, now_us, price, second)
                quotes[found.instrument.key] = found


def book(rng: Random, asset: str, venue: str, now_us: int, near: float | None = None, quote: str = CASH) -> Quote:
    """Return a ladder of one to ten levels, from deep to next to nothing."""
    price = 10 ** rng.uniform(-3, 4.8) if near is None else near
    tick = D(10) ** rng.randrange(-8, -4) if price < 1 else D(10) ** rng.randrange(-3, 1)
    if near is not None:
        tick = D(10) ** max(int(log10(price)) - rng.randrange(3, 7), -15)
    bid = max(int(price / float(tick)), 20)
    spread = rng.choice([1, 1, 2, 3, max(bid // 5_000, 1), max(bid // 100, 1)])
    depth = 10 ** rng.uniform(1, 7) / (bid * float(tick))
    levels = rng.randrange(1, 11)

    def ladder(first: int, step: int) -> tuple[Level, ...]:
        return tuple(
            Level((first + step * n) * tick, D(max(int(depth * rng.uniform(0.2, 2) * 10**5), 1)).scaleb(-5))
            for n in range(levels)
        )

    rules = Instrument(
        venue=venue,
        symbol=f"{asset}/{quote}",
        base=asset,
        quote=quote,
        tick=tick,
        step=D(10) ** rng.randrange(-6, -1),
        min_quantity=rng.choice([D("0.00001"), D("0.1")]),
        min_notional=rng.choice([D(1), D(5), D(10)]) if quote == CASH else rng.choice([D(0), D("0.0001")]),
        maker_fee=D(0),
        taker_fee=rng.choice([D(0), D("0.0002"), D("0.00075"), D("0.001"), D("0.0026")]),
        tradable=rng.random() < 0.97,
    )
    return Quote(rules, now_us - rng.choice([0, 0, 10_000, 999_999]), ladder(bid, -1), ladder(bid + spread, 1))


def _spoil(rng: Random, quotes: dict[str, Quote], rules: dict[str, Instrument], now_us: int) -> None:
    key = rng.choice(sorted(quotes))
    good = quotes[key]
    match rng.choice([*FAULTS, "stale", "stale", "edge", "unlisted"]):
        case "missing":
            del quotes[key]
        case "unlisted":
            del quotes[key], rules[key]
        case "empty":
            quotes[key] = replace(good, **{rng.choice(["bids", "asks"]): ()})
        case "crossed":
            quotes[key] = replace(good, bids=rng.choice([good.asks, good.asks[:1]]))
        case "stale":
            quotes[key] = replace(
                good, event_time_us=now_us - rng.choice([1_000_001, 10_000_001, 10_000_001, 10_050_000, 3_600_000_000])
            )
        case "edge":
            quotes[key] = replace(good, event_time_us=now_us - rng.choice([1_000_000, 10_000_000]))


def risk(rng: Random, assets: tuple[str, ...], twins: tuple[str, str] | None) -> Risk | None:
    """Return an estimate: unequal volatilities, correlations from none to one, dead and unknown assets."""
    if rng.random() < 0.02:
        return None
    known = [asset for asset in sorted({*assets, rng.choice(ASSETS)}) if len(assets) < 3 or rng.random() > 0.01]
    loads = _loads(rng, len(known))
    level = rng.choice([0.0, 0.3, 1.0])
    sigma = [0.6 * exp(level * rng.gauss(0, 1)) for _ in known]
    sigma = [rng.choice([0.0, 1e-4]) if rng.random() < 0.02 else value for value in sigma]
    if twins and twins[0] in known and twins[1] in known:
        first, second = known.index(twins[0]), known.index(twins[1])
        sigma[second], loads[second] = sigma[first], loads[first]
    shared = [[sum(map(float.__mul__, a, b)) for b in loads] for a in loads]
    covariance = tuple(
        D(str(round(sigma[i] * sigma[j] * shared[i][j], 16))) for i in range(len(known)) for j in range(i, len(known))
    )
    usual = [value * exp(rng.choice([0.0, 0.3, 1.0]) * rng.gauss(0, 1)) for value in sigma]
    variances = tuple(D(str(round(value**2, 16))) for value in usual)
    observations = 3 if rng.random() < 0.03 else 1_000
    quote = "EUR" if rng.random() < 0.01 else CASH
    returns = tuple(D(str(round(value * rng.gauss(0, 1e-3), 16))) for value in sigma) if rng.random() < 0.9 else ()
    return Risk("r", 1, 5, quote, "random", observations, tuple(known), covariance, variances, returns)


def _loads(rng: Random, size: int) -> list[list[float]]:
    """Return unit vectors: their products are correlations."""
    shares = {"none": 2, "alike": 3, "nearly": 1, "same": 1, "blocks": 3, "any": 4, "signed": 1}
    kind = rng.choices(list(shares), list(shares.values()))[0]
    dimensions = {"same": 1, "blocks": 3, "signed": 2}.get(kind, size + 1)
    common = rng.choice([0.3, 0.6, 0.85, 0.95])
    found = []
    for i in range(size):
        own = [rng.gauss(0, 1) for _ in range(dimensions)]
        if kind in {"none", "alike", "nearly"}:
            part = {"none": 0.0, "alike": common, "nearly": 0.999_999}[kind]
            own = [0.0] * dimensions
            own[i], own[size] = sqrt(1 - part), sqrt(part)
        elif kind == "same":
            own = [rng.choice([1.0, 1.0, 1.0, -1.0])]
        elif kind == "blocks":
            own = [float(n == i % 3) + 0.01 * rng.gauss(0, 1) for n in range(3)]
        length = sqrt(sum(value * value for value in own))
        found.append([value / length for value in own])
    return found


def targets(rng: Random, assets: tuple[str, ...], twins: tuple[str, str] | None) -> tuple[tuple[str, Decimal], ...]:
    """Return weights in basis points that sum to one: some, all or none of the assets, with or without cash."""
    wanted = rng.sample(assets, rng.randrange(max(len(assets) - 2, 1), len(assets) + 1))
    shares = {asset: rng.expovariate(1) + 0.05 for asset in wanted}
    if twins:
        shares[twins[0]] = shares[twins[1]] = 1.0
    cash = rng.choice([0.0, 0.05, 0.3, 1.0])
    whole = sum(shares.values()) * (1 + cash)
    found = {asset: D(int(share / whole * 10_000)).scaleb(-4) for asset, share in shares.items()}
    rest = 1 - sum(found.values())
    if cash or twins:
        found[CASH] = rest
    else:
        found[wanted[0]] += rest
    if rng.random() < 0.05:
        found = {CASH: D(1), **dict.fromkeys(wanted, D(0))}
    return tuple(sorted(found.items()))


def policy(rng: Random, now_us: int, *, often: bool) -> Policy:
    """Return a region in every second case, else one of the other five; calendars only if there may be many trades."""
    if rng.random() < 0.5:
        bound = rng.choice([None, None, D("0.005"), D("0.02"), D("0.05"), D("0.2")])
        return NoTradeRegion(rng.choice([D(1), D(3), D(3), D(10), D("33.3")]), bound)
    absolute = rng.choice([D("0.01"), D("0.05"), D("0.123456789012345678"), None])
    relative = rng.choice([D("0.1"), D("0.25"), D("0.333333333333333333"), None if absolute else D(1)])
    window = rng.choice([1, 60, 300, 300, 3_600, max(now_us // SECOND_US % 3_600, 1)])
    match rng.randrange(0 if often else 1, 6):
        case 0:
            return Calendar(cron(rng, now_us), window)
        case 1:
            return Hybrid(cron(rng, now_us), absolute, relative, window)
        case 2:
            scales = rng.choice([(D("0.5"), D(2)), (D(1), D(1)), (D("0.9"), D("1.1")), (D("0.01"), D(50))])
            return VolatilityThreshold(absolute, relative, *scales)
        case 3 | 4:
            factor, safety = rng.choice([D(0), D(1), D("0.3")]), rng.choice([D(1), D("0.01"), D(3)])
            return CostAdjusted(absolute, relative, factor, safety, rng.choice([D(1), D(3), D("33.3")]))
        case _:
            return Threshold(absolute, relative)


def cron(rng: Random, now_us: int) -> str:
    """Return an expression that is often due now, was a little while ago, or will be in a moment."""
    now = datetime.fromtimestamp(now_us // SECOND_US + 60 * rng.choice([0, 0, 0, 1, -1, -5, -60]), tz=UTC)
    minute, hour, day, month, weekday = now.minute, now.hour, now.day, now.month, now.isoweekday() % 7
    names, every = f"{now:%a}".upper(), rng.choice([5, 15, 7])
    return rng.choice(
        [
            "* * * * *",
            f"*/{every} * * * *",
            f"{minute} * * * *",
            f"{minute} {hour} * * *",
            f"{minute},{(minute + 30) % 60} {hour} * * {names}",
            f"{minute}-59/2 */2 * * MON-FRI",
            f"{minute} {hour} {day} * {(weekday + 2) % 7}",
            f"{minute} {hour} {day % 28 + 1} {month} {weekday or 7}",
            f"{minute} {hour} {day} {now:%b}".upper() + " *",
            f"{minute} {hour} {day % 28 + 1} {month % 12 + 1} *",
        ]
    )
