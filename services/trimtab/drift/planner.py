"""From corrections to orders, jointly: the fewest legs, sells first, each buy naming the sells that fund it.

The whole algorithm, in terms of

    value       in the portfolio's quote currency ("cash"), at decision prices: the mids of the books that are used
    offer       an instrument of an account in one direction whose book is sound, fresh and open (offers.py)
    worst       the limit price, on the tick; fees are paid in the instrument's quote currency, on top
    fits        rounded down to the step, and zero if that is below the smallest order: minimum quantity, minimum
                notional at the lower of mid and limit, minimum trade by value, each rounded up to the step
    cost        taker fee, half spread and impact of walking that book, as a fraction (costs.py)
    preferred   accounts in the portfolio's order, then by name

1. Cap: no correction is larger than `max_trade_share`.
2. Fund (funding.py): while buys cost more, at worst, than available cash and planned sells bring, funders are named and
   how far each may be sold ("extra"); buys grow by what those sales do to them.
3. Cross (crosses.py): again and again the best order on a book of an over-weight (or extra) against an under-weight
   asset, as far as corrections, extra and what the account has allow, rounded down. It must end one of the two: what is
   left of it (of the over-weight asset: of its correction; of the under-weight one: beyond the value that the cross
   itself lost) fits no direct order there, and is not traded any more. And it must not cost more than the two direct
   orders of the same value in that account together, where its cost includes what its mid is off theirs. The one that
   ends both comes first, then the one that saves most value, then the preferred account, then the symbol, buy before
   sell.
4. Sell what is left of each over-weight correction, in the order of corrections: in the cheapest account among those
   that have all of it, else in the one that has most by value; and again, each account once. Equals: the preferred one.
5. Buy what is left of each under-weight correction, in the order of corrections: in the cheapest account among those
   whose cash pays all of it at worst (fee included); else among those that can when they also sell what is extra
   there; else in the one that can pay most by value; and again, each account once. Equals: the preferred one. What an
   account lacks is raised by extra sells in the order of the funders, each as much as is lacking, rounded up, but not
   above what is extra (or left of a correction) and there, rounded down; it enlarges the sell that is there already, if
   any. Cash is drawn from what the portfolio has too much of (counted into
   the preferred accounts first), then from the worst proceeds of that account's sells in their order, then from the
   rest; the sells it is drawn from are what the buy depends on.
6. Orders come as sells, crosses, buys, each in the order they were planned.

So no quantity is rounded past what is allowed, and nothing goes past its landing edge or target; what is missing there
is less than a step of an order that moves the asset, or of those that fund it, or what a cross lost, or it is deferred
with the reason.
"""

from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import ONE, ZERO
from trimtab.domain.orders import Side
from trimtab.drift.costs import limit_price, net
from trimtab.drift.draft import Draft
from trimtab.drift.funding import Funded, Stand, capped, funded
from trimtab.drift.holdings import View
from trimtab.drift.offers import Places
from trimtab.drift.policy import Assessment
from trimtab.drift.purse import purses
from trimtab.drift.wants import wants
from trimtab.messages import Deferral, Trade

_NO_BOUND = Decimal("Infinity")


@dataclass(frozen=True, slots=True)
class Coupling:
    """What a policy that looks at assets together has to say beyond its corrections.

    `effects` has in row i by how much each drift adds to the effective drift of asset i; it is empty for a policy that
    looks at each asset alone. No drift may be brought past `deviation_max`.
    """

    effects: tuple[tuple[Decimal, ...], ...] = ()
    deviation_max: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Plan:
    """The trades, and which corrections were not carried out in full, for what reason of funds, venue or owner."""

    trades: tuple[Trade, ...]
    deferred: tuple[Deferral, ...]


def plan(signal_id: str, view: View, assessment: Assessment, coupling: Coupling, places: Places) -> Plan:
    """Turn an assessment into trades that every account can pay for, also at the worst prices they allow.

    Runs under the caller's decimal context.
    """
    share_max = places.limits.max_trade_share
    opened = purses(view, places.holdings)
    corrections = capped(assessment.corrections, share_max)
    found = Funded(corrections, ())
    if assessment.room:  # else nothing may be sold beyond its own correction
        cash = sum((purse.cash for purse in opened), ZERO) / view.equity
        found = funded(corrections, assessment.room, _stands(view, assessment, coupling, places), cash)
    draft = Draft(places, opened, wants(found, view.equity, share_max), [extra.asset for extra in found.extra])
    draft.cross()
    for correction in found.corrections:
        if correction.change < 0:
            draft.sell(draft.wants[correction.asset])
    for correction in found.corrections:
        if correction.change > 0:
            draft.buy(draft.wants[correction.asset])
    cut = {given.asset for given, kept in zip(assessment.corrections, corrections, strict=True) if given != kept}
    return Plan(tuple(draft.trades(signal_id)), tuple(draft.deferred(cut)))


def _stands(view: View, assessment: Assessment, coupling: Coupling, places: Places) -> tuple[Stand, ...]:
    terms = {term.asset: term for term in assessment.terms}
    room = {extra.asset: -extra.change for extra in assessment.room}
    most, outer = places.limits.max_trade_share, coupling.deviation_max or _NO_BOUND
    budget, settings = places.limits.slippage_budget_spreads, places.settings
    found = []
    for i, (name, quote) in enumerate(zip(view.names, view.quotes, strict=True)):
        dear, cheap = ONE, ONE
        if quote is not None:
            fee = quote.instrument.taker_fee
            dear, cheap = (
                net(side, limit_price(quote, side, budget), fee) / quote.mid for side in (Side.BUY, Side.SELL)
            )
        found.append(
            Stand(
                asset=name,
                buyable=min(most, outer - view.drifts[i]),
                sellable=min(most, outer + view.drifts[i], view.weights[i]),
                effective=terms[name].effective_drift,
                effect=coupling.effects[i] if coupling.effects else (),
                landing=terms[name].half_band * settings.landing,
                trigger=terms[name].half_band * settings.trigger,
                room=room.get(name, ZERO),
                dear=dear,
                cheap=cheap,
            )
        )
    return tuple(found)
