"""The portfolios of one quote currency on one venue: which of them certainly hold at a market, and for what reason."""

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

import numpy as np

from trimtab.domain.amounts import ZERO
from trimtab.domain.market import Market
from trimtab.domain.portfolio import Calendar, CostAdjusted, NoTradeRegion, Policy, VolatilityThreshold
from trimtab.drift.batch import Batch, Codes, Flags, Floats
from trimtab.drift.columns import CODES, Columns
from trimtab.drift.envelope import Estimate
from trimtab.drift.gates import gate_spell
from trimtab.drift.holdings import Holdings
from trimtab.drift.portfolios import Entry
from trimtab.drift.reasons import Reason
from trimtab.drift.tolerance import base, scales
from trimtab.drift.volatility import volatilities
from trimtab.messages import Risk
from trimtab.settings import DriftSettings

_REASONS = {code: reason for reason, code in CODES.items()}
_OPEN, _UNSURE, _ASLEEP = 0, 126, 127  # no verdict yet; to be looked at exactly; signalled and not answered


@dataclass(frozen=True, slots=True)
class Glance:
    """What one look brought: certain holds by reason, and by id who needs an exact look and how near its bound who is.

    `ratios` is empty unless asked for.
    """

    holds: Counter[Reason]
    unsure: tuple[str, ...]
    ratios: dict[str, float]


