"""One turn of a service's loop: whatever it raises is said, and the next turn goes on from what the ledger has."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from structlog.typing import FilteringBoundLogger

from trimtab.domain.errors import LedgerConflictError, TrimtabError
from trimtab.ports.metrics import Meter


@dataclass(slots=True)
class Turn:
    """How a turn went; known once its block has ended."""

    failed: bool = False


@contextmanager
def surviving(log: FilteringBoundLogger, meter: Meter, trouble: str, **where: str) -> Iterator[Turn]:
    """Run a block that may fail without ending its loop. `trouble` says what was interrupted, `where` names of what.

    A cancellation always ends the loop, even one that got lost: psycopg's pool waits with asyncio.wait_for, which in
    Python 3.11 swallows a cancellation that comes together with a connection.
    """
    turn = Turn()
    try:
        yield turn
    except LedgerConflictError as error:
        turn.failed = True
        meter.count("shadow_ledger_lock_failures_total")
        log.warning(trouble, reason=str(error), **where)
    except TrimtabError as error:
        turn.failed = True
        log.warning(trouble, reason=str(error), **where)
    except Exception as error:
        # A mistake of ours in one order must not stop the work on all others.
        turn.failed = True
        log.exception(trouble, reason=f"{type(error).__name__}: {error}", **where)
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
