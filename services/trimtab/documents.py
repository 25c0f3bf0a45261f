"""The portfolio file: what its owner writes (YAML), how it is kept (canonical JSON), and the portfolio it means."""

import json
import re
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    model_validator,
)
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from trimtab.configuration import ASSET, NAME, PATTERNS, WINDOW, ConfigurationError, Problem, problems_of, refuse
from trimtab.domain.amounts import CONTEXT, ONE, plain, quantise
from trimtab.domain.portfolio import Limits, NoTradeRegion, Policy, Portfolio, Threshold, Windows
from trimtab.yaml_text import read_yaml

WEIGHT_SUM_TOLERANCE = Decimal("0.0001")
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
DAY_MINUTES = 24 * 60
_DECIMAL = re.compile(r"^-?[0-9]{1,38}(\.[0-9]{1,38})?$")
_PARSED_MAX = 65_536  # more documents than one worker has portfolios


def _exact(value: object, info: ValidationInfo) -> Decimal:
    """Take whole and decimal numbers from YAML and, from canonical JSON alone, decimals as text."""
    if isinstance(value, int) and not isinstance(value, bool):
        return Decimal(value)
    if isinstance(value, str) and info.mode == "json" and _DECIMAL.match(value):
        return Decimal(value)
    if not isinstance(value, Decimal) or not value.is_finite():
        raise refuse(Problem("", value, "a number"))
    if value != quantise(value):
        raise refuse(Problem("", value, "a number of at most 18 decimals"))
    return value


def _once(values: list[str]) -> list[str]:
    repeated = [value for index, value in enumerate(values) if value in values[:index]]
    if repeated:
        raise refuse(*(Problem("", value, "each entry once") for value in repeated))
    return values


def _fixed(value: object) -> object:
    if isinstance(value, dict) and "method" in value:
        raise refuse(
            Problem("method", value["method"], "weights by asset, as {BTC: 0.6, USDT: 0.4}; no computed targets yet")
        )
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


EXACT = BeforeValidator(_exact)
Share = Annotated[Decimal, Field(gt=0, le=1), EXACT]
Weight = Annotated[Decimal, Field(ge=0, le=1), EXACT]
Asset = Annotated[str, Field(pattern=ASSET)]
Name = Annotated[str, Field(pattern=NAME)]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class NoTradeRegionPolicy(_Strict):
    """Trade when drift costs more than correcting it."""

    kind: Literal["no_trade_region"]
    risk_aversion: Annotated[Decimal, Field(gt=0, le=100), EXACT] = Decimal(3)
    max_deviation: Share | None = Field(None, description="hard outer bound on a drift, a fraction of equity")


class ThresholdPolicy(_Strict):
    """Trade when a drift reaches a bound: absolute (of equity), relative (of the target weight), whichever is first."""

    kind: Literal["threshold"]
    absolute: Share | None = None
    relative: Annotated[Decimal, Field(gt=0, le=10), EXACT] | None = None

    @model_validator(mode="after")
    def _bounded(self) -> "ThresholdPolicy":
        if self.absolute is None and self.relative is None:
            raise refuse(Problem("", {"kind": self.kind}, "absolute, relative or both"))
        return self


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

    weekdays: Annotated[list[Weekday], AfterValidator(_once)] = Field(list(WEEKDAYS), min_length=1)
    utc: list[Annotated[str, Field(pattern=WINDOW), AfterValidator(_window)]] = Field(["00:00-24:00"], min_length=1)


class Document(_Strict):
    """A portfolio file of trimtab."""

    version: Literal[1] = Field(1, description="of the file format")
    portfolio: Name
    quote: Asset = Field(description="equity and cash are counted in it")
    accounts: Annotated[list[Name], AfterValidator(_once)] = Field(
        [], description="venue accounts named in the settings, in order of preference"
    )
    targets: Annotated[dict[Asset, Weight], BeforeValidator(_fixed), AfterValidator(_summing_to_one)] = Field(
        description="weights by asset; they sum to 1 within 0.0001, and the quote is cash"
    )
    policy: Annotated[NoTradeRegionPolicy | ThresholdPolicy, Field(discriminator="kind")] = NoTradeRegionPolicy(
        kind="no_trade_region"
    )
    limits: LimitsSection = LimitsSection()
    windows: WindowsSection = WindowsSection()
    dry_run: bool = False