class Cohort:
    """A batch kept in step with the portfolios' states, their gates, the market and the risk estimate."""

    def __init__(self, venue: str, quote: str, settings: DriftSettings) -> None:
        self._venue, self._quote, self._settings = venue, quote, settings
        self._entries: list[Entry] = []
        self._places: dict[str, int] = {}
        self._batch = Batch()
        self._columns = Columns(venue, quote, ())
        self._unread = True
        self._gates: Codes = np.zeros(0, dtype=np.int8)
        self._from_us, self._until_us = np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)
        self._aversion: Floats = np.zeros(0)
        self._estimated, self._ready = np.zeros(0, dtype=bool), np.zeros(0, dtype=bool)
        self._risk: Risk | None = None
        self._estimate: Estimate | None = None
        self._levels = _levels(None, ())

    def put(self, entry: Entry) -> None:
        """Take a portfolio, or its newer state."""
        holdings = Holdings.of(entry.state, entry.portfolio)
        place = self._places.setdefault(entry.state.portfolio_id, len(self._entries))
        self._entries[place : place + 1] = [entry]
        self._reserve([asset.name for asset in holdings.assets])
        self._write(place, holdings)
        self._bound(slice(place, place + 1))
        self.wake(entry.state.portfolio_id)

    def drop(self, portfolio_id: str) -> None:
        """Let a portfolio go; the last one takes its place."""
        place, last = self._places.pop(portfolio_id), self._entries.pop()
        if place < len(self._entries):
            self._entries[place] = last
            self._places[last.state.portfolio_id] = place
            self._batch.move(len(self._entries), place)
            for row in (self._gates, self._from_us, self._until_us, self._aversion, self._estimated, self._ready):
                row[place] = row[len(self._entries)]
        self._batch.count = len(self._entries)

    def wake(self, portfolio_id: str) -> None:
        """Ask the gates of a portfolio afresh at the next look: it has signalled, or could not."""
        self._until_us[self._places[portfolio_id]] = 0

    def estimate(self, risk: Risk | None) -> None:
        """Work with this risk estimate from now on; None is none that can be used."""
        self._risk = risk
        self._estimate = Estimate.of(risk, self._batch.assets) if risk is not None else None
        self._levels = _levels(risk, self._batch.assets)
        if self._estimate is not None:
            self._batch.effects = self._estimate.effects
        self._bound(slice(0, len(self._entries)))

    def look(self, market: Market, touched: Collection[str] | None) -> Glance:
        """Look at every portfolio that these instruments concern; None is all, and brings ratios too."""
        self._columns.read(market, None if self._unread else touched)
        self._unread = False
        concerned = self._concerned(touched)
        if not concerned.any():
            return Glance(Counter(), (), {})
        self._ask_gates(market)
        age_us = int(self._settings.quote_age_max_seconds * 1_000_000)
        seen = self._batch.look(self._columns.at(market.event_time_us, age_us), ratios=touched is None)
        verdict = self._gates[: self._batch.count]
        if not market.complete:
            verdict = np.where(verdict == _ASLEEP, verdict, CODES[Reason.MARKET_INCOMPLETE])
        beyond = np.where(seen.clear, CODES[Reason.WITHIN_BAND], _UNSURE)
        beyond = np.where(seen.sound & ~self._ready[: self._batch.count], CODES[Reason.RISK_MISSING], beyond)
        beyond = np.where(seen.fault != 0, seen.fault, beyond)
        verdict = np.where(verdict == _OPEN, beyond, verdict)[concerned]
        found = np.bincount(verdict, minlength=_ASLEEP + 1)
        holds = Counter({reason: int(found[code]) for code, reason in _REASONS.items() if found[code]})
        unsure = np.flatnonzero(concerned)[verdict == _UNSURE]
        names = tuple(sorted(self._entries[place].state.portfolio_id for place in unsure))
        return Glance(holds, names, self._ratios(seen.ratio) if touched is None else {})

    def _concerned(self, touched: Collection[str] | None) -> Flags:
        if touched is None:
            return np.ones(self._batch.count, dtype=bool)
        wanted: Flags = self._batch.wanted[self._columns.places(touched), : self._batch.count]
        return np.asarray(wanted.any(axis=0))

    def _ask_gates(self, market: Market) -> None:
        now_us, count = market.event_time_us, self._batch.count
        for place in np.flatnonzero((now_us < self._from_us[:count]) | (now_us >= self._until_us[:count])):
            entry = self._entries[place]
            if entry.waits(now_us):
                found = (_ASLEEP, now_us, entry.retry_us)
            else:
                spell = gate_spell(market, entry.state, entry.portfolio)
                found = (CODES[spell.reason] if spell.reason else _OPEN, spell.from_us, spell.until_us)
            self._gates[place], self._from_us[place], self._until_us[place] = found

    def _ratios(self, ratio: Floats) -> dict[str, float]:
        return {
            entry.state.portfolio_id: float(value) if entry.portfolio.targets else 0.0
            for entry, value in zip(self._entries, ratio, strict=True)
        }

    def _reserve(self, assets: Sequence[str]) -> None:
        """Make room for these assets and all entries; new assets need their prices and their part of the estimate."""
        count, new = len(self._entries), set(assets) - set(self._batch.assets)
        size = self._gates.size
        if count > size:
            size = max(2 * size, count, 16)
            more = size - self._gates.size
            for name in ("_gates", "_from_us", "_until_us", "_estimated", "_ready"):
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.zeros(more, dtype=old.dtype)]))
            self._aversion = np.concatenate([self._aversion, np.full(more, np.nan)])
        elif not new:
            self._batch.count = count
            return
        self._batch = self._batch.grown(assets, size)
        self._batch.count = count
        self._columns = Columns(self._venue, self._quote, self._batch.assets)
        self._unread = True
        self.estimate(self._risk)

    def _write(self, place: int, holdings: Holdings) -> None:
        batch, policy = self._batch, self._entries[place].portfolio.policy
        for table, empty in ((batch.quantities, 0), (batch.targets, 0), (batch.wanted, 0), (batch.base, np.inf)):
            table[:, place] = empty
        for asset in holdings.assets:
            row = batch.assets.index(asset.name)
            batch.quantities[row, place] = sum(float(quantity) for _, quantity in asset.lots)
            batch.targets[row, place] = float(asset.target)
            batch.wanted[row, place] = True
            batch.base[row, place] = _deviation(policy, asset.target)
        batch.cash[place], batch.cash_target[place] = float(holdings.cash), float(holdings.cash_target)
        batch.cash_base[place] = _deviation(policy, holdings.cash_target, cash=True)
        batch.widening[:, place] = _widening(policy)
        self._aversion[place] = float(policy.risk_aversion) if isinstance(policy, NoTradeRegion) else np.nan
        self._estimated[place] = isinstance(policy, NoTradeRegion) or scales(policy)

    def _bound(self, part: slice) -> None:
        """Work out the bounds that stand on the estimate."""
        batch, estimate = self._batch, self._estimate
        batch.widen(*self._levels, part)
        if estimate is None:
            self._ready[part] = ~self._estimated[part]
            return
        unknown = (batch.targets[:, part] != 0) & ~estimate.known[:, None]
        self._ready[part] = ~self._estimated[part] | ~unknown.any(axis=0)
        reach = np.full(self._ready[part].size, float(self._settings.trigger * self._settings.region_scale))
        batch.cubed[:, part] = estimate.cubed(batch.targets[:, part], self._aversion[part], reach)


def _levels(risk: Risk | None, assets: Sequence[str]) -> tuple[Floats, Floats]:
    """Return each asset's volatility over its usual one, and the volatility itself; 1 and 0 where it is unknown."""
    known = volatilities(risk)
    found = [(float(known[asset].level), float(known[asset].now)) if asset in known else (1.0, 0.0) for asset in assets]
    level, now = np.array(found, dtype=np.float64).reshape(-1, 2).T
    return level, now


def _deviation(policy: Policy, target: Decimal, *, cash: bool = False) -> float:
    """Return the bound of |x| under a policy before volatility scales it, infinite if it has none."""
    match policy:
        case NoTradeRegion():
            bound = None if cash else policy.max_deviation
        case Calendar():
            bound = ZERO
        case _:
            bound = base(policy, target)
    return float(bound) if bound is not None else np.inf


def _widening(policy: Policy) -> tuple[float, float, float]:
    """Return what scales the bounds of |x|, as a batch has it."""
    match policy:
        case VolatilityThreshold():
            return float(policy.scale_min), float(policy.scale_max), 0.0
        case CostAdjusted():
            return 1.0, 1.0, float(policy.volatility_factor)
        case _:
            return 1.0, 1.0, 0.0
