"""Who sent a request: CB-ACCESS headers, HMAC signature, timestamp, passphrase ("Authentication")."""

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping

from trimtab.exchange.coinbase.refusals import unauthorized
from trimtab.exchange.errors import VenueError
from trimtab.exchange.signing import Credentials, Keys

WINDOW_SECONDS = 30.0
"""How far a request's timestamp may be from server time, either way."""

_SECONDS = re.compile(r"[0-9]+(\.[0-9]*)?", re.ASCII)
_HEADERS = ("CB-ACCESS-KEY", "CB-ACCESS-SIGN", "CB-ACCESS-TIMESTAMP", "CB-ACCESS-PASSPHRASE")
_FEED_PATH = "/users/self/verify"
_FEED_NAMES = ("key", "signature", "timestamp", "passphrase")


def decoded(secret: str) -> bytes:
    """A secret's bytes.

    Raises ValueError if it is no base64.
    """
    try:
        return base64.b64decode(secret, validate=True)
    except ValueError as error:  # binascii's are, and so is a text beyond ASCII
        raise ValueError("the secret is no base64, as Coinbase's are") from error


def signature(timestamp: str, method: str, path: str, body: str, secret: str) -> str:
    """HMAC-SHA256 of the joined texts, base64; `path` with its query."""
    payload = f"{timestamp}{method}{path}{body}".encode("utf-8", "surrogateescape")
    return base64.b64encode(hmac.new(decoded(secret), payload, hashlib.sha256).digest()).decode()


def check_request(keys: Keys, headers: Mapping[str, str], request: tuple[str, str, str], server_us: int) -> Credentials:
    """Who signed a REST request of (method, path with query, body).

    Raises VenueError 401.
    """
    given = [headers.get(name, "") for name in _HEADERS]
    for name, value in zip(_HEADERS, given, strict=True):
        if not value:
            raise unauthorized(f"{name} header is required")
    return _check(keys, (given[0], given[1], given[2], given[3]), request, server_us)


def check_feed(keys: Keys, message: Mapping[str, object], server_us: int) -> Credentials:
    """Who signed a subscription of the websocket feed.

    Raises VenueError 401.
    """
    given = [str(message.get(name) or "") for name in _FEED_NAMES]
    return _check(keys, (given[0], given[1], given[2], given[3]), ("GET", _FEED_PATH, ""), server_us)


def is_signed(message: Mapping[str, object]) -> bool:
    """Whether a subscription of the websocket feed is meant to be signed."""
    return any(name in message for name in _FEED_NAMES)


def _check(keys: Keys, given: tuple[str, str, str, str], request: tuple[str, str, str], server_us: int) -> Credentials:
    key, signed, timestamp, passphrase = given
    found = keys.find(key)
    if found is None:
        raise unauthorized("Invalid API Key")
    refusal = _expired(timestamp, server_us)
    if refusal is not None:
        raise refusal
    method, path, body = request
    expected = signature(timestamp, method, path, body, found.secret).encode()
    if not hmac.compare_digest(expected, signed.encode("utf-8", "replace")):
        raise unauthorized("invalid signature")
    if not hmac.compare_digest(found.passphrase.encode(), passphrase.encode("utf-8", "replace")):
        raise unauthorized("Invalid Passphrase")
    return found


def _expired(timestamp: str, server_us: int) -> VenueError | None:
    if _SECONDS.fullmatch(timestamp) is None:
        return unauthorized("invalid timestamp")
    expired = abs(server_us / 1e6 - float(timestamp)) > WINDOW_SECONDS
    return unauthorized("request timestamp expired") if expired else None