def load_document(path: Path) -> Document:
    """Read a portfolio file.

    Raises:
        ConfigurationError: with every problem of the file.

    """
    data, problems = read_yaml(path)
    source = str(path)
    try:
        document = Document.model_validate(data)
    except ValidationError as error:
        raise ConfigurationError(source, [*problems, *problems_of(error, Document, data)]) from None
    if problems:
        raise ConfigurationError(source, problems)
    return document


def canonical(document: Document) -> str:
    """Return the document as canonical JSON: every default spelled out, keys sorted, decimals as plain text."""
    return json.dumps(
        document.model_dump(exclude_none=True),
        default=_plain,
        sort_keys=True,
        separators=(",", ":"),
        ensure_ascii=False,
    )


@lru_cache(maxsize=_PARSED_MAX)
def parse_document(text: str, version: int) -> Portfolio:
    """Return the portfolio that a canonical document means; `version` counts what was applied.

    Raises:
        ConfigurationError: if the text is not a canonical document.

    """
    try:
        document = Document.model_validate_json(text)
    except ValidationError as error:
        raise ConfigurationError("portfolio document", problems_of(error, Document, _json(text))) from None
    return portfolio_of(document, version)


def portfolio_of(document: Document, version: int) -> Portfolio:
    """Return the portfolio that a document means."""
    return Portfolio(
        portfolio_id=document.portfolio,
        quote=document.quote,
        targets=_normalised(document.targets),
        accounts=tuple(document.accounts),
        policy=_policy(document.policy),
        limits=Limits(**document.limits.model_dump()),
        windows=Windows(
            weekdays=frozenset(WEEKDAYS.index(day) for day in document.windows.weekdays),
            minutes=tuple(sorted(part for text in document.windows.utc for part in _minutes(text))),
        ),
        dry_run=document.dry_run,
        version=version,
    )


def json_schema() -> str:
    """Return the JSON Schema of the portfolio file, as it is shipped for editors."""
    schema = Document.model_json_schema(schema_generator=_Numbers)
    return json.dumps({"$schema": GenerateJsonSchema.schema_dialect} | schema, indent=2) + "\n"


class _Numbers(GenerateJsonSchema):
    """Decimals are numbers in the file."""

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        bounds = {"minimum": schema.get("ge"), "exclusiveMinimum": schema.get("gt"), "maximum": schema.get("le")}
        return {"type": "number"} | {word: float(bound) for word, bound in bounds.items() if bound is not None}

    def encode_default(self, dft: object) -> Any:
        if isinstance(dft, BaseModel):
            return {name: self.encode_default(value) for name, value in dft if value is not None}
        return float(dft) if isinstance(dft, Decimal) else super().encode_default(dft)


def _normalised(targets: dict[str, Decimal]) -> tuple[tuple[str, Decimal], ...]:
    """Scale weights that were rounded by hand (thirds as 0.3333) to sum to exactly 1; the largest takes the rest."""
    total = sum(targets.values(), Decimal(0))
    weights = {asset: quantise(CONTEXT.divide(weight, total)) for asset, weight in sorted(targets.items())}
    largest = max(weights, key=lambda asset: weights[asset])
    weights[largest] += ONE - sum(weights.values(), Decimal(0))
    return tuple(weights.items())


def _policy(section: NoTradeRegionPolicy | ThresholdPolicy) -> Policy:
    match section:
        case NoTradeRegionPolicy():
            return NoTradeRegion(section.risk_aversion, section.max_deviation)
        case ThresholdPolicy():
            return Threshold(section.absolute, section.relative)


def _minutes(text: str) -> list[tuple[int, int]]:
    start, end = (int(part[:2]) * 60 + int(part[3:]) for part in text.split("-"))
    parts = [(start, end)] if start < end else [(start, DAY_MINUTES), (0, end)]
    return [(first, last) for first, last in parts if first < last]


def _plain(value: object) -> str:
    assert isinstance(value, Decimal), f"a document holds no {type(value).__name__}"
    return plain(value)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
