"""Keeps secrets out of what is written: by the name they go by, by their look, and by value."""

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import quote, quote_plus

REDACTED = "[redacted]"

_NAMES = re.compile(
    r"secret|password|passwd|passphrase|api_?key|apikey|token|signature|authorization|credential|private_?key|dsn",
    re.IGNORECASE,
)
# name=value in query strings, headers and keyword lists; the name stays readable
_PAIRS = re.compile(
    r"(?i)((?<![\w.-])[\w.-]*(?:api_?-?key|secret|signature|password|passwd|passphrase|token|authorization))"
    r"""(["']?\s*[=:]\s*)"""
    r"""(?:(")(?:[^"\\]|\\.)*"|(')(?:[^'\\]|\\.)*'|["']?(?:bearer\s+|basic\s+)?[^\s"'&,;)}\]]+)"""
)
_ADDRESSES = re.compile(r"(?i)\b([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s/]*@|\b([a-z][a-z0-9+.-]*://[^\s:/@]*):[^\s@]+@")
VALUE_CHARACTERS_MIN = 6  # shorter ones would blot out innocent text


class Redaction:
    """Removes secrets from texts and from whatever holds texts."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """`secrets` are values to hide wherever they appear; those under six characters are left to their names."""
        long = {secret for secret in secrets if len(secret) >= VALUE_CHARACTERS_MIN}
        values = sorted({spelling for secret in long for spelling in _spellings(secret)}, key=len, reverse=True)
        self._values = re.compile("|".join(map(re.escape, values))) if values else None

    def message(self, text: str) -> str:
        """Return a sentence for a person without secrets: by value and in addresses. Names of settings stay as said."""
        if self._values is not None:
            text = self._values.sub(REDACTED, text)
        return _ADDRESSES.sub(lambda found: f"{found[1] or found[2]}:{REDACTED}@", text)

    def text(self, text: str) -> str:
        """Return any text without secrets."""
        return _PAIRS.sub(_without_value, self.message(text))

    def of(self, value: Any, name: str = "") -> Any:
        """Return a value without secrets; `name` is what it is called where it stands."""
        if isinstance(value, int | float | None):
            return value
        if name and value and _NAMES.search(name):
            return REDACTED
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, Mapping):
            return {self._key(key): self.of(item, str(key)) for key, item in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.of(item) for item in value]
        return self.text(value.decode("utf-8", "replace") if isinstance(value, bytes | bytearray) else str(value))

    def _key(self, key: object) -> object:
        return self.text(key) if isinstance(key, str) else key


def _without_value(found: re.Match[str]) -> str:
    quote_mark = found[3] or found[4] or ""
    return f"{found[1]}{found[2]}{quote_mark}{REDACTED}{quote_mark}"


_NOTHING_KNOWN = Redaction()
_own: ContextVar[Redaction] = ContextVar("redaction", default=_NOTHING_KNOWN)


def hide(secrets: Iterable[str]) -> None:
    """Hide these values, and no others, in what this process says from now on."""
    _own.set(Redaction(secrets))


def said(text: str) -> str:
    """Return a sentence for a person without the secrets that this process was told to hide."""
    return _own.get().message(text)


def _spellings(secret: str) -> Iterator[str]:
    """Yield a secret as it stands in a text, an address, a query, JSON and a quoted string."""
    yield from (secret, quote(secret), quote(secret, safe=""), quote_plus(secret))
    yield from (json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1], repr(secret)[1:-1])
