"""Why two decisions differ: the inputs of one are put in the place of the other's, one after another.

What a decision comes to follows from its inputs alone. So each input that changes it, on the way from one to the other,
is a cause; and once all are replaced nothing may be left to explain. The order is always the same: prices, costs,
estimate, holdings, and what else a state says. An input that only matters together with one before it is named with it.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from decimal import Decimal

from trimtab.agreement.course import Inputs, Leg, legs_of
from trimtab.documents import parse_document
from trimtab.domain.amounts import ZERO
from trimtab.domain.market import Market
from trimtab.drift.decision import decide
from trimtab.messages import Position, Signal
from trimtab.settings import DriftSettings

_POSITIONS_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Cause:
    """One cause of a difference, and the evidence for it in words."""

    name: str
    evidence: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a decision comes to, and why if to nothing."""

    legs: tuple[Leg, ...]
    reason: str

    def __str__(self) -> str:
        return "; ".join(map(str, self.legs)) or f"hold: {self.reason}"


def decided(inputs: Inputs, settings: DriftSettings) -> Verdict:
    """Decide on these inputs."""
    portfolio = parse_document(inputs.state.document, inputs.state.document_version)
    found = decide(inputs.market, inputs.risk, inputs.state, portfolio, settings)
    return Verdict(legs_of(found.trades) if isinstance(found, Signal) else (), str(found.reason))


def causes(begin: Inputs, end: Inputs, settings: DriftSettings) -> tuple[list[Cause], Verdict, Verdict]:
    """Return what changes the decision on the way from one's inputs to the other's, and both decisions."""
    first = verdict = decided(begin, settings)
    found: list[Cause] = []
    for name, inputs, evidence in _steps(begin, end):
        now = decided(inputs, settings)
        if now.legs != verdict.legs:
            found.append(Cause(name, f"{evidence}: {verdict} -> {now}"))
        verdict = now
    return found, first, verdict


def _steps(begin: Inputs, end: Inputs) -> Iterator[tuple[str, Inputs, str]]:
    """Yield the way: what is replaced, the inputs from there on, and in what they differ."""
    at = replace(begin, market=_priced(begin.market, end.market))
    yield "frame", at, _prices(begin.market, end.market)
    at = replace(at, market=end.market)
    yield "costs", at, f"market.costs {begin.market.costs_offset} -> {end.market.costs_offset}"
    at = replace(at, risk=end.risk)
    yield "risk", at, f"variances {_variances(begin)} -> {_variances(end)}"
    held = replace(at.state, positions=end.state.positions)
    yield "holdings", replace(at, state=held), _positions(begin.state.positions, end.state.positions)
    yield "state", end, _state(begin, end)


def _priced(market: Market, prices: Market) -> Market:
    """Return a market with another one's prices and time under its own fees."""
    rules = {key: market.instruments.get(key, rule) for key, rule in prices.instruments.items()}
    quotes = {key: replace(quote, instrument=rules.get(key, quote.instrument)) for key, quote in prices.quotes.items()}
    return replace(
        prices,
        instruments=rules,
        quotes=quotes,
        costs_offset=market.costs_offset,
        impact_coefficient=market.impact_coefficient,
    )


def _prices(begin: Market, end: Market) -> str:
    apart_ms = (end.event_time_us - begin.event_time_us) / 1_000
    changed = [
        f"{key.partition(':')[2]} {_top(begin, key)} -> {_top(end, key)}"
        for key in sorted(begin.quotes.keys() | end.quotes.keys())
        if _top(begin, key) != _top(end, key)
    ]
    return f"frames {apart_ms:+.0f} ms apart, {', '.join(changed) or 'with the same best prices'}"


def _top(market: Market, key: str) -> str:
    quote = market.quotes.get(key)
    return "nothing" if quote is None or quote.fault() else f"{_plain(quote.bid)}/{_plain(quote.ask)}"


def _variances(inputs: Inputs) -> str:
    if inputs.risk is None:
        return "none"
    found, entries = inputs.risk.message, iter(inputs.risk.message.covariance)
    shown: list[str] = []
    for index, asset in enumerate(found.assets):
        row = [next(entries) for _ in found.assets[index:]]
        shown.append(f"{asset} {row[0]:.5f}")
    return " ".join(shown)


def _positions(begin: tuple[Position, ...], end: tuple[Position, ...]) -> str:
    one, other = ({(each.account, each.asset): each.posted for each in rows} for rows in (begin, end))
    changed: list[str] = []
    for key in sorted(one.keys() | other.keys()):
        before, after = one.get(key, ZERO), other.get(key, ZERO)
        if before != after:
            changed.append(f"{key[1]} {_plain(before)} -> {_plain(after)}")
    return ", ".join(changed[:_POSITIONS_SHOWN]) or "the same, but for what is reserved"


def _state(begin: Inputs, end: Inputs) -> str:
    fields = [
        name
        for name in ("halted", "not_before_us", "open_orders", "recent_signals_us")
        if getattr(begin.state, name) != getattr(end.state, name)
    ]
    return f"{', '.join(fields) or 'nothing but the version'} of the state"


def _plain(amount: Decimal) -> str:
    return f"{amount.normalize():f}"
