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


@dataclass(frozen=True, slots=True)
class Calendar:
    """Go back to the targets at the times of a cron expression in UTC, or up to `window_seconds` later."""

    cron: str
    window_seconds: int = 300


@dataclass(frozen=True, slots=True)
class Hybrid:
    """A threshold that is looked at only at the times of a calendar."""

    cron: str
    absolute: Decimal | None = None
    relative: Decimal | None = None
    window_seconds: int = 300


@dataclass(frozen=True, slots=True)
class VolatilityThreshold:
    """A threshold that widens and narrows with an asset's volatility, measured against its own long-run level."""

    absolute: Decimal | None = None
    relative: Decimal | None = None
    scale_min: Decimal = Decimal("0.5")  # at most 1
    scale_max: Decimal = Decimal(2)  # at least 1


@dataclass(frozen=True, slots=True)
class CostAdjusted:
    """A threshold, widened by volatility, past which only that is traded whose correction is worth its cost."""

    absolute: Decimal | None = None
    relative: Decimal | None = None
    volatility_factor: Decimal = Decimal(1)  # of a volatility per square root of a year
    safety_factor: Decimal = Decimal(1)  # how many times its cost a correction must be worth
    risk_aversion: Decimal = Decimal(3)


Scheduled = Calendar | Hybrid
Bounded = Threshold | Hybrid | VolatilityThreshold | CostAdjusted
Policy = NoTradeRegion | Calendar | Bounded


@dataclass(frozen=True, slots=True)
class Limits:
    """Brakes that hold whatever the policy says."""

    min_trade: Decimal = Decimal(10)  # quote currency
    max_trade_share: Decimal = Decimal("0.10")  # of equity, for one trade
    signals_per_hour: int = 30
    cooldown_seconds: int = 0
    slippage_budget_spreads: Decimal = Decimal("1.5")


@dataclass(frozen=True, slots=True)
class Allocation:
    """Targets by risk in place of weights: `inverse_volatility` or `equal_risk_contribution` of some assets.

    `bounds` are (least, most) of equity in the order of `assets`, which are sorted and without cash. `every` is a cron
    expression in UTC. New targets go `smoothing` of the way from the old ones, once a weight is `min_change` off.
    """

    method: str
    assets: tuple[str, ...]
    every: str
    bounds: tuple[tuple[Decimal, Decimal], ...]
    cash: Decimal = Decimal(0)  # of equity
    smoothing: Decimal = Decimal("0.5")
    min_change: Decimal = Decimal("0.005")


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

    `targets` are (asset, weight) sorted by asset and sum to 1; the quote currency is cash. With an `allocation` they
    come from the record at `targets_offset` of portfolio.targets, and are empty as long as there is none.
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
    allocation: Allocation | None = None
    targets_offset: int = -1
