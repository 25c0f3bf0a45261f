"""Bodies of controls: strict JSON, refused in one line."""

from typing import Any, TypeVar

from aiohttp import web
from pydantic import BaseModel, ConfigDict, ValidationError

from trimtab.exchange.errors import VenueError

_Model = TypeVar("_Model", bound=BaseModel)

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
