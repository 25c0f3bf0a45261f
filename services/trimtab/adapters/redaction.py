"""Keeps secrets out of what is written: by the name they go by, by their look, and by value."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

REDACTED = "[redacted]"

_NAMES = re.compile(
    r"secret|password|passwd|passphrase|api_?key|apikey|token|signature|authorization|credential|private_?key|dsn",
    re.IGNORECASE,
)
# name=value in query strings, headers and keyword lists; the name stays readable
_PAIRS = re.compile(
    r"(?i)\b((?:x-mbx-)?api_?-?key|secret|signature|password|passwd|token|authorization)"
    r"""(["']?\s*[=:]\s*["']?)(?:bearer\s+|basic\s+)?[^\s"'&,;)}\]]+"""
)
_ADDRESSES = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s:/@]+):[^\s@]+@")
VALUE_CHARACTERS_MIN = 6  # shorter ones would blot out innocent text


class Redaction:
    """Removes secrets from texts and from whatever holds texts."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """`secrets` are values to hide wherever they appear; those under six characters are left to their names."""
        values = sorted((s for s in set(secrets) if len(s) >= VALUE_CHARACTERS_MIN), key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, values))) if values else None

    def text(self, text: str) -> str:
        """Return a text without secrets."""
        if self._values is not None:
            text = self._values.sub(REDACTED, text)
        text = _ADDRESSES.sub(rf"\1:{REDACTED}@", text)
        return _PAIRS.sub(rf"\1\2{REDACTED}", text)

    def of(self, value: Any, name: str = "") -> Any:
        """Return a value without secrets; `name` is what it is called where it stands."""
        if isinstance(value, int | float | None):
            return value
        if name and value and _NAMES.search(name):
            return REDACTED
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {key: self.of(item, str(key)) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.of(item) for item in value]
        return self.text(str(value))
