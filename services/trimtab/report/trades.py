"""A policy's trades as rows of a table: the largest, if there are very many."""

from collections.abc import Sequence
from dataclasses import dataclass

from trimtab.backtest.diary import Deal
from trimtab.domain.orders import Side
from trimtab.drift.reasons import MEANINGS, Reason
from trimtab.messages import Term
from trimtab.report.text import digits, moment, money, signed_percent


@dataclass(frozen=True, slots=True)
class Row:
    """One trade, `number` from 1 in the order of decisions; amounts are in the portfolio's quote currency."""

    number: int
    deal: Deal
    quote: str

    @property
    def traded(self) -> float:
        """What was traded."""
        return float(self.deal.traded)

    @property
    def amounts(self) -> tuple[float, ...]:
        """Fees, spread, impact, delay and opportunity."""
        deal = self.deal
        return tuple(map(float, (deal.fees, deal.spread, deal.impact, deal.delay, deal.opportunity)))

    @property
    def quantity(self) -> str:
        """What was to be traded, units of the base."""
        return digits(float(self.deal.trade.quantity))

    @property
    def price(self) -> str:
        """The mid price that it was decided at."""
        return digits(float(self.deal.trade.decision_price))

    @property
    def decided(self) -> str:
        """When it was decided."""
        return moment(self.deal.signal.event_time_us)

    @property
    def paid(self) -> str:
        """The mean price that was got; a dash if nothing was filled."""
        return digits(float(self.deal.notional / self.deal.filled)) if self.deal.filled else "–"

    @property
    def reason(self) -> str:
        """Why: the decision's code."""
        return self.deal.signal.reason

    @property
    def ended(self) -> str:
        """How the order ended: how much of it was filled, and why it was closed if that was not all."""
        trade = self.deal.trade
        part = float(self.deal.filled / trade.quantity) if trade.quantity else 0.0
        return "filled" if part >= 1 else f"{part:.0%} filled, {self.deal.closed_because or 'open'}"

    @property
    def told(self) -> str:
        """Everything about it in words, for who points at it."""
        deal, trade = self.deal, self.deal.trade
        head = f"{self.decided} UTC: {trade.side.value} {digits(float(trade.quantity))} {trade.instrument}"
        price = f"decided at {digits(float(trade.decision_price))}, got {self.paid} {trade.quote}; {self.ended}"
        parts = (
            f"fees {money(float(deal.fees))}, spread {money(float(deal.spread))}, impact {money(float(deal.impact))}"
        )
        slow = f"delay {money(float(deal.delay))}, missed {money(float(deal.opportunity))} {self.quote}"
        return "\n".join([head, price, self.why, *map(_term, self._terms()), f"{parts}, {slow}"])

    @property
    def why(self) -> str:
        """The reason with its meaning."""
        return f"{self.reason}: {MEANINGS.get(Reason(self.reason), '')}" if self.reason in {*Reason} else self.reason

    def moves(self, asset: str) -> bool:
        """Tell whether it changes how much is held of an asset."""
        return asset in (self.deal.trade.base, self.deal.trade.quote)

    def side_of(self, asset: str) -> Side:
        """Return what it does to an asset: a sale of ETH for BTC buys BTC."""
        trade = self.deal.trade
        if asset == trade.base:
            return trade.side
        return Side.SELL if trade.side is Side.BUY else Side.BUY

    def _terms(self) -> list[Term]:
        return [term for term in self.deal.signal.terms if self.moves(term.asset) and term.half_band]


@dataclass(frozen=True, slots=True)
class Trades:
    """A policy's rows in the order of time; `left_out` are so many that are smaller, worth `left_traded` in all."""

    name: str
    rows: Sequence[Row]
    left_out: int
    left_traded: float


def trades_of(name: str, deals: Sequence[Deal], quote: str, rows_max: int) -> Trades:
    """Return the rows of a table; past `rows_max` only the largest by what they traded, the earlier first."""
    rows = [Row(number, deal, quote) for number, deal in enumerate(deals, 1)]
    largest = sorted(rows, key=lambda row: (-row.deal.traded, row.number))
    kept = sorted(largest[:rows_max], key=lambda row: row.number)
    return Trades(name, kept, len(rows) - len(kept), sum(row.traded for row in largest[rows_max:]))


def _term(term: Term) -> str:
    drift, band = signed_percent(float(term.effective_drift)), float(term.half_band)
    weights = f"{float(term.weight):.2%} held, {float(term.target):.2%} wanted"
    return f"{term.asset}: {weights}, drift that counts {drift}, band ± {band:.2%}"
