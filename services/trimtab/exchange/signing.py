"""Who sent a request: API key, HMAC signature, timestamp and recvWindow (Binance spot API, "Request Security")."""

import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal

from trimtab.exchange import errors
from trimtab.exchange.params import instant_us

_RECV_WINDOW_MS = Decimal(5000)
_RECV_WINDOW_MS_MAX = Decimal(60_000)
_RECV_WINDOW = re.compile(r"[0-9]{1,20}(\.[0-9]{1,3})?", re.ASCII)
_AHEAD_US_MAX = 1_000_000
_SIGNATURE = re.compile(r"(?:^|&)signature=([^&]*)")


@dataclass(frozen=True, slots=True)
class Credentials:
    """An account's API key and secret, and the passphrase where a dialect has one."""

    account: str
    api_key: str
    secret: str
    passphrase: str = ""


def signature(payload: str, secret: str) -> str:
    """HMAC-SHA256 of the payload, hexadecimal. Bytes that are no UTF-8 stand in the payload as surrogates."""
    return hmac.new(secret.encode(), payload.encode("utf-8", "surrogateescape"), hashlib.sha256).hexdigest()


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

    def find(self, api_key: str | None) -> Credentials | None:
        """The credentials of an API key; None if nobody has it."""
        return self._by_key.get(api_key or "")

    def account(self, api_key: str | None) -> str | None:
        """Whose key it is, whether or not anything is signed with it; None if nobody's."""
        found = self.find(api_key)
        return found.account if found is not None else None

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

    def check(self, api_key: str | None, params: Mapping[str, object], payload: str, server_us: int) -> str:
        """The account that signed `payload`; `params` are the request's, `server_us` is server time.

        Raises VenueError -2014, -2015, -1102, -1105, -1100, -1108, -1131, -1021 or -1022.
        """
        credentials = self.known(api_key)
        timestamp_us = instant_us("timestamp", _sent(params, "timestamp"))
        given = _sent(params, "signature")
        window_us = _window_us(params.get("recvWindow"))
        if timestamp_us >= server_us + _AHEAD_US_MAX:
            raise errors.ahead_of_server()
        if server_us - timestamp_us > window_us:
            raise errors.outside_window()
        expected = signature(payload, credentials.secret).encode()
        if not hmac.compare_digest(expected, given.lower().encode("utf-8", "replace")):
            raise errors.bad_signature()
        return credentials.account


def _sent(params: Mapping[str, object], name: str) -> str:
    value = params.get(name)
    if value is None:
        raise errors.mandatory(name)
    if value == "":
        raise errors.empty(name)
    return str(value)


def _window_us(value: object) -> Decimal:
    """`recvWindow` in microseconds: milliseconds with up to three decimals, five seconds if not sent."""
    if value is None:
        return _RECV_WINDOW_MS * 1000
    text = str(value)
    if not text:
        raise errors.empty("recvWindow")
    if not _RECV_WINDOW.fullmatch(text):
        raise errors.illegal_characters("recvWindow", "^([0-9]{1,20})(\\.[0-9]{1,3})?$")
    window_ms = Decimal(text)
    if window_ms > _RECV_WINDOW_MS_MAX:
        raise errors.window_too_wide()
    return window_ms * 1000
