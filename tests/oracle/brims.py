"""Portfolios whose plan stands on a limit to the last digit: what is there, what may be traded, what is too small."""

from dataclasses import replace
from decimal import Decimal, localcontext
from fractions import Fraction
from random import Random

from oracle.deciding import Oracle
from oracle.planning import Leg
from oracle.rounding import UNIT, amount, nearest_count
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import Portfolio
from trimtab.messages import PortfolioState

Pair = tuple[PortfolioState, Portfolio]


def to_the_brim(rng: Random, oracle: Oracle, state: PortfolioState, portfolio: Portfolio) -> Pair:
    """Return the portfolio with one limit moved to where its plan meets it, or one quantum beside."""
    verdict = oracle.decide(state, portfolio)
    if not verdict.corrections:
        return state, portfolio
    quantum = rng.choice([0, 0, 1, -1])
    legs = oracle.plan(state, portfolio, verdict).legs
    if not legs or rng.random() < 0.3:
        _, change = rng.choice(verdict.corrections)
        share = amount(min(max(nearest_count(abs(change)) + quantum, 1), UNIT))
        return state, replace(portfolio, limits=replace(portfolio.limits, max_trade_share=share))
    leg = rng.choice(legs)
    if rng.random() < 0.5:
        smallest = max(_decimal(leg.quantity * leg.offer.worth) + amount(quantum), Decimal(0))
        return state, replace(portfolio, limits=replace(portfolio.limits, min_trade=smallest))
    return _with_just_enough(state, leg, quantum), portfolio


def _with_just_enough(state: PortfolioState, leg: Leg, quantum: int) -> PortfolioState:
    """Reserve all but what an order spends at its worst price."""
    spent = leg.offer.base if leg.offer.side is Side.SELL else leg.offer.quote
    needed = amount(nearest_count(leg.quantity * leg.offer.spends) + quantum)
    return replace(
        state,
        positions=tuple(
            replace(position, reserved=position.posted - needed)
            if (position.account, position.asset) == (leg.offer.key[0], spent) and position.posted >= needed
            else position
            for position in state.positions
        ),
    )


def _decimal(value: Fraction) -> Decimal:
    with localcontext(prec=200):
        return Decimal(value.numerator) / Decimal(value.denominator)
