"""Worlds in which two numbers that a decision compares can be exactly equal."""

from dataclasses import replace
from decimal import Decimal, localcontext
from random import Random

from oracle.deciding import Oracle
from oracle.rounding import amount, counts
from oracle.worlds import CASH, VENUES, World
from trimtab.domain.instruments import Instrument
from trimtab.domain.market import Level, Quote
from trimtab.domain.portfolio import CostAdjusted, NoTradeRegion, Portfolio
from trimtab.messages import Risk
from trimtab.settings import DriftSettings

D = Decimal
SHARE = 0.15
BID, ASK, HALF_SPREAD = D("99.99"), D("100.01"), D("0.0001")


def brink(rng: Random, world: World) -> World:
    """Return one world out of seven changed so that |y| can be at the trigger, or benefit at the cost, to the digit."""
    policies = [policy for policy in world.policies if isinstance(policy, NoTradeRegion | CostAdjusted)]
    wanted = [(asset, targets) for targets in world.targets for asset, weight in targets if weight and asset != CASH]
    known = [pair for pair in wanted if world.risk is not None and pair[0] in world.risk.assets]
    if rng.random() >= SHARE or not policies or not known or len(world.market.quotes) < len(world.assets):
        return world
    asset, targets = rng.choice(known)
    if isinstance(policies[0], CostAdjusted):
        with localcontext(prec=200):
            return _payoff(rng, replace(world, targets=(targets,)), asset, policies[0].risk_aversion)
    portfolio = Portfolio("brink", CASH, targets, policy=NoTradeRegion(policies[0].risk_aversion))
    only = replace(world, settings=DriftSettings(), targets=(targets,), policies=(portfolio.policy,))
    with localcontext(prec=200):
        return _trigger(only, asset, portfolio) if rng.random() < 0.5 else _gate(rng, only, asset, portfolio)


def _trigger(world: World, asset: str, portfolio: Portfolio) -> World:
    """With c = h^3 / e, trigger t = 1.25 and e = c^2 / t^3, the trigger (t^3 c e)^(1/3) is c itself."""
    oracle = Oracle(world.market, world.risk, world.settings, world.universe)
    count = oracle.constants(portfolio)[1][oracle.places[asset]]
    fee = amount(count) ** 2 / world.settings.trigger**3 - HALF_SPREAD
    return replace(_booked(world, asset, fee), brink=(asset, count)) if 0 <= fee < 1 else world


def _gate(rng: Random, world: World, asset: str, portfolio: Portfolio) -> World:
    """With next to no variance a drift lasts a year: g S_ii |y| = cost times safety for the safety that makes it so."""
    calm = replace(_booked(world, asset, D("0.0009")), risk=_calmed(world.risk))
    oracle = Oracle(calm.market, calm.risk, calm.settings, calm.universe)
    if oracle.moves.dead(oracle.places[asset]):
        return world
    quote = calm.market.quotes[f"{VENUES[0]}:{asset}/{CASH}"]
    count = oracle.trigger(portfolio, asset, quote) * rng.randrange(11, 30) // 10
    variance = oracle.moves.variance(oracle.places[asset])
    benefit = portfolio.policy.risk_aversion * D(variance.numerator) / D(variance.denominator) * amount(count)
    safety = benefit / (D("0.0009") + HALF_SPREAD)
    if not 0 < safety <= 1_000:
        return world
    return replace(calm, settings=DriftSettings(safety_factor=safety), brink=(asset, count))


def _payoff(rng: Random, world: World, asset: str, aversion: Decimal) -> World:
    """As `_gate`, of a threshold with an eye on cost: g S_ii |x| / 2 = cost times safety."""
    calm = replace(_booked(world, asset, D("0.0009")), risk=_calmed(world.risk))
    oracle = Oracle(calm.market, calm.risk, calm.settings, calm.universe)
    variance = amount(oracle.covariance[asset, asset])
    count = rng.randrange(1, 200) * 10**15
    safety = aversion * variance * amount(count) / 2 / (D("0.0009") + HALF_SPREAD)
    if safety <= 0:
        return world
    policy = CostAdjusted(amount(count), safety_factor=safety, volatility_factor=D(0), risk_aversion=aversion)
    return replace(calm, policies=(policy,), brink=(asset, count))


def _calmed(risk: Risk) -> Risk:
    return replace(risk, covariance=tuple(amount(counts(value) // 10_000) for value in risk.covariance))


def _booked(world: World, asset: str, fee: Decimal) -> World:
    """Return the world with a book of bottomless depth, half of whose spread has few digits."""
    key = f"{VENUES[0]}:{asset}/{CASH}"
    rules = Instrument(VENUES[0], f"{asset}/{CASH}", asset, CASH, D("0.01"), D("0.001"), D("0.001"), D(1), D(0), fee)
    deep = D(10) ** 12
    quote = Quote(rules, world.market.event_time_us, (Level(BID, deep),), (Level(ASK, deep),))
    market = replace(
        world.market,
        instruments={**world.market.instruments, key: rules},
        quotes={**world.market.quotes, key: quote},
    )
    return replace(world, market=market, twins=None)
