"""Addresses, checked when the settings are read: what cannot be one is said at once instead of being waited for."""

import re
from collections.abc import Callable
from typing import Annotated
from urllib.parse import urlsplit

from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict
from pydantic import AfterValidator, SecretStr

from trimtab.configuration import Described, Problem, refuse, shown

_HOST = re.compile(r"^(?:[A-Za-z0-9_](?:[A-Za-z0-9._-]*[A-Za-z0-9_.])?|\[[0-9A-Fa-f:.]+(?:%[A-Za-z0-9]+)?\])$")
_PORT = re.compile(r"^[0-9]{1,5}$")
_USER_INFO = re.compile(r"^([^/=]*//)?.*@")  # as far as it goes: a password may hold what should have been escaped
_PASSWORD = re.compile(r"(?i)(password\s*=\s*)(?:'(?:[^'\\]|\\.)*'|.*?)(?=\s+\w+\s*=|\s*$)")
_QUERY_PASSWORD = re.compile(r"(?i)(password\s*=)[^&\s]*")
_DSN_NUMBERS = {"connect_timeout", "keepalives", "keepalives_idle", "keepalives_interval", "tcp_user_timeout"}
_SSL_MODES = ("disable", "allow", "prefer", "require", "verify-ca", "verify-full")

BROKERS_ALLOWED = 'brokers as "host:9092", with ports from 1 to 65535; several are separated by commas'
DSN_ALLOWED = (
    'an address of PostgreSQL, as "postgresql://role@host:5432/database" or "host=host port=5432 dbname=database '
    'user=role", with ports from 1 to 65535'
)


def without_password(address: str) -> str:
    """Return an address as it may be shown: what stands before an @, and every password, left out."""
    if "://" in address or "=" not in address:
        return _QUERY_PASSWORD.sub(r"\1…", _USER_INFO.sub(r"\1…@", address))
    return _PASSWORD.sub(r"\1…", address)


def _refused(address: str, allowed: str) -> Exception:
    return refuse(Problem("", Described(shown(without_password(address))), allowed))


def _is_port(text: str) -> bool:
    return bool(_PORT.match(text)) and 1 <= int(text) <= 65535


def _brokers(text: str) -> str:
    brokers = [broker.strip() for broker in text.split(",")]
    for broker in brokers:
        host, _, port = broker.rpartition(":")
        if not (_HOST.match(host) and _is_port(port)):
            raise _refused(text, BROKERS_ALLOWED)
    return ",".join(brokers)


def _url(*schemes: str) -> Callable[[str], str]:
    """Return the check of an address of these schemes, the plain one first."""
    allowed = f"an address that starts with {' or '.join(f'{scheme}://' for scheme in schemes)}"

    def check(text: str) -> str:
        try:
            parts = urlsplit(text)
            port = parts.port
        except ValueError:
            raise _refused(text, f"{allowed}, with a port from 1 to 65535") from None
        if parts.scheme not in schemes or not parts.hostname or re.search(r"\s", text):
            raise _refused(text, allowed)
        if port == 0 or parts.netloc.endswith(":"):
            raise _refused(text, f"{allowed}, with a port from 1 to 65535")
        return text

    return check


def _dsn(secret: SecretStr) -> SecretStr:
    text = secret.get_secret_value()
    try:
        parts = conninfo_to_dict(text)
    except (ProgrammingError, UnicodeError):  # its own words would show parts of a password
        parts = {}
    ports = str(parts.get("port", "5432")).split(",")
    numbers = [str(value) for name, value in parts.items() if name in _DSN_NUMBERS]
    if (
        not parts
        or "\0" in text
        or not all(_is_port(port) for port in ports if port)
        or not all(re.fullmatch(r"-?[0-9]{1,9}", number) for number in numbers)
    ):
        raise _refused(text, DSN_ALLOWED)
    if parts.get("sslmode", "prefer") not in _SSL_MODES:
        raise _refused(text, f"{DSN_ALLOWED}, and sslmode one of {', '.join(_SSL_MODES)}")
    return secret


Brokers = Annotated[str, AfterValidator(_brokers)]
HttpUrl = Annotated[str, AfterValidator(_url("http", "https"))]
WebsocketUrl = Annotated[str, AfterValidator(_url("ws", "wss"))]
Dsn = Annotated[SecretStr, AfterValidator(_dsn)]
