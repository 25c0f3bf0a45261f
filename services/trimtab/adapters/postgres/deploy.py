"""Brings a database to the newest migration, and tells how far it is. Run at deploy time, never by a service."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass

import psycopg
from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from psycopg import errors, sql
from sqlalchemy import create_engine
from sqlalchemy.pool import NullPool

from trimtab.adapters.postgres.failures import address_of, translated
from trimtab.domain.errors import InvalidValueError, LedgerRefusedError

ROLES = ("trimtab_executor", "trimtab_reconciler", "trimtab_cli")
_LOCK = 7_368_219_104  # advisory: two deploys at once take turns
_CONNECT_SECONDS = 5


@dataclass(frozen=True, slots=True)
class MigrationState:
    """How far a database is (empty: nothing applied) and how far this version of trimtab goes."""

    applied: str
    newest: str

    @property
    def current(self) -> bool:
        return self.applied == self.newest


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", f"{__package__}:migrations")
    return config


def newest() -> str:
    """Return the id of the newest migration in this package."""
    head = ScriptDirectory.from_config(_config()).get_current_head()
    assert head is not None
    return head


def migrate(admin_dsn: str, passwords: Mapping[str, str] | None = None) -> None:
    """Make the services' roles and apply every migration that is missing, in one transaction.

    `passwords` are by role; a role without one keeps what it has (at first none, so only trusted connections log in).
    The database's owner needs CREATEROLE for the first run.

    Raises:
        InvalidValueError: if a password is for no role of trimtab's.
        UnreachableError: if the database does not answer.
        LedgerRefusedError: if it refuses a step.

    """
    for role in passwords or {}:
        if role not in ROLES:
            raise InvalidValueError("passwords", role, ", ".join(ROLES))
    with (
        translated(address_of(admin_dsn)),
        psycopg.connect(admin_dsn, autocommit=True, connect_timeout=_CONNECT_SECONDS) as session,
    ):
        session.execute("SELECT pg_advisory_lock(%s)", (_LOCK,))
        for role in ROLES:
            _make_role(session, role, (passwords or {}).get(role))
        _upgrade(admin_dsn)


def _upgrade(admin_dsn: str) -> None:
    engine = create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(admin_dsn), poolclass=NullPool)
    config = _config()
    try:
        with engine.begin() as connection:
            config.attributes["connection"] = connection
            command.upgrade(config, "head")
    finally:
        engine.dispose()


def _make_role(session: psycopg.Connection, role: str, password: str | None) -> None:
    name = sql.Identifier(role)
    with suppress(errors.DuplicateObject, errors.UniqueViolation):  # roles are the cluster's, one for all databases
        session.execute(sql.SQL("CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE").format(name))
    if password is not None:
        # Hashed here, so that the password itself never stands in a statement that the server may log.
        hashed = session.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256")
        session.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(hashed.decode())))


def migration_state(dsn: str) -> MigrationState:
    """Return how far a database is.

    Raises:
        UnreachableError: if it does not answer.

    """
    with (
        translated(address_of(dsn)),
        psycopg.connect(dsn, autocommit=True, connect_timeout=_CONNECT_SECONDS) as session,
    ):
        try:
            row = session.execute("SELECT version_num FROM public.alembic_version").fetchone()
        except errors.UndefinedTable:
            row = None
    return MigrationState(applied=row[0] if row else "", newest=newest())


def require_newest(dsn: str) -> None:
    """Raise LedgerRefusedError, in words to act on, unless the database is at the newest migration."""
    state = migration_state(dsn)
    if not state.current:
        found = f"is at migration {state.applied}" if state.applied else "has no ledger yet"
        raise LedgerRefusedError(
            f"PostgreSQL at {address_of(dsn)} {found}, this trimtab needs {state.newest}: run the migrations first"
        )
