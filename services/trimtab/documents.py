"""The portfolio file: what its owner writes (YAML), how it is kept (canonical JSON), and the portfolio it means."""

import json
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from trimtab.configuration import ConfigurationError, problems_of
from trimtab.domain.amounts import CONTEXT, ONE, ZERO, plain, quantise
from trimtab.domain.portfolio import (
    Allocation,
    Calendar,
    CostAdjusted,
    Hybrid,
    Limits,
    NoTradeRegion,
    Policy,
    Portfolio,
    Threshold,
    VolatilityThreshold,
    Windows,
)
from trimtab.portfolio_file import (
    WEEKDAYS,
    CalendarPolicy,
    ComputedTargets,
    CostAdjustedPolicy,
    Document,
    HybridPolicy,
    NoTradeRegionPolicy,
    PolicySection,
    ThresholdPolicy,
    VolatilityThresholdPolicy,
    minutes_of,
)
from trimtab.yaml_text import read_yaml

_PARSED_MAX = 65_536  # more documents than one worker has portfolios
# Sections and policies have the same keys.
_POLICIES: Mapping[type[PolicySection], type[Policy]] = {
    NoTradeRegionPolicy: NoTradeRegion,
    CalendarPolicy: Calendar,
    ThresholdPolicy: Threshold,
    HybridPolicy: Hybrid,
    VolatilityThresholdPolicy: VolatilityThreshold,
    CostAdjustedPolicy: CostAdjusted,
}


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
    """Return the portfolio that a document means; one with a method has no targets before they are worked out."""
    targets = document.targets
    return Portfolio(
        portfolio_id=document.portfolio,
        quote=document.quote,
        targets=() if isinstance(targets, ComputedTargets) else _normalised(targets),
        accounts=tuple(document.accounts),
        policy=_policy(document.policy),
        limits=Limits(**document.limits.model_dump()),
        windows=Windows(
            weekdays=frozenset(WEEKDAYS.index(day) for day in document.windows.weekdays),
            minutes=tuple(sorted(part for text in document.windows.utc for part in minutes_of(text))),
        ),
        dry_run=document.dry_run,
        version=version,
        allocation=_allocation(targets) if isinstance(targets, ComputedTargets) else None,
    )


def json_schema() -> str:
    """Return the JSON Schema of the portfolio file, as it is shipped for editors."""
    schema = Document.model_json_schema(schema_generator=_Numbers)
    return json.dumps({"$schema": GenerateJsonSchema.schema_dialect} | schema, indent=2) + "\n"


class _Numbers(GenerateJsonSchema):
    """Decimals are numbers in the file, and keys are as their pattern says."""

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        found = super().dict_schema(schema)
        return found | {"additionalProperties": False} if "patternProperties" in found else found

    def decimal_schema(self, schema: core_schema.DecimalSchema) -> JsonSchemaValue:
        bounds = {"minimum": schema.get("ge"), "exclusiveMinimum": schema.get("gt"), "maximum": schema.get("le")}
        return {"type": "number"} | {word: float(bound) for word, bound in bounds.items() if bound is not None}

    def encode_default(self, dft: object) -> Any:
        if isinstance(dft, BaseModel):
            return {name: self.encode_default(value) for name, value in dft if value is not None}
        return float(dft) if isinstance(dft, Decimal) else super().encode_default(dft)


def _allocation(section: ComputedTargets) -> Allocation:
    assets = tuple(sorted(section.assets))
    bounds = (section.bounds.get(asset, [ZERO, ONE]) for asset in assets)
    return Allocation(
        method=section.method,
        assets=assets,
        every=section.every,
        bounds=tuple((low, high) for low, high in bounds),
        cash=section.cash,
        smoothing=section.smoothing,
        min_change=section.min_change,
    )


def _normalised(targets: dict[str, Decimal]) -> tuple[tuple[str, Decimal], ...]:
    """Scale weights that were rounded by hand (thirds as 0.3333) to sum to exactly 1; the largest takes the rest."""
    total = sum(targets.values(), Decimal(0))
    weights = {asset: quantise(CONTEXT.divide(weight, total)) for asset, weight in sorted(targets.items())}
    largest = max(weights, key=lambda asset: weights[asset])
    weights[largest] += ONE - sum(weights.values(), Decimal(0))
    return tuple(weights.items())


def _policy(section: PolicySection) -> Policy:
    return _POLICIES[type(section)](**section.model_dump(exclude={"kind"}))


def _plain(value: object) -> str:
    assert isinstance(value, Decimal), f"a document holds no {type(value).__name__}"
    return plain(value)


def _json(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return None
