"""What is wrong with a configuration: every problem at once, each with path, value found and what is allowed."""

import difflib
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails, PydanticCustomError

from trimtab.domain.amounts import plain
from trimtab.domain.errors import TrimtabError

VALUE_LENGTH_MAX = 80
PROBLEMS_MAX = 100

ASSET = r"^[A-Z0-9]{1,20}$"
NAME = r"^[a-z0-9][a-z0-9-]{0,62}$"
WINDOW = r"^([01][0-9]|2[0-3]):[0-5][0-9]-(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$"
INSTRUMENT = r"^[A-Z0-9]{1,20}/[A-Z0-9]{1,20}$"
TOPIC_PREFIX = r"^([a-z0-9-]+\.)?$"

# names of a union's members where no key of the file tells them apart
FIXED, COMPUTED = "<fixed>", "<computed>"

# every pattern that a model uses, in words
PATTERNS = {
    ASSET: "upper-case letters and digits, at most 20",
    NAME: "lower-case letters, digits and hyphens, at most 63, not starting with a hyphen",
    WINDOW: 'from-to in UTC, as "08:00-16:30", "22:00-02:00" or "00:00-24:00"',
    INSTRUMENT: 'base and quote in upper-case letters and digits, as "BTC/USDT"',
    TOPIC_PREFIX: "nothing, or lower-case letters, digits and hyphens ending in a dot",
}


@dataclass(frozen=True, slots=True)
class Described:
    """Stands for a value that is not shown itself."""

    words: str

    def __repr__(self) -> str:
        return self.words


HIDDEN = Described("a value that is not shown")


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem: where it stands ("targets.BTC"), what was found (None: nothing), what is allowed."""

    path: str  # empty: the whole
    value: object
    allowed: str

    def __str__(self) -> str:
        return f"{self.path or 'the whole'}: {self.complaint}"

    @property
    def complaint(self) -> str:
        """Return the problem without its place."""
        return f"found {shown(self.value)}; allowed: {self.allowed}"

    def as_json(self) -> dict[str, object]:
        """Return the problem as `--json` prints it."""
        value = self.value if self.value is None or isinstance(self.value, bool | int | str) else shown(self.value)
        return {"path": self.path, "value": value, "allowed": self.allowed}


class ConfigurationError(TrimtabError):
    """A configuration does not hold: one line a problem, of a hundred at most."""

    exit_code = 2

    def __init__(self, source: str, problems: Sequence[Problem]) -> None:
        if len(problems) > PROBLEMS_MAX:
            more = Problem("the rest", Described(f"{len(problems) - PROBLEMS_MAX} more problems"), "none")
            problems = [*problems[:PROBLEMS_MAX], more]
        super().__init__("\n".join(f"{source}: {problem}" for problem in problems))
        self.source = source
        self.problems = tuple(problems)


def refuse(*problems: Problem) -> PydanticCustomError:
    """Return the error a validator raises to report these problems; their paths are relative to the validated value."""
    return PydanticCustomError("problems", "refused", {"problems": problems})


def problems_of(error: ValidationError, model: type[BaseModel], data: object = None) -> list[Problem]:
    """Translate what pydantic found wrong with `data`, in the order of the model's fields.

    Without `data`, a path keeps the names of union members.
    """
    found: list[Problem] = []
    for detail in error.errors():
        path = _path(detail["loc"], data)
        if detail["type"] == "problems":
            refused: tuple[Problem, ...] = detail["ctx"]["problems"]
            found.extend(Problem(joined(path, each.path), each.value, each.allowed) for each in refused)
        elif detail["type"] == "extra_forbidden":
            found.append(Problem(path, detail["input"], one_of(_keys(model, detail["loc"]), str(detail["loc"][-1]))))
        else:
            found.append(_translated(detail, path))
    return found


def first_problem(error: ValidationError) -> Problem:
    """Translate the first thing that pydantic found wrong with a single value."""
    return _translated(error.errors()[0], "")


def one_of(names: Iterable[str], found: str) -> str:
    """Return "one of ..." with the name that was probably meant."""
    known = sorted(names)
    return f"one of {', '.join(known) or '(none)'}{meant(known, found)}"


def meant(names: Iterable[str], found: str, prefix: str = "") -> str:
    """Return " (did you mean ...?)", or nothing where no name is close; all names start with `prefix`."""
    close = difflib.get_close_matches(found.removeprefix(prefix), [name.removeprefix(prefix) for name in names], n=1)
    return f" (did you mean {prefix}{close[0]}?)" if close else ""


def joined(path: str, rest: str) -> str:
    """Return a path one step longer; either part may be empty, and "[2]" is a step."""
    return path + rest if rest.startswith("[") else ".".join(part for part in (path, rest) if part)


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


def _path(loc: tuple[int | str, ...], data: object) -> str:
    """Return the path in the file: pydantic's location without the names of union members and validators."""
    path, unknown = "", data is None
    for index, part in enumerate(loc):
        if isinstance(data, Mapping) and part in data:
            path, data = joined(path, str(part)), data[part]
        elif isinstance(part, int):
            path += f"[{part}]"
            data = data[part] if isinstance(data, Sequence) and part < len(data) else None
        elif part in {"[key]", FIXED, COMPUTED} or (isinstance(data, Mapping) and data.get("kind") == part):
            continue
        elif unknown or index == len(loc) - 1:
            path = joined(path, part)
    return path


