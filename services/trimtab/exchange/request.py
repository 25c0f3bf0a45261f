"""A request's parameters as they were sent, taken apart and counted before anything is made of them.

Binance spot API, "General Information on Endpoints": parameters come in the query, of POST, PUT and DELETE also in a
form as body; of one in both places the query's counts.
"""

from collections.abc import Mapping
from urllib.parse import parse_qsl

from trimtab.exchange import errors
from trimtab.exchange.endpoints import Endpoint

FORM = "application/x-www-form-urlencoded"


def read(endpoint: Endpoint, query: str, form: str) -> Mapping[str, str]:
    """The values by name.

    Raises VenueError -1101 for a name that stands twice in query or form, and for more names than the endpoint has.
    """
    values = {**_pairs(form), **_pairs(query)}
    if endpoint.strict and len(values) > len(endpoint.names):
        raise errors.too_many(len(endpoint.names), len(values))
    return values


def check(endpoint: Endpoint, values: Mapping[str, str]) -> None:
    """Hold what was sent against what the endpoint reads.

    Raises VenueError -1102 (something is missing), -1105 (something is empty) or -1104 (something is not read), in
    this order.
    """
    for name in endpoint.needed:
        if name not in values:
            raise errors.mandatory(name)
    known = [name for name in endpoint.names if name in values]
    for name in known:
        if not values[name]:
            raise errors.empty(name)
    if endpoint.strict and len(known) < len(values):
        raise errors.unread(len(known), len(values))


def _pairs(text: str) -> dict[str, str]:
    values: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        plain = _unicode(name)
        if plain in values:
            raise errors.repeated(plain)
        values[plain] = _unicode(value)
    return values


def _unicode(text: str) -> str:
    """Bytes that are no UTF-8 become question marks, which nothing allows."""
    return text.encode("utf-8", "replace").decode()
