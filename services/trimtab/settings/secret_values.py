"""The secrets in the settings, by value: what must not appear in anything that is written."""

from collections.abc import Iterator
from urllib.parse import unquote, urlsplit

from psycopg.conninfo import conninfo_to_dict
from pydantic import BaseModel, SecretStr

from trimtab.settings.loading import Settings
from trimtab.settings.secret_files import read_secret


def secret_values(settings: Settings) -> frozenset[str]:
    """Return every secret, those in files as they are now; files that cannot be read are left out."""
    return frozenset(value for value in (*_held(settings), *_in_addresses(settings)) if value)


def _held(section: BaseModel) -> Iterator[str]:
    for name, value in section:
        if isinstance(value, SecretStr):
            yield value.get_secret_value()
        elif isinstance(value, BaseModel):
            yield from _held(value)
        elif isinstance(value, dict):
            for each in value.values():
                yield from _held(each)
        elif name.endswith("_file") and value is not None and hasattr(section, name.removesuffix("_file")):
            read = read_secret(name, value)
            if isinstance(read, str):
                yield read


def _in_addresses(settings: Settings) -> Iterator[str]:
    for dsn in (settings.postgres.dsn, settings.postgres.admin_dsn):
        if dsn is not None:
            parts = conninfo_to_dict(dsn.get_secret_value())
            yield from (str(value) for name, value in parts.items() if name in {"password", "sslpassword"})
    password = urlsplit(settings.registry.url).password
    if password is not None:
        yield from (password, unquote(password))
