"""What each demo portfolio starts with: the right sum, in the wrong places."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from trimtab.domain.amounts import ONE, floor_to
from trimtab.domain.portfolio import Portfolio

# How far from its targets a portfolio starts: this share of every second asset stands in another one.
DISPLACED = Decimal("0.15")
_UNIT = Decimal("0.00000001")


def displaced(targets: Sequence[tuple[str, Decimal]]) -> dict[str, Decimal]:
    """Return starting weights: every second asset starts short, what it lacks stands in its neighbour. Same sum."""
    weights = dict(targets)
    names = list(weights)
    for short, over in zip(names[::2], names[1::2], strict=False):
        moved = DISPLACED * weights[short]
        weights[short] -= moved
        weights[over] += moved
    return weights


def holdings(
    portfolio: Portfolio, prices: Mapping[str, Decimal], equity: Decimal, *, on_target: bool = False
) -> dict[str, Decimal]:
    """Return the starting quantity of each asset; `prices` and equity are in its quote currency."""
    weights = dict(portfolio.targets) if on_target else displaced(portfolio.targets)
    return {asset: floor_to(equity * weight / prices.get(asset, ONE), _UNIT) for asset, weight in weights.items()}


def deposits(
    portfolios: Sequence[Portfolio], prices: Mapping[str, Decimal], equity: Decimal, *, on_target: bool = False
) -> dict[str, dict[str, Decimal]]:
    """Return what each venue account receives at the start: the sum of its portfolios' holdings."""
    accounts: dict[str, dict[str, Decimal]] = {}
    for portfolio in portfolios:
        balances = accounts.setdefault(portfolio.accounts[0], {})
        for asset, quantity in holdings(portfolio, prices, equity, on_target=on_target).items():
            balances[asset] = balances.get(asset, Decimal(0)) + quantity
    return accounts
