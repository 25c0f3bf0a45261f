"""The product's own no-trade region over a book: its screen asks in floats, its exact rule decides in decimals."""

from collections.abc import Sequence
from decimal import Decimal, localcontext

import numpy as np

from trimtab.bench.value.book import COST, RISK_AVERSION, Book, Floats
from trimtab.domain.amounts import CONTEXT, ZERO, quantise
from trimtab.domain.instruments import Instrument
from trimtab.domain.market import Level, Quote
from trimtab.domain.portfolio import Limits, NoTradeRegion, Portfolio
from trimtab.drift.envelope import Estimate
from trimtab.drift.holdings import Asset, Holdings, View
from trimtab.drift.region import RegionRule
from trimtab.messages import Risk
from trimtab.settings import DriftSettings

QUOTE = "USDT"
POLICY = NoTradeRegion(risk_aversion=Decimal(str(RISK_AVERSION)))
SETTINGS = DriftSettings()
_SPREAD_HALF = Decimal("0.0001")  # of the price; the rest of COST is the fee
_PRICE, _DEPTH = Decimal(100), Decimal(10**12)


class Region:
    """The no-trade region of every account of a book, under the latest risk estimate it was given."""

    def __init__(self, targets: Floats, assets: Sequence[str], risk: Risk | None) -> None:
        self._assets = tuple(assets)
        self._portfolios = [_portfolio(row, self._assets) for row in targets]
        self._targets = targets.T
        self._quotes = tuple(map(quoted, self._assets))
        self.estimate(risk)

    def estimate(self, risk: Risk | None) -> None:
        """Work with this estimate from now on; with None nobody trades."""
        self._risk = risk
        self._rules: dict[tuple[tuple[str, Decimal], ...], RegionRule | None] = {}
        if risk is None:
            return
        found = Estimate.of(risk, self._assets)
        count = self._targets.shape[1]
        reach = np.full(count, float(SETTINGS.trigger * SETTINGS.region_scale))
        self._effects = found.effects.T
        self._bounds = np.cbrt(found.cubed(self._targets, np.full(count, RISK_AVERSION), reach) * COST).T * (1 - 1e-9)

    def changes(self, step: int, book: Book) -> Floats | None:
        """Return the corrections of whoever the screen is not sure of."""
        del step
        if self._risk is None:
            return None
        beyond = (np.abs(book.drifts @ self._effects) >= self._bounds).any(axis=1)
        if not beyond.any():
            return None
        found = np.zeros_like(book.weights)
        for account in np.flatnonzero(beyond):
            for asset, change in self._corrections(int(account), book).items():
                found[account, self._assets.index(asset)] = change
        return found

    def _corrections(self, account: int, book: Book) -> dict[str, float]:
        with localcontext(CONTEXT):
            portfolio = self._portfolios[account]
            view = viewed(portfolio, self._assets, self._quotes, book.weights[account], book.cash[account])
            rule = self._rule(portfolio)
            if rule is None or not rule.breached(view):
                return {}
            return {correction.asset: float(correction.change) for correction in rule.assess(view).corrections}

    def _rule(self, portfolio: Portfolio) -> RegionRule | None:
        if portfolio.targets not in self._rules and self._risk is not None:
            held = _holdings(portfolio, self._assets)
            self._rules[portfolio.targets] = RegionRule.prepare(portfolio, POLICY, held, self._risk, SETTINGS)
        return self._rules.get(portfolio.targets)


def estimated(assets: Sequence[str], covariance: Floats) -> Risk:
    """Return a covariance per year as the estimate that everybody reads."""
    upper = [covariance[i, j] for i in range(len(assets)) for j in range(i, len(assets))]
    diagonal = tuple(quantise(Decimal(float(value))) for value in np.diag(covariance))
    entries = tuple(quantise(Decimal(float(value))) for value in upper)
    return Risk("value", 0, 0, QUOTE, "known", 10**6, tuple(assets), entries, diagonal)


def quoted(asset: str) -> Quote:
    """Return a book so deep that a trade costs COST whatever its size."""
    rules = Instrument(
        venue="value",
        symbol=f"{asset}/{QUOTE}",
        base=asset,
        quote=QUOTE,
        tick=Decimal("0.01"),
        step=Decimal("0.01"),
        min_quantity=Decimal("0.01"),
        min_notional=ZERO,
        maker_fee=ZERO,
        taker_fee=Decimal(str(COST)) - _SPREAD_HALF,
    )
    bid, ask = _PRICE * (1 - _SPREAD_HALF), _PRICE * (1 + _SPREAD_HALF)
    return Quote(rules, 0, (Level(bid, _DEPTH),), (Level(ask, _DEPTH),))


def viewed(
    portfolio: Portfolio, assets: Sequence[str], quotes: tuple[Quote, ...], weights: Floats, cash: float
) -> View:
    """Return an account's weights as a policy sees them. Runs under the caller's decimal context."""
    exact = tuple(quantise(Decimal(float(weight))) for weight in weights)
    wanted = dict(portfolio.targets)
    targets = tuple(wanted.get(asset, ZERO) for asset in assets)
    return View(
        equity=Decimal(1),
        names=tuple(assets),
        weights=exact,
        targets=targets,
        drifts=tuple(weight - target for weight, target in zip(exact, targets, strict=True)),
        quotes=quotes,
        cash_weight=quantise(Decimal(float(cash))),
        cash_target=wanted.get(QUOTE, ZERO),
        impact_coefficient=SETTINGS.impact_coefficient,
    )


def _portfolio(targets: Floats, assets: Sequence[str]) -> Portfolio:
    exact = [(asset, quantise(Decimal(float(weight)))) for asset, weight in zip(assets, targets, strict=True)]
    cash = 1 - sum((weight for _, weight in exact), ZERO)
    return Portfolio(
        "value", QUOTE, tuple(sorted([*exact, (QUOTE, cash)])), policy=POLICY, limits=Limits(max_trade_share=Decimal(1))
    )


def _holdings(portfolio: Portfolio, assets: Sequence[str]) -> Holdings:
    wanted = dict(portfolio.targets)
    held = tuple(Asset(asset, wanted[asset], ()) for asset in assets)
    return Holdings(QUOTE, ZERO, wanted[QUOTE], held, ())
