"""Whether a signal may be acted on: judged against the ledger's version of its portfolio, in words."""

from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import CONTEXT
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.market import Market
from trimtab.domain.orders import ParentOrder, ParentState
from trimtab.messages import Signal, Trade
from trimtab.ports.ledger import PortfolioRow

# How long (event time) a refused portfolio rests before drift may ask again.
_REST_US = 5_000_000
# How far (event time) a signal may be ahead of the newest frame seen here. It was decided on a frame of the same topic,
# so it is ahead by what is still on its way: an hour is 36 s of that where the market runs a hundred times faster.
_AHEAD_US_MAX = 3_600_000_000


@dataclass(frozen=True, slots=True)
class Superseded:
    """Decided on a version that is no longer the newest: drop it, drift decides afresh."""

    reason: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Settled without an order; the new state says why and until when."""

    reason: str
    not_before_us: int


@dataclass(frozen=True, slots=True)
class Admitted:
    """To be worked: one parent order per trade, in the order the signal names them."""

    parents: tuple[ParentOrder, ...]


def require_possible(signal: Signal, market: Market) -> None:
    """Refuse to look at a signal from a time that the market has not come to; what it says of time must not be written.

    Raises:
        InvalidValueError: if it is so far ahead of the market seen here that no lag explains it.
    """
    if signal.event_time_us - market.event_time_us > _AHEAD_US_MAX:
        allowed = f"at most an hour after the newest frame seen here, {market.event_time_us}"
        raise InvalidValueError("signal.event_time_us", signal.event_time_us, allowed)


def judge(
    signal: Signal, row: PortfolioRow | None, market: Market, shard: int, accounts: frozenset[str]
) -> Superseded | Refused | Admitted:
    """Return what to do with a signal; exactly one per ledger version is refused or admitted."""
    if row is None:
        return Superseded("unknown_portfolio")
    if signal.ledger_version != row.ledger_version or signal.document_version != row.document_version:
        return Superseded("older_version")
    reason = _objection(signal, row, market, accounts)
    if reason:
        return refusal(reason, signal)
    return Admitted(tuple(parent_of(signal, trade, shard) for trade in signal.trades))


def refusal(reason: str, signal: Signal) -> Refused:
    """Return a refusal for this reason; the portfolio rests for a while of event time."""
    return Refused(reason, signal.event_time_us + _REST_US)


def _objection(signal: Signal, row: PortfolioRow, market: Market, accounts: frozenset[str]) -> str:
    if row.halted:
        return "halted"
    if market.event_time_us >= signal.deadline_us:
        return "deadline"
    if not signal.trades:
        return "no_trades"
    for trade in signal.trades:
        instrument = market.instruments.get(f"{trade.venue}:{trade.instrument}")
        if trade.account not in accounts:
            return "unknown_account"
        if instrument is None or not instrument.tradable:
            return "instrument_not_tradable"
        if (trade.base, trade.quote) != (instrument.base, instrument.quote):
            return "wrong_currencies"
        if trade.quantity <= 0 or not _on_grid(trade.quantity, instrument.step) or trade.limit_price <= 0:
            return "quantity_off_grid"
    return ""


def _on_grid(quantity: Decimal, step: Decimal) -> bool:
    # In the ledger's context: the default one refuses a quotient of more than 28 digits.
    return CONTEXT.remainder(quantity, step) == 0


def parent_of(signal: Signal, trade: Trade, shard: int) -> ParentOrder:
    """Return a trade of a signal as an order to be worked."""
    return ParentOrder(
        parent_id=trade.trade_id,
        signal_id=signal.signal_id,
        portfolio_id=signal.portfolio_id,
        venue=trade.venue,
        account=trade.account,
        instrument=trade.instrument,
        base=trade.base,
        quote=trade.quote,
        side=trade.side,
        quantity=trade.quantity,
        decision_price=trade.decision_price,
        limit_price=trade.limit_price,
        urgency=signal.urgency,
        volatility=trade.volatility,
        depends_on=trade.depends_on,
        deadline_us=signal.deadline_us,
        decided_us=signal.event_time_us,
        shard=shard,
        state=ParentState.WAITING if trade.depends_on else ParentState.WORKING,
    )
