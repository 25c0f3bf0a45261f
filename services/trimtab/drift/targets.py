"""Computed targets: when they are due, what they are, and which of several count. Recorded inputs, as estimates are.

A portfolio whose file names a method has no weights of its own. The worker that owns it publishes them on
portfolio.targets when its schedule comes round, from an estimate on market.risk and the targets before; every decision
then cites the record it used. So whoever holds the topics can work out every record again.
"""

from collections.abc import Iterable, Mapping
from dataclasses import replace
from decimal import Decimal, localcontext

from trimtab.domain.amounts import CONTEXT, ONE, ZERO
from trimtab.domain.errors import TrimtabError
from trimtab.domain.ids import derive
from trimtab.domain.market import Market
from trimtab.domain.portfolio import Allocation, Portfolio
from trimtab.drift.allocation import Bounds, UnallocatableError, inverse_volatility, on_grid, risk_weights
from trimtab.messages import Risk, Targets
from trimtab.ports.topics import Record
from trimtab.schedule import last_us

NO_OFFSET = -1
# Event time that runs back further than this has begun anew: another recording.
_BACK_US_MAX = 24 * 3_600_000_000


class UnestimatedError(TrimtabError):
    """The estimate that targets need is not there yet; the message says what of it."""


def aimed(portfolio: Portfolio, targets: Record[Targets] | None) -> Portfolio:
    """Return the portfolio with these targets, or without any if they are not of its own document."""
    if portfolio.allocation is None:
        return portfolio
    if targets is None or targets.message.document_version != portfolio.version:
        return replace(portfolio, targets=(), targets_offset=NO_OFFSET)
    found = targets.message
    weights = tuple(zip(found.assets, found.weights, strict=True))
    return replace(portfolio, targets=weights, targets_offset=targets.offset)


def counts(found: Targets, known: Targets | None) -> bool:
    """Tell whether targets count after those known so far; of two for the same time the first one does."""
    if known is None or found.document_version != known.document_version:
        return known is None or found.document_version > known.document_version
    later = found.due_us > known.due_us or _anew(found.event_time_us, known)
    return later and found.due_us != known.due_us


def current(records: Iterable[Record[Targets]]) -> Mapping[str, Record[Targets]]:
    """Return what counts of portfolio.targets, by portfolio; the records are in the order of their offsets."""
    found: dict[str, Record[Targets]] = {}
    for record in records:
        known = found.get(record.message.portfolio_id)
        if counts(record.message, known.message if known is not None else None):
            found[record.message.portfolio_id] = record
    return found


def due_us(portfolio: Portfolio, event_time_us: int, known: Targets | None) -> int | None:
    """Return the last time of the schedule if it still has no targets; with a new document it never has."""
    last = last_us(portfolio.allocation.every, event_time_us) if portfolio.allocation is not None else None
    if last is None or known is None or portfolio.version > known.document_version:
        return last
    if portfolio.version < known.document_version or last == known.due_us:
        return None
    return last if last > known.due_us or _anew(event_time_us, known) else None


def sufficient(risk: Record[Risk] | None, observations_min: int) -> Record[Risk]:
    """Return the estimate, if targets may be made from it.

    Raises:
        UnestimatedError: if there is none, or it stands on too few observations.

    """
    if risk is None:
        raise UnestimatedError("no risk estimate yet")
    if risk.message.observations < observations_min:
        raise UnestimatedError(f"the risk estimate has {risk.message.observations} of {observations_min} observations")
    return risk


