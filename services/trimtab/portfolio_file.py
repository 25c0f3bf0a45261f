"""What a portfolio file may say: every key, its bounds and its default."""

import re
from collections import Counter
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationInfo,
    model_validator,
)

from trimtab.configuration import ASSET, COMPUTED, FIXED, NAME, PATTERNS, WINDOW, Described, Problem, one_of, refuse
from trimtab.domain.amounts import ONE, ZERO, plain, quantise
from trimtab.schedule import CRON_LENGTH_MAX, CRON_WORDS, is_cron

WEIGHT_SUM_TOLERANCE = Decimal("0.0001")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
_DECIMAL = re.compile(r"^-?[0-9]{1,38}(\.[0-9]{1,38})?$")
TARGETS_MAX = 100
COMPUTED_DECIMALS_MAX = 6
ACCOUNTS_MAX = 16
WINDOWS_MAX = 48
_WHOLE_DIGITS_MAX = 20


def _exact(value: object, info: ValidationInfo) -> Decimal:
    """Take whole and decimal numbers from YAML and, from canonical JSON alone, decimals as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and info.mode == "json" and _DECIMAL.match(value):
        return Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        raise refuse(Problem("", value, "a number"))
    if value.adjusted() >= _WHOLE_DIGITS_MAX:
        raise refuse(Problem("", value, f"a number of at most {_WHOLE_DIGITS_MAX} digits before the point"))
    if value != quantise(value):
        raise refuse(Problem("", value, "a number of at most 18 decimals"))
    return value or Decimal(0)  # there is no -0


def _at_most(entries_max: int) -> Callable[[object], object]:
    """Return a check made before any entry is looked at: a list that is far too long is one problem."""

    def check(value: object) -> object:
        if isinstance(value, list | dict) and len(value) > entries_max:
            raise refuse(Problem("", Described(f"{len(value)} entries"), f"at most {entries_max}"))
        return value

    return check


def _once(values: list[str]) -> list[str]:
    repeated = [value for value, times in Counter(values).items() if times > 1]
    if repeated:
        raise refuse(*(Problem("", value, "each entry once") for value in repeated))
    return values


def _mapping(value: object) -> object:
    if not isinstance(value, dict | BaseModel):
        raise refuse(Problem("", value, "a mapping of keys to values: weights by asset, or a method"))
    return value


def _form(value: object) -> str:
    """Tell which of the two forms targets have; no asset is named in lower case."""
    return FIXED if isinstance(value, dict) and "method" not in value else COMPUTED


def _stepped(value: Decimal) -> Decimal:
    if value != round(value, COMPUTED_DECIMALS_MAX):
        raise refuse(Problem("", value, f"a number of at most {COMPUTED_DECIMALS_MAX} decimals"))
    return value


def _summing_to_one(targets: dict[str, Decimal]) -> dict[str, Decimal]:
    total = sum(targets.values(), Decimal(0))
    if abs(total - ONE) > WEIGHT_SUM_TOLERANCE:
        raise refuse(Problem("", total, f"weights that sum to 1 within {WEIGHT_SUM_TOLERANCE}"))
    return targets


def _window(text: str) -> str:
    start, end = text.split("-")
    if start == end:
        raise refuse(Problem("", text, PATTERNS[WINDOW]))
    return text


def minutes_of(window: str) -> list[tuple[int, int]]:
    """Return a window as minutes of the day [from, to); one past midnight as two."""
    start, end = (int(part[:2]) * 60 + int(part[3:]) for part in window.split("-"))
    parts = [(start, end)] if start < end else [(start, DAY_MINUTES), (0, end)]
    return [(first, last) for first, last in parts if first < last]


def _apart(windows: list[str]) -> list[str]:
    """Refuse a window that shares a minute with one before it: one of the two is probably not meant as it stands."""
    problems = []
    for index, window in enumerate(windows):
        met = next((other for other in windows[:index] if _overlap(window, other)), None)
        if met is not None:
            problems.append(Problem(f"[{index}]", window, f"a window apart from {met}"))
    if problems:
        raise refuse(*problems)
    return windows


def _overlap(one: str, other: str) -> bool:
    return any(
        start < end_other and start_other < end
        for start, end in minutes_of(one)
        for start_other, end_other in minutes_of(other)
    )


def _cron(text: str) -> str:
    if not is_cron(text):
        raise refuse(Problem("", text, CRON_WORDS))
    return " ".join(text.upper().split())


EXACT = BeforeValidator(_exact)
Share = Annotated[Decimal, Field(gt=0, le=1), EXACT]
Weight = Annotated[Decimal, Field(ge=0, le=1), EXACT]
Asset = Annotated[str, Field(pattern=ASSET)]
Name = Annotated[str, Field(pattern=NAME)]
Cron = Annotated[
    str,
    AfterValidator(_cron),
    Field(
        description="minute, hour, day of month, month, day of week, in UTC",
        json_schema_extra={"maxLength": CRON_LENGTH_MAX},
    ),
]
WindowSeconds = Annotated[int, Field(ge=1, le=1_800, description="how long after each time it is still acted on")]
WINDOW_SECONDS = 300
_UNIQUE: dict[str, Any] = {"uniqueItems": True}


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class NoTradeRegionPolicy(_Strict):
    """Trade when drift costs more than correcting it."""

    kind: Literal["no_trade_region"]
    risk_aversion: Annotated[Decimal, Field(gt=0, le=100), EXACT] = Decimal(3)
    max_deviation: Share | None = Field(None, description="hard outer bound on a drift, a fraction of equity")


class CalendarPolicy(_Strict):
    """Go back to the targets at the times of a calendar."""

    kind: Literal["calendar"]
    cron: Cron
    window_seconds: WindowSeconds = WINDOW_SECONDS


class _BoundedPolicy(_Strict):
    absolute: Share | None = Field(None, description="bound on a drift, a fraction of equity")
    relative: Annotated[Decimal, Field(gt=0, le=10), EXACT] | None = Field(
        None, description="bound on a drift, a fraction of the target weight"
    )

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.absolute is None and self.relative is None:
            raise refuse(Problem("", self.model_dump(exclude_unset=True), "absolute, relative or both"))
        return self


class ThresholdPolicy(_BoundedPolicy):
    """Trade when a drift reaches a bound: absolute (of equity), relative (of the target weight), whichever is first."""

    kind: Literal["threshold"]


class HybridPolicy(_BoundedPolicy):
    """A threshold that is looked at only at the times of a calendar."""

    kind: Literal["hybrid"]
    cron: Cron
    window_seconds: WindowSeconds = WINDOW_SECONDS


class VolatilityThresholdPolicy(_BoundedPolicy):
    """A threshold scaled by each asset's volatility over its own long-run level."""

    kind: Literal["volatility_threshold"]
    scale_min: Annotated[Decimal, Field(gt=0, le=1), EXACT] = Field(Decimal("0.5"), description="of the scale")
    scale_max: Annotated[Decimal, Field(ge=1, le=10), EXACT] = Field(Decimal(2), description="of the scale")