def _keys(model: type[BaseModel], loc: tuple[int | str, ...]) -> Iterable[str]:
    """Return the keys that are allowed where pydantic found an unknown one."""
    models = [model]
    for part in loc[:-1]:
        inner = [each.model_fields[part].annotation for each in models if part in each.model_fields]
        tagged = [each for each in models if "kind" in each.model_fields and part in _tags(each)]
        models = [each for annotation in inner for each in _models(annotation)] or tagged or models
    return {name for each in models for name in each.model_fields}


def _tags(model: type[BaseModel]) -> tuple[object, ...]:
    return get_args(model.model_fields["kind"].annotation)


def _models(annotation: object) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [model for argument in get_args(annotation) for model in _models(argument)]


def _translated(error: ErrorDetails, path: str) -> Problem:
    context: dict[str, Any] = error.get("ctx", {})
    kind = error["type"]
    if kind == "missing":
        return Problem(path, None, "a value; it is required")
    if kind == "union_tag_not_found":
        return Problem(joined(path, context["discriminator"].strip("'")), None, "a value; it is required")
    if kind == "union_tag_invalid":
        return Problem(
            joined(path, context["discriminator"].strip("'")), context["tag"], f"one of {context['expected_tags']}"
        )
    wording = _ALLOWED.get(kind)
    allowed = wording(context) if callable(wording) else wording
    return Problem(path, error["input"], allowed or re.sub(r"^(Input|Value) (should|must) be ", "", error["msg"]))


def _bound(value: object) -> object:
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Wording = str | Callable[[dict[str, Any]], str]
_MAPPING = "a mapping of keys to values"
_NUMBER = "a number"
_WHOLE = "a whole number"
_LIST = "a list"

# pydantic's error types in words; what is not here falls back on pydantic's own message
_ALLOWED: dict[str, _Wording] = {
    "invalid_key": "keys that are text",
    "string_type": "text",
    "string_pattern_mismatch": lambda context: PATTERNS[context["pattern"]],
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
    "greater_than": lambda context: f"a number above {_bound(context['gt'])}",
    "greater_than_equal": lambda context: f"a number of at least {_bound(context['ge'])}",
    "less_than": lambda context: f"a number below {_bound(context['lt'])}",
    "less_than_equal": lambda context: f"a number of at most {_bound(context['le'])}",
    "literal_error": lambda context: (
        f"one of {context['expected']}" if " or " in context["expected"] else context["expected"]
    ),
    "list_type": _LIST,
    "tuple_type": _LIST,
    "too_short": lambda context: f"at least {context['min_length']} of them",
    "too_long": lambda context: f"at most {context['max_length']} of them",
    "dict_type": _MAPPING,
    "model_type": _MAPPING,
    "model_attributes_type": _MAPPING,
    "path_type": "a file's path",
}
