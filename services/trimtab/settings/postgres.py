"""The shadow ledger's database."""

from pathlib import Path
from urllib.parse import quote

from pydantic import SecretStr, model_validator

from trimtab.configuration import Problem, refuse
from trimtab.settings.addresses import Dsn
from trimtab.settings.secret_files import read_secret
from trimtab.settings.section import Section


def _with_password(dsn: str, password: str) -> str:
    """Return a connection string with a password, in libpq's two forms: an address, or keys and values."""
    if "://" in dsn:
        return f"{dsn}{'&' if '?' in dsn else '?'}password={quote(password, safe='')}"
    escaped = password.replace("\\", r"\\").replace("'", r"\'")
    return f"{dsn} password='{escaped}'"


class PostgresSettings(Section):
    """The shadow ledger's database. `dsn` is this process's own role; `admin_dsn` is for migrations only.

    A password may stand in a file of its own (a mounted secret); it is added to the address when the settings are read.
    """

    dsn: Dsn = SecretStr("postgresql://trimtab@127.0.0.1:5432/trimtab")
    password_file: Path | None = None
    admin_dsn: Dsn | None = None
    admin_password_file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_passwords(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        values = {"dsn": cls.model_fields["dsn"].default.get_secret_value()} | given
        for prefix in ("", "admin_"):
            dsn, file = values.get(f"{prefix}dsn"), values.get(f"{prefix}password_file")
            if isinstance(dsn, str) and isinstance(file, str):
                password = read_secret(f"{prefix}password_file", Path(file))
                if isinstance(password, Problem):
                    raise refuse(password)
                values[f"{prefix}dsn"] = _with_password(dsn, password)
        return values