class CostAdjustedPolicy(_BoundedPolicy):
    """Past a threshold of base x (1 + volatility x factor), trade what is worth more corrected than that costs."""

    kind: Literal["cost_adjusted"]
    volatility_factor: Annotated[Decimal, Field(ge=0, le=100), EXACT] = Field(
        Decimal(1), description="of a volatility per square root of a year"
    )
    safety_factor: Annotated[Decimal, Field(ge=0, le=1_000), EXACT] = Field(
        Decimal(1), description="how many times its cost a correction must be worth"
    )
    risk_aversion: Annotated[Decimal, Field(gt=0, le=100), EXACT] = Decimal(3)


PolicySection = (
    NoTradeRegionPolicy
    | CalendarPolicy
    | ThresholdPolicy
    | HybridPolicy
    | VolatilityThresholdPolicy
    | CostAdjustedPolicy
)


class LimitsSection(_Strict):
    """Brakes that hold whatever the policy says."""

    min_trade: Annotated[Decimal, Field(ge=0, le=1_000_000_000), EXACT] = Field(
        Decimal(10), description="quote currency"
    )
    max_trade_share: Share = Field(Decimal("0.10"), description="of equity, for one trade")
    signals_per_hour: int = Field(30, ge=1, le=3_600)
    cooldown_seconds: int = Field(0, ge=0, le=604_800)
    slippage_budget_spreads: Annotated[Decimal, Field(gt=0, le=100), EXACT] = Decimal("1.5")