def computed(allocation: Allocation, risk: Risk) -> tuple[Decimal, ...]:
    """Return the weights of the allocation's assets under an estimate, on the grid of weights; cash is left out.

    Raises:
        UnestimatedError: if the estimate lacks an asset.
        UnallocatableError: if it does not allow any weights.

    """
    unknown = [asset for asset in allocation.assets if asset not in risk.assets]
    if unknown:
        raise UnestimatedError(f"no estimate of {', '.join(unknown)} yet")
    still = [asset for asset in allocation.assets if _entry(risk, asset, asset) <= 0]
    if still:
        raise UnallocatableError(f"no volatility in {', '.join(still)}, so no weight by risk")
    covariance = [[_entry(risk, one, other) for other in allocation.assets] for one in allocation.assets]
    rule = inverse_volatility if allocation.method == "inverse_volatility" else risk_weights
    total = ONE - allocation.cash
    bounds = _bounds(allocation)
    return on_grid(rule(covariance, bounds, total), bounds, total)


def renewed(
    portfolio: Portfolio,
    due_time_us: int,
    market: Market,
    risk: Record[Risk],
    weights: tuple[Decimal, ...],
    known: Record[Targets] | None,
) -> Targets:
    """Return the targets to publish; `weights` are what `computed` says of the portfolio's allocation under `risk`."""
    allocation = portfolio.allocation
    assert allocation is not None, "only a portfolio with a method has its targets computed"
    named = dict(zip(allocation.assets, weights, strict=True)) | {portfolio.quote: allocation.cash}
    assets = tuple(sorted(named))
    before = known if known is not None and _fits(known.message, portfolio) else None
    offset = before.offset if before is not None else NO_OFFSET
    smooth = dict(zip(allocation.assets, _smoothed(allocation, weights, before), strict=True))
    chosen = smooth | {portfolio.quote: allocation.cash}
    causes = (portfolio.portfolio_id, portfolio.version, due_time_us, market.offset, risk.offset, offset)
    return Targets(
        event_id=derive("targets", *causes),
        portfolio_id=portfolio.portfolio_id,
        document_version=portfolio.version,
        due_us=due_time_us,
        event_time_us=market.event_time_us,
        frame_offset=market.offset,
        risk_offset=risk.offset,
        previous_offset=offset,
        method=allocation.method,
        assets=assets,
        weights=tuple(chosen[asset] for asset in assets),
        computed=tuple(named[asset] for asset in assets),
    )


def _smoothed(
    allocation: Allocation, weights: tuple[Decimal, ...], before: Record[Targets] | None
) -> tuple[Decimal, ...]:
    """Go part of the way from the targets before; stay there if no weight would change by enough."""
    if before is None:
        return weights
    held = dict(zip(before.message.assets, before.message.weights, strict=True))
    old = tuple(held[asset] for asset in allocation.assets)
    with localcontext(CONTEXT):
        changes = [new - was for new, was in zip(weights, old, strict=True)]
        if max(map(abs, changes)) < allocation.min_change:
            return old
        moved = [was + allocation.smoothing * change for was, change in zip(old, changes, strict=True)]
    return on_grid(moved, _bounds(allocation), ONE - allocation.cash)


def _fits(before: Targets, portfolio: Portfolio) -> bool:
    """Tell whether older targets keep to what the portfolio's document says now."""
    allocation = portfolio.allocation
    assert allocation is not None, "only a portfolio with a method has its targets computed"
    held = dict(zip(before.assets, before.weights, strict=True))
    if held.keys() != {*allocation.assets, portfolio.quote} or held[portfolio.quote] != allocation.cash:
        return False
    bounds = zip(allocation.assets, allocation.bounds, strict=True)
    return all(low <= held[asset] <= high for asset, (low, high) in bounds)


def _bounds(allocation: Allocation) -> Bounds:
    total = ONE - allocation.cash
    return [(low, min(high, total)) for low, high in allocation.bounds]


def _anew(event_time_us: int, known: Targets) -> bool:
    return event_time_us < known.event_time_us - _BACK_US_MAX


def _entry(risk: Risk, one: str, other: str) -> Decimal:
    size = len(risk.assets)
    row, column = sorted((risk.assets.index(one), risk.assets.index(other)))
    return risk.covariance[row * size - row * (row - 1) // 2 + column - row] or ZERO
