"""A signal's orders held against the oracle's, one by one."""

from collections.abc import Iterator
from fractions import Fraction

from oracle.cost import seen
from oracle.fast import RISK_OFFSET
from oracle.holders import Holder
from oracle.planning import Leg, Plan
from oracle.rounding import nearest_count
from oracle.worlds import World
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import Calendar, CostAdjusted, Hybrid, NoTradeRegion, Threshold, VolatilityThreshold
from trimtab.drift.decision import Decision
from trimtab.messages import Signal, Trade

TURNS = ("sell", "cross", "buy")
NAMES = {
    NoTradeRegion: "no_trade_region",
    Calendar: "calendar",
    Threshold: "threshold",
    Hybrid: "hybrid",
    VolatilityThreshold: "volatility_threshold",
    CostAdjusted: "cost_adjusted",
}


def features(plan: Plan) -> Iterator[str]:
    """Yield what occurs in a plan, for the count."""
    yield f"{min(len(plan.legs), 4)} orders" + (" or more" if len(plan.legs) > 3 else "")
    yield from {f"with a {TURNS[leg.offer.turn]}" for leg in plan.legs}
    yield from {"on two accounts or more" for leg in plan.legs if leg.offer.rank != plan.legs[0].offer.rank}
    if any(leg.depends_on for leg in plan.legs):
        yield "buys that wait for sells"
    if plan.extra:
        yield "funders"
    if any(seen(leg.offer.book, leg.offer.side, leg.quantity)[0] for leg in plan.legs):
        yield "past the visible depth"
    yield from {f"deferred: {reason}" for _, reason in plan.deferred}


def apart(plan: Plan, signal: Signal) -> Iterator[str]:
    """Tell what is different."""
    keys = {trade.trade_id: (trade.account, trade.instrument, trade.side) for trade in signal.trades}
    found = [_shown(trade, keys) for trade in signal.trades]
    wanted = [_asked(leg) for leg in plan.legs]
    if found != wanted:
        for i in range(max(len(found), len(wanted))):
            one, other = (rows[i] if i < len(rows) else None for rows in (found, wanted))
            if one != other:
                yield f"order {i} is {one}, the oracle's {other}"
    deferred = tuple((deferral.asset, deferral.reason) for deferral in signal.deferred)
    if deferred != plan.deferred:
        yield f"defers {deferred}, the oracle {plan.deferred}"


def uncited(world: World, holder: Holder, decision: Decision) -> Iterator[str]:
    """Tell what a decision does not say of where it comes from."""
    cited = (
        (decision.portfolio_id, decision.ledger_version, decision.document_version, decision.policy),
        (decision.frame_offset, decision.event_time_us, decision.risk_offset),
    )
    wanted = (
        (
            holder.state.portfolio_id,
            holder.state.ledger_version,
            holder.portfolio.version,
            NAMES[type(holder.portfolio.policy)],
        ),
        (world.market.offset, world.market.event_time_us, RISK_OFFSET if world.risk is not None else -1),
    )
    if cited != wanted:
        yield f"cites {cited}, the oracle {wanted}"
    if isinstance(decision, Signal):
        lifetime_us = decision.deadline_us - world.market.event_time_us
        if lifetime_us != world.settings.signal_lifetime_seconds * 1_000_000:
            yield f"lives for {lifetime_us} us"


def _shown(trade: Trade, keys: dict[str, tuple[str, str, Side]]) -> tuple[object, ...]:
    return (
        (trade.account, trade.instrument, trade.side),
        (trade.venue, trade.base, trade.quote),
        *(_count(value) for value in (trade.quantity, trade.decision_price, trade.limit_price, trade.volatility)),
        tuple(keys[name] for name in trade.depends_on),
        tuple(_count(value) for value in (trade.depth, trade.depth_vwap, trade.depth_worst)),
    )


def _count(value: object) -> int:
    return nearest_count(Fraction(value))


def _asked(leg: Leg) -> tuple[object, ...]:
    offer = leg.offer
    return (
        offer.key,
        (offer.book.instrument.venue, offer.base, offer.quote),
        *(nearest_count(value) for value in (leg.quantity, offer.mid, offer.limit)),
        nearest_count(offer.volatility),
        leg.depends_on,
        tuple(nearest_count(value) for value in seen(offer.book, offer.side, leg.quantity)),
    )
