"""Portfolio files with other values: what `--vary KEY=VALUE,...` asks for, every combination of it."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import product
from typing import Any

from pydantic import ValidationError

from trimtab.configuration import ConfigurationError, problems_of
from trimtab.documents import canonical
from trimtab.domain.errors import InvalidValueError
from trimtab.portfolio_file import Document

_VARIANTS_MAX = 10_000


@dataclass(frozen=True, slots=True)
class Variant:
    """Values by their paths in a portfolio file, as ("policy.risk_aversion", "5")."""

    values: tuple[tuple[str, str], ...]

    def __str__(self) -> str:
        return " ".join(f"{path}={value}" for path, value in self.values)

    def of(self, document: Document) -> Document:
        """Return the portfolio file with these values. Another `policy.kind` begins that policy anew.

        Raises:
            ConfigurationError: if it does not hold so.
        """
        data = json.loads(canonical(document))
        kind = dict(self.values).get("policy.kind")
        if kind is not None and kind != data["policy"]["kind"]:
            data["policy"] = {"kind": kind}
        for path, value in self.values:
            *sections, key = path.split(".")
            section = data
            for name in sections:
                section = section.setdefault(name, {})
            section[key] = int(value) if isinstance(section.get(key), int) and value.isdigit() else value
        return document_of(data, str(self))


def variants(asked: Iterable[str]) -> list[Variant]:
    """Return every combination of what is asked for, each as "policy.absolute=0.02,0.05".

    Raises:
        InvalidValueError: if it is not so, or there are too many.
    """
    axes = [_axis(text) for text in asked]
    count = 1
    for axis in axes:
        count *= len(axis)
    if count > _VARIANTS_MAX:
        raise InvalidValueError("--vary", f"{count} combinations", f"at most {_VARIANTS_MAX}")
    return [Variant(values) for values in product(*axes)] if axes else []


def document_of(data: Mapping[str, Any], source: str = "portfolio document") -> Document:
    """Return the portfolio file that this means.

    Raises:
        ConfigurationError: with every problem of it.
    """
    try:
        return Document.model_validate_json(json.dumps(data))
    except ValidationError as error:
        raise ConfigurationError(source, problems_of(error, Document, data)) from None


def _axis(text: str) -> list[tuple[str, str]]:
    path, separator, values = text.partition("=")
    found = [value.strip() for value in values.split(",")]
    if not separator or not all(path.split(".")) or not all(found):
        raise InvalidValueError("--vary", text, "a key and its values, as policy.absolute=0.02,0.05")
    return [(path, value) for value in dict.fromkeys(found)]
