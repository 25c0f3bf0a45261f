"""Bodies of controls: strict JSON, refused in one line."""

from decimal import Decimal
from typing import Annotated, Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trimtab.exchange.errors import VenueError

_Model = TypeVar("_Model", bound=BaseModel)

UNITS_MAX = Decimal(10) ** 15
"""As much as anybody may bring of an asset at once: sums are exact far beyond it, with all decimals there are."""

Amount = Annotated[Decimal, Field(gt=0, le=UNITS_MAX, decimal_places=8)]
Count = Annotated[int, Field(ge=1, le=2**53)]
Milliseconds = Annotated[int, Field(ge=0, le=31_536_000_000)]
"""A year at most."""

_SAID_MAX = 100  # characters of what was found that a complaint repeats


class Strict(BaseModel):
    """A body that has nothing but what is named."""

    model_config = ConfigDict(extra="forbid", frozen=True)


async def body_of(request: web.Request, model: type[_Model]) -> _Model:
    """A request's body.

    Raises VenueError -1 in one line if it is not as the model says.
    """
    try:
        return model.model_validate_json(await request.read())
    except ValidationError as error:
        raise VenueError(-1, complaint(error)) from error


def complaint(error: ValidationError) -> str:
    """A validation error in one line: where, what was found, what is allowed."""
    parts: list[str] = []
    for found in error.errors(include_url=False, include_context=False):
        where = ".".join(str(part) for part in found["loc"]) or "body"
        value: Any = found.get("input")
        parts.append(f"{where}: found {repr(value)[:_SAID_MAX]}, {found['msg']}")
    return "; ".join(parts)
