"""A portfolio: what it should hold, when it may be traded, and the limits and windows around that."""

from dataclasses import dataclass, field
from decimal import Decimal


@dataclass(frozen=True, slots=True)
class NoTradeRegion:
    """Trade when the effective drift leaves the band that risk and cost together justify."""

    risk_aversion: Decimal = Decimal(3)
    max_deviation: Decimal | None = None  # hard outer bound on |x_i|, a fraction of equity


@dataclass(frozen=True, slots=True)
class Threshold:
    """Trade when a drift reaches a fixed bound: absolute (of equity) or relative (of the target weight)."""

    absolute: Decimal | None = None
    relative: Decimal | None = None


Policy = NoTradeRegion | Threshold


@dataclass(frozen=True, slots=True)
class Limits:
    """Brakes that hold whatever the policy says."""

    min_trade: Decimal = Decimal(10)  # quote currency
    max_trade_share: Decimal = Decimal("0.10")  # of equity, for one trade
    signals_per_hour: int = 30
    cooldown_seconds: int = 0
    slippage_budget_spreads: Decimal = Decimal("1.5")


ALL_DAYS = frozenset(range(7))


@dataclass(frozen=True, slots=True)
class Windows:
    """When trading is allowed, in UTC: weekdays (Monday is 0) and minutes of the day [from, to)."""

    weekdays: frozenset[int] = ALL_DAYS
    minutes: tuple[tuple[int, int], ...] = ((0, 24 * 60),)

    def contain(self, event_time_us: int) -> bool:
        """Tell whether this moment lies in a window."""
        days, rest = divmod(event_time_us // 60_000_000, 24 * 60)
        weekday = (days + 3) % 7  # 1 January 1970 was a Thursday
        return weekday in self.weekdays and any(start <= rest < end for start, end in self.minutes)

    def turns_us(self, event_time_us: int) -> int:
        """Return the next moment at which `contain` may say something else: an edge of a window, or midnight."""
        days, rest = divmod(event_time_us // 60_000_000, 24 * 60)
        edges = {24 * 60, *(edge for window in self.minutes for edge in window)}
        return (days * 24 * 60 + min(edge for edge in edges if edge > rest)) * 60_000_000


@dataclass(frozen=True, slots=True)
class Portfolio:
    """A portfolio as its owner wrote it: what it should hold and how it may get there.

    `targets` are (asset, weight) sorted by asset and sum to 1; the quote currency is cash.
    """

    portfolio_id: str
    quote: str
    targets: tuple[tuple[str, Decimal], ...]
    accounts: tuple[str, ...] = ()
    policy: Policy = field(default_factory=NoTradeRegion)
    limits: Limits = field(default_factory=Limits)
    windows: Windows = field(default_factory=Windows)
    dry_run: bool = False
    version: int = 1  # counts what was applied, not the file format
