"""How fast each weight moves away from its target, or back: what prices have done to it lately.

With m_i the asset's log return over the last three sampled intervals of the risk estimate (market.risk brings it; 0
where it has none) and M = sum_j w_j m_j that of the whole portfolio, to first order its weight, and so its drift, has
changed by

    v_i = w_i (m_i - M),    cash: -w_c M

fractions of equity per three intervals, rounded to 18 decimals; holdings as they are now. A velocity makes nothing
trade: it raises the urgency of what is out of its bounds and still on its way out.
"""

from collections.abc import Sequence
from decimal import ROUND_HALF_EVEN, Context, Decimal, localcontext

from trimtab.domain.amounts import SCALE, ZERO
from trimtab.drift.holdings import Holdings, View
from trimtab.messages import Risk

# A weight goes in twice: of next to no equity it has some forty digits before the point, and all have 18 after it.
_EXACT = Context(prec=240, rounding=ROUND_HALF_EVEN)


def recent_returns(holdings: Holdings, risk: Risk | None) -> tuple[Decimal, ...]:
    """Return m of every asset, in the order of the holdings."""
    known = dict(zip(risk.assets, risk.recent_returns, strict=False)) if risk is not None else {}
    return tuple(known.get(asset.name, ZERO) for asset in holdings.assets)


def velocities(view: View, returns: Sequence[Decimal]) -> tuple[Decimal, ...]:
    """Return v of every asset, cash last."""
    with localcontext(_EXACT):
        whole = sum((weight * change for weight, change in zip(view.weights, returns, strict=True)), ZERO)
        own = (weight * (change - whole) for weight, change in zip(view.weights, returns, strict=True))
        return tuple(velocity.quantize(SCALE) for velocity in (*own, -view.cash_weight * whole))


def ahead(drift: Decimal, velocity: Decimal) -> Decimal:
    """Return how far off a drift will be after as many intervals again; one on its way back counts as it is."""
    outward = velocity if drift > 0 else -velocity
    return abs(drift) + max(outward, ZERO) if drift else ZERO
