"""Who sent a request: API key, HMAC signature, timestamp and recvWindow (Binance spot API, "Endpoint security")."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass

from trimtab.exchange import errors

_RECV_WINDOW_MS = 5000
_RECV_WINDOW_MS_MAX = 60_000
_AHEAD_MS_MAX = 1000
_SIGNATURE = re.compile(r"(?:^|&)signature=([^&]*)")


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account's API key and secret."""

    account: str
    api_key: str
    secret: str


def signature(payload: str, secret: str) -> str:
    """HMAC-SHA256 of the payload, hexadecimal."""
    return hmac.new(secret.encode(), payload.encode(), hashlib.sha256).hexdigest()


def signed_part(query: str, body: str) -> str:
    """What a REST request's signature covers: query and body as sent, joined, without the signature."""
    return _SIGNATURE.sub("", query) + _SIGNATURE.sub("", body)


def sorted_part(params: Mapping[str, object]) -> str:
    """What a websocket API request's signature covers: parameters by name, unescaped, without the signature."""
    return "&".join(f"{name}={params[name]}" for name in sorted(params) if name != "signature")


class Keys:
    """All credentials, by API key."""

    def __init__(self) -> None:
        self._by_key: dict[str, Credentials] = {}

    def add(self, credentials: Credentials) -> None:
        """Let an account in.

        Raises ValueError if another account has this key.
        """
        if self._by_key.setdefault(credentials.api_key, credentials) != credentials:
            raise ValueError(f"api key of {credentials.account}: {self._by_key[credentials.api_key].account} has it")

    def known(self, api_key: str | None) -> Credentials:
        """The credentials of an API key.

        Raises VenueError -2014 without a key, -2015 for an unknown one.
        """
        if not api_key:
            raise errors.key_format()
        found = self._by_key.get(api_key)
        if found is None:
            raise errors.key_unknown()
        return found

    def check(self, api_key: str | None, params: Mapping[str, object], payload: str, server_ms: int) -> str:
        """The account that signed `payload`; `params` are the request's.

        Raises VenueError -2014, -2015, -1102, -1131, -1021 or -1022, in this order.
        """
        credentials = self.known(api_key)
        timestamp = _milliseconds(params, "timestamp")
        if timestamp is None:
            raise errors.mandatory("timestamp")
        given = params.get("signature")
        if not given:
            raise errors.mandatory("signature")
        window = _milliseconds(params, "recvWindow")
        window = _RECV_WINDOW_MS if window is None else window
        if window > _RECV_WINDOW_MS_MAX:
            raise errors.window_too_wide()
        if timestamp >= server_ms + _AHEAD_MS_MAX:
            raise errors.ahead_of_server()
        if server_ms - timestamp > window:
            raise errors.outside_window()
        if not hmac.compare_digest(signature(payload, credentials.secret), str(given)):
            raise errors.bad_signature()
        return credentials.account


def _milliseconds(params: Mapping[str, object], name: str) -> int | None:
    value = params.get(name)
    if value is None or value == "":
        return None
    text = str(value)
    if not re.fullmatch(r"\d{1,19}", text):
        raise errors.illegal_characters(name, "^[0-9]{1,20}$")
    return int(text)
