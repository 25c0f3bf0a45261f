"""The oracle: one market, one estimate and one set of settings; any number of portfolios."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from functools import cached_property

from oracle.bounds import Bounds, Volatilities, bounds, moving, volatilities
from oracle.brakes import braked
from oracle.cost import at_touch
from oracle.funds import Stand
from oracle.offers import Stall, accounts_of, moved
from oracle.pace import paces
from oracle.payoff import cost_adjusted, payoffs
from oracle.planning import Plan, Task, planned
from oracle.region import Band, Case, effective, regions
from oracle.rounding import UNIT, counts, cube_root_count
from oracle.threshold import thresholds
from oracle.value import Book, Worth, worth
from oracle.verdict import Verdict
from oracle.width import Moves, cube, flows, moves
from trimtab.domain.market import Market, Quote
from trimtab.domain.orders import Side
from trimtab.domain.portfolio import Calendar, CostAdjusted, NoTradeRegion, Policy, Portfolio
from trimtab.messages import PortfolioState, Risk
from trimtab.settings import DriftSettings

Targets = tuple[tuple[str, object], ...]


@dataclass
class Oracle:
    """Decides; what only depends on the estimate is worked out once and kept.

    `assets` are all that any portfolio has or wants: what is not wanted changes nothing about the others' bands.
    """

    market: Market
    risk: Risk | None
    settings: DriftSettings
    assets: tuple[str, ...]
    _flows: dict[Targets, list[int]] = field(default_factory=dict)
    _cubes: dict[tuple[Targets, object], list[int]] = field(default_factory=dict)
    _reaches: dict[tuple[Targets, object, str, str], tuple[int, int]] = field(default_factory=dict)
    _triggers: dict[tuple[int, int], int] = field(default_factory=dict)
    _bounds: dict[object, Bounds] = field(default_factory=dict)

    @cached_property
    def book(self) -> Book:
        return Book.of(self.market, int(self.settings.quote_age_max_seconds * 1_000_000))

    @cached_property
    def moves(self) -> Moves:
        return moves(self.assets, self.covariance)

    @cached_property
    def covariance(self) -> Mapping[tuple[str, str], int]:
        return _covariance(self.risk) if self.risk is not None else {}

    @cached_property
    def volatilities(self) -> Volatilities:
        return volatilities(self.risk)

    @cached_property
    def places(self) -> Mapping[str, int]:
        return {asset: place for place, asset in enumerate(self.assets)}

    def decide(self, state: PortfolioState, portfolio: Portfolio, *, explain: bool = False) -> Verdict:
        """Return the verdict; without `explain` a hold has no lines, and behind a gate nothing is looked at."""
        gate = braked(self.market, state, portfolio)
        if gate and not explain:
            return Verdict(gate)
        found = worth(state, portfolio, self.book)
        if not isinstance(found, Worth):
            return Verdict(gate or found[0], found[1])
        equity = Fraction(*found.equity_parts)
        policy = portfolio.policy
        if (isinstance(policy, NoTradeRegion) or moving(policy)) and not self._estimated(found, portfolio):
            return Verdict(gate or "risk_missing", equity=equity)
        if isinstance(policy, NoTradeRegion):
            if not explain and self.clear(found, portfolio):
                return Verdict("within_band", equity=equity)
            verdict = regions(self.case(found, portfolio))
        else:
            verdict = self._bounded(found, portfolio, explain=explain)
        hold = bool(gate)
        return Verdict(
            gate or verdict.reason,
            "",
            equity,
            () if hold else verdict.corrections,
            () if hold else verdict.room,
            Fraction(0) if hold else verdict.urgency,
            verdict.lines,
        )

    def plan(self, state: PortfolioState, portfolio: Portfolio, verdict: Verdict) -> Plan:
        """Return the orders that a verdict with corrections leads to."""
        found = worth(state, portfolio, self.book)
        assert isinstance(found, Worth)
        stall = Stall(
            portfolio.quote,
            accounts_of(state, portfolio),
            self.book,
            portfolio.limits,
            self.settings,
            self.covariance if self._usable(portfolio) else {},
        )
        surplus = Fraction(max(found.cash_weight - found.cash_target, 0), UNIT)
        return planned(
            Task(
                stall,
                verdict.equity,
                surplus * verdict.equity,
                verdict.corrections,
                self._stands(found, portfolio, verdict),
                [name for name, _ in verdict.room],
                Fraction(portfolio.limits.max_trade_share),
            )
        )

    def _stands(self, found: Worth, portfolio: Portfolio, verdict: Verdict) -> list[Stand]:
        policy, limits, room = portfolio.policy, portfolio.limits, dict(verdict.room)
        region = isinstance(policy, NoTradeRegion)
        rows = [self.places[name] for name in found.names] if region else []
        outer = policy.max_deviation if region else None
        most, stands = Fraction(limits.max_trade_share), []
        for i, (name, line) in enumerate(zip(found.names, verdict.lines, strict=False)):
            quote, half = found.quotes[i], Fraction(line.half, UNIT)
            x, weight = Fraction(line.drift, UNIT), Fraction(line.weight, UNIT)
            left = [] if outer is None else [Fraction(outer)]
            stands.append(
                Stand(
                    name,
                    min([most, *(bound - x for bound in left)]),
                    min([most, weight, *(bound + x for bound in left)]),
                    Fraction(line.effective, UNIT),
                    [self.moves.effects[rows[i]][j] for j in rows],
                    half * Fraction(self.settings.landing),
                    half * Fraction(self.settings.trigger),
                    -room.get(name, Fraction(0)),
                    moved(quote, Side.BUY, limits) if quote else Fraction(1),
                    moved(quote, Side.SELL, limits) if quote else Fraction(1),
                )
            )
        return stands

    def _usable(self, portfolio: Portfolio) -> bool:
        risk, least = self.risk, self.settings.risk_observations_min
        return risk is not None and risk.quote == portfolio.quote and risk.observations >= least

    def _bounded(self, found: Worth, portfolio: Portfolio, *, explain: bool) -> Verdict:
        """Return the verdict of a policy that has bounds on x only, or a calendar alone."""
        policy = portfolio.policy
        limits = self.bounds(policy, tuple(found.names), tuple(found.targets), found.cash_target)
        if not explain and not limits.reached(found):
            return Verdict("within_band")
        speeds = paces(found, self.risk if self._usable(portfolio) else None)
        if isinstance(policy, CostAdjusted):
            share, moves = Fraction(portfolio.limits.max_trade_share), self.covariance
            table = [[moves.get((a, b), 0) for b in found.names] for a in found.names]
            return cost_adjusted(
                found, limits, payoffs(found, table, policy, self.settings, share), policy, portfolio.quote, speeds
            )
        reason = "calendar_due" if isinstance(policy, Calendar) else "threshold_reached"
        return thresholds(found, limits, reason, portfolio.quote, speeds)

    def bounds(self, policy: Policy, names: tuple[str, ...], targets: tuple[int, ...], cash: int) -> Bounds:
        """Return the bounds of |x|, with the estimate that there is."""
        key = (policy, names, targets, cash)
        if key not in self._bounds:
            self._bounds[key] = bounds(policy, names, targets, cash, self.volatilities if moving(policy) else {})
        return self._bounds[key]

    def case(self, found: Worth, portfolio: Portfolio) -> Case:
        """Return a portfolio of the region's policy ready to be decided on."""
        policy, share = portfolio.policy, Fraction(portfolio.limits.max_trade_share)
        speeds = paces(found, self.risk)
        return Case(found, self.bands(found.names, portfolio), policy, self.settings, share, portfolio.quote, speeds)

    def bands(self, names: tuple[str, ...], portfolio: Portfolio) -> list[Band]:
        """Return the bands of these assets."""
        rows = [self.places[name] for name in names]
        flow, cubed = self.constants(portfolio)
        return [
            Band(
                [self.moves.effects[i][j] for j in rows], self.moves.variance(i), flow[i], cubed[i], self.moves.dead(i)
            )
            for i in rows
        ]

    def clear(self, found: Worth, portfolio: Portfolio) -> bool:
        """Tell whether no asset is past any bound."""
        bound = portfolio.policy.max_deviation
        limit = None if bound is None else Fraction(bound) * UNIT
        rows = [self.places[name] for name in found.names]
        for i, x, quote in zip(rows, found.drifts, found.quotes, strict=True):
            if quote is None:
                continue
            if limit is not None and abs(x) > limit:
                return False
            if self.moves.dead(i):
                continue
            row = self.moves.effects[i]
            (y,) = effective(found.drifts, [Band([row[j] for j in rows], Fraction(0), 0, 0, dead=False)])
            above, below = self.reach(portfolio, self.assets[i], quote)
            if abs(y) ** 3 * below > above:
                return False
        return True

    def reach(self, portfolio: Portfolio, asset: str, quote: Quote) -> tuple[int, int]:
        """Return the cube of the trigger's |y|, as a fraction of counts cubed."""
        key = (portfolio.targets, portfolio.policy.risk_aversion, asset, quote.instrument.key)
        if key not in self._reaches:
            trigger = Fraction(self.settings.trigger) * Fraction(self.settings.region_scale)
            cubed = Fraction(self.constants(portfolio)[1][self.places[asset]], UNIT)
            bound = trigger**3 * cubed * at_touch(quote) * UNIT**3
            self._reaches[key] = bound.numerator, bound.denominator
        return self._reaches[key]

    def trigger(self, portfolio: Portfolio, asset: str, quote: Quote) -> int:
        """Return the largest count of 1e-18 that |y| may have without a trade."""
        above, below = self.reach(portfolio, asset, quote)
        if (above, below) not in self._triggers:
            self._triggers[above, below] = cube_root_count(Fraction(above, below * UNIT**3))
        return self._triggers[above, below]

    def _estimated(self, found: Worth, portfolio: Portfolio) -> bool:
        if not self._usable(portfolio):
            return False
        return all(name in self.risk.assets for name, target in zip(found.names, found.targets, strict=True) if target)

    def constants(self, portfolio: Portfolio) -> tuple[list[int], list[int]]:
        """Return k^3 D and h^3 / e of every asset."""
        targets, aversion = portfolio.targets, portfolio.policy.risk_aversion
        if targets not in self._flows:
            wanted = dict(targets)
            self._flows[targets] = flows(self.moves, [counts(wanted[a]) if a in wanted else 0 for a in self.assets])
        flow = self._flows[targets]
        if (targets, aversion) not in self._cubes:
            self._cubes[targets, aversion] = [
                0 if self.moves.dead(i) else cube(flow[i], Fraction(aversion), self.moves.variance(i))
                for i in range(len(flow))
            ]
        return flow, self._cubes[targets, aversion]


def _covariance(risk: Risk) -> dict[tuple[str, str], int]:
    """Return the published upper triangle, row by row, both ways round."""
    values, found = iter(risk.covariance), {}
    for i, first in enumerate(risk.assets):
        for second in risk.assets[i:]:
            found[first, second] = found[second, first] = counts(next(values))
    return found
