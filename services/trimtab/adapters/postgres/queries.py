"""Reads `queries.sql`: `-- name:` begins a query, `-- include:` puts another one before it; other comments go."""

import re
from importlib import resources
from typing import Final

_NAME = re.compile(r"^-- name: (\w+)$", re.MULTILINE)
_INCLUDE = re.compile(r"^-- include: (\w+)$", re.MULTILINE)
_COMMENT = re.compile(r"^--.*\n?", re.MULTILINE)


def parse(text: str) -> dict[str, str]:
    """Return the queries of a file by name.

    Raises ValueError for a name that stands twice, KeyError for an include of what does not stand before it.
    """
    _, *parts = _NAME.split(text)
    queries: dict[str, str] = {}
    for name, body in zip(parts[::2], parts[1::2], strict=True):
        if name in queries:
            raise ValueError(f"queries.sql: {name} stands twice")
        before = [queries[included] for included in _INCLUDE.findall(body)]
        queries[name] = "\n".join([*before, _COMMENT.sub("", body).strip()])
    return queries


SQL: Final = parse(resources.files(__package__).joinpath("queries.sql").read_text(encoding="utf-8"))
