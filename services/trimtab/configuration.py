"""What is wrong with a configuration: every problem at once, each with path, value found and what is allowed."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from pydantic_core import ErrorDetails, PydanticCustomError

from trimtab.domain.amounts import plain
from trimtab.domain.errors import TrimtabError

VALUE_LENGTH_MAX = 80


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: where it stands ("targets.BTC"), what was found (None: nothing), what is allowed."""

    path: str
    value: object
    allowed: str

    def __str__(self) -> str:
        return f"{self.path}: found {shown(self.value)}; allowed: {self.allowed}"

    def as_json(self) -> dict[str, object]:
        """Return the problem as `--json` prints it."""
        value = self.value if self.value is None or isinstance(self.value, bool | int | str) else shown(self.value)
        return {"path": self.path, "value": value, "allowed": self.allowed}


class ConfigurationError(TrimtabError):
    """A configuration does not hold: one line a problem."""

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.source = source
        self.problems = tuple(problems)


def refuse(*problems: Problem) -> PydanticCustomError:
    """Return the error a validator raises to report these problems; their paths are relative to the validated value."""
    return PydanticCustomError("problems", "refused", {"problems": problems})


def problems_of(errors: Iterable[ErrorDetails], data: object) -> list[Problem]:
    """Translate pydantic's errors about `data` into problems, in the order of their paths in the models."""
    found: list[Problem] = []
    for error in errors:
        path = _path(error["loc"], data)
        if error["type"] == "problems":
            refused: tuple[Problem, ...] = error["ctx"]["problems"]
            found.extend(Problem(_joined(path, each.path), each.value, each.allowed) for each in refused)
        else:
            found.append(_translated(error, path))
    return found


def shown(value: object) -> str:
    """Return a value as a person wrote it, on one line and not longer than 80 characters."""
    match value:
        case None:
            text = "nothing"
        case bool():
            text = str(value).lower()
        case Decimal():
            text = plain(value) if value.is_finite() else str(value)
        case Mapping():
            text = "{" + ", ".join(f"{key}: {shown(item)}" for key, item in value.items()) + "}"
        case list() | tuple():
            text = "[" + ", ".join(shown(item) for item in value) + "]"
        case _:
            text = repr(value)
    return text if len(text) <= VALUE_LENGTH_MAX else text[: VALUE_LENGTH_MAX - 1] + "…"


def _joined(path: str, rest: str) -> str:
    return ".".join(part for part in (path, rest) if part)


def _path(loc: tuple[int | str, ...], data: object) -> str:
    """Return the path in the file: pydantic's location without the names of union members and validators."""
    path = ""
    for index, part in enumerate(loc):
        if isinstance(part, int):
            path += f"[{part}]"
            data = data[part] if isinstance(data, Sequence) and part < len(data) else None
        elif isinstance(data, Mapping) and part in data:
            path, data = _joined(path, part), data[part]
        elif index == len(loc) - 1 and part != "[key]":
            path = _joined(path, part)
    return path or "(the whole)"


def _translated(error: ErrorDetails, path: str) -> Problem:
    context: dict[str, Any] = error.get("ctx", {})
    kind = error["type"]
    if kind == "missing":
        return Problem(path, None, "a value; it is required")
    if kind == "union_tag_not_found":
        return Problem(_joined(path, context["discriminator"].strip("'")), None, "a value; it is required")
    if kind == "union_tag_invalid":
        return Problem(
            _joined(path, context["discriminator"].strip("'")), context["tag"], f"one of {context['expected_tags']}"
        )
    wording = _ALLOWED.get(kind)
    allowed = wording(context) if callable(wording) else wording
    return Problem(path, error["input"], allowed or re.sub(r"^(Input|Value) (should|must) be ", "", error["msg"]))


_Wording = str | Callable[[dict[str, Any]], str]
_MAPPING = "a mapping of keys to values"
_NUMBER = "a number"
_WHOLE = "a whole number"
_LIST = "a list"

# pydantic's error types in words; what is not here falls back on pydantic's own message
_ALLOWED: dict[str, _Wording] = {
    "extra_forbidden": "no such key here",
    "invalid_key": "keys that are text",
    "string_type": "text",
    "string_pattern_mismatch": lambda context: f"text that matches {context['pattern']}",
    "string_too_short": lambda context: f"text of at least {context['min_length']} characters",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "int_type": _WHOLE,
    "int_parsing": _WHOLE,
    "int_from_float": _WHOLE,
    "int_parsing_size": "a smaller whole number",
    "float_type": _NUMBER,
    "float_parsing": _NUMBER,
    "decimal_type": _NUMBER,
    "decimal_parsing": _NUMBER,
    "finite_number": "a finite number",
    "decimal_max_places": lambda context: f"at most {context['decimal_places']} decimals",
    "decimal_max_digits": lambda context: f"at most {context['max_digits']} digits",
    "decimal_whole_digits": lambda context: f"at most {context['whole_digits']} digits before the point",
    "greater_than": lambda context: f"a number above {context['gt']}",
    "greater_than_equal": lambda context: f"a number of at least {context['ge']}",
    "less_than": lambda context: f"a number below {context['lt']}",
    "less_than_equal": lambda context: f"a number of at most {context['le']}",
    "literal_error": lambda context: (
        f"one of {context['expected']}" if " or " in context["expected"] else context["expected"]
    ),
    "list_type": _LIST,
    "tuple_type": _LIST,
    "too_short": lambda context: f"at least {context['min_length']} of them",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "path_type": "a file's path",
}