class WindowsSection(_Strict):
    """When trading is allowed, in UTC. A window past midnight goes on into the next day, if that day is listed."""

    weekdays: Annotated[
        list[Weekday],
        BeforeValidator(_at_most(len(WEEKDAYS))),
        Field(min_length=1, max_length=len(WEEKDAYS)),
        AfterValidator(_once),
    ] = Field(list(WEEKDAYS), json_schema_extra=_UNIQUE)
    utc: Annotated[
        list[Annotated[str, Field(pattern=WINDOW), AfterValidator(_window)]],
        BeforeValidator(_at_most(WINDOWS_MAX)),
        Field(min_length=1, max_length=WINDOWS_MAX),
        AfterValidator(_apart),
    ] = Field(["00:00-24:00"], description="from-to; they do not overlap", json_schema_extra=_UNIQUE)


class ComputedTargets(_Strict):
    """Targets worked out from the risk estimate when a schedule comes round."""

    method: Literal["inverse_volatility", "equal_risk_contribution"]
    assets: Annotated[
        list[Asset],
        BeforeValidator(_at_most(TARGETS_MAX - 1)),
        Field(min_length=1, max_length=TARGETS_MAX - 1),
        AfterValidator(_once),
    ] = Field(description="without the quote, which is cash", json_schema_extra=_UNIQUE)
    cash: Annotated[Decimal, Field(ge=0, lt=1), EXACT, AfterValidator(_stepped)] = Field(
        Decimal(0), description="of equity; the assets share the rest"
    )
    every: Cron
    bounds: Annotated[
        dict[Asset, Annotated[list[Annotated[Weight, AfterValidator(_stepped)]], Field(min_length=2, max_length=2)]],
        BeforeValidator(_at_most(TARGETS_MAX - 1)),
        Field(max_length=TARGETS_MAX - 1),
    ] = Field({}, description="least and most by asset, of equity")
    smoothing: Share = Field(
        Decimal("0.5"), description="how far new targets go from the old ones to the computed ones"
    )
    min_change: Weight = Field(
        Decimal("0.005"), description="of equity; unless a weight is off by this much, the old ones stay"
    )

    @model_validator(mode="after")
    def _feasible(self) -> Self:
        problems = list(self._misplaced())
        if not problems:
            room = ONE - self.cash
            least = sum((low for low, _ in self.bounds.values()), ZERO)
            most = sum((self.bounds[asset][1] if asset in self.bounds else ONE for asset in self.assets), ZERO)
            if not least <= room <= most:
                found = Described(f"bounds between {plain(least)} and {plain(most)} in sum")
                problems.append(Problem("bounds", found, f"bounds that let the assets share {plain(room)}"))
        if problems:
            raise refuse(*problems)
        return self

    def _misplaced(self) -> Iterator[Problem]:
        for asset, (low, high) in self.bounds.items():
            if asset not in self.assets:
                yield Problem(f"bounds.{asset}", [low, high], f"bounds of the assets: {one_of(self.assets, asset)}")
            elif low > high:
                yield Problem(f"bounds.{asset}", [low, high], "the least, then the most")


class Document(_Strict):
    """A portfolio file of trimtab."""

    version: Literal[1] = Field(1, description="of the file format")
    portfolio: Name
    quote: Asset = Field(description="equity and cash are counted in it")
    accounts: Annotated[
        list[Name], BeforeValidator(_at_most(ACCOUNTS_MAX)), Field(max_length=ACCOUNTS_MAX), AfterValidator(_once)
    ] = Field(
        [],
        description="venue accounts named in the settings, in order of preference",
        json_schema_extra=_UNIQUE,
    )
    targets: Annotated[
        Annotated[
            dict[Asset, Weight],
            Field(min_length=1, max_length=TARGETS_MAX),
            AfterValidator(_summing_to_one),
            Tag(FIXED),
        ]
        | Annotated[ComputedTargets, Tag(COMPUTED)],
        Discriminator(_form),
        BeforeValidator(_at_most(TARGETS_MAX)),
        BeforeValidator(_mapping),
    ] = Field(
        description="weights by asset, which sum to 1 within 0.0001, or a method to work them out; the quote is cash"
    )
    policy: Annotated[PolicySection, Field(discriminator="kind")] = NoTradeRegionPolicy(kind="no_trade_region")
    limits: LimitsSection = LimitsSection()
    windows: WindowsSection = WindowsSection()
    dry_run: bool = False

    @model_validator(mode="after")
    def _cash_apart(self) -> Self:
        if isinstance(self.targets, ComputedTargets) and self.quote in self.targets.assets:
            raise refuse(Problem("targets.assets", self.quote, "assets without the quote; how much of it is cash says"))
        return self

    @property
    def assets(self) -> frozenset[str]:
        """Return the assets that the targets name."""
        return frozenset(self.targets.assets if isinstance(self.targets, ComputedTargets) else self.targets)
