"""From what PostgreSQL and psycopg raise to trimtab's own errors."""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg_pool import PoolClosed, PoolTimeout

from trimtab.domain.errors import (
    FencedError,
    IllegalTransitionError,
    InsufficientFundsError,
    LedgerConflictError,
    LedgerRefusedError,
    TrimtabError,
    UnreachableError,
)

# Raised by the triggers and functions of the migrations.
_FENCED = "TT001"
_ILLEGAL_STEP = "TT002"
_NO_FUNDS_CONSTRAINTS = {"balance_covers_reserved", "reservation_holder_account_asset_fkey"}
# The same once more may work. A prepared statement is missing where a pipeline broke off while it was being prepared.
_AGAIN = (
    errors.DeadlockDetected,
    errors.SerializationFailure,
    errors.LockNotAvailable,
    errors.InvalidSqlStatementName,
)
# The server goes down, was cut off, comes up, has no room, or is a standby: the next try may find it well.
_PASSING = ("08", "57P", "53", "25006", "25P03")


@contextmanager
def translated(address: str) -> Iterator[None]:
    """Raise trimtab's errors for those of the database at `address`; everything else passes as it is.

    Raises:
        UnreachableError: the database does not answer; whether a commit took place is then not known.
        LedgerConflictError: a deadlock, a serialization failure or a session that went wrong; nothing was written.
        FencedError, IllegalTransitionError, InsufficientFundsError: as the rule that was broken says.
        LedgerRefusedError: any other rule.

    """
    try:
        yield
    except (psycopg.Error, PoolTimeout, PoolClosed) as error:
        raise _translate(error, address) from error


def _translate(error: Exception, address: str) -> TrimtabError:
    state = getattr(error, "sqlstate", None) or ""
    message = _first_line(error)
    if isinstance(error, _AGAIN):
        return LedgerConflictError(f"ledger: {message}")
    if isinstance(error, errors.QueryCanceled) or state.startswith(_PASSING):
        return UnreachableError("PostgreSQL", address, message)
    if not state and isinstance(error, psycopg.OperationalError | psycopg.InterfaceError | PoolTimeout | PoolClosed):
        return UnreachableError("PostgreSQL", address, message)
    constraint = error.diag.constraint_name if isinstance(error, psycopg.Error) else None
    if state == _FENCED:
        return FencedError(message)
    if state == _ILLEGAL_STEP:
        return IllegalTransitionError(message)
    if constraint in _NO_FUNDS_CONSTRAINTS:
        return InsufficientFundsError(f"ledger: {message}")
    return LedgerRefusedError(f"ledger: {message}")


def _first_line(error: Exception) -> str:
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def address_of(dsn: str) -> str:
    """Return host, port and database of a data source name: what may stand in an error, no password.

    Raises:
        LedgerRefusedError: if it is not a data source name.

    """
    try:
        parts = conninfo_to_dict(dsn)
    except psycopg.ProgrammingError as error:
        raise LedgerRefusedError(f"postgres.dsn is not a data source name: {_first_line(error)}") from None
    return f"{parts.get('host', 'localhost')}:{parts.get('port', 5432)}/{parts.get('dbname', '')}"
