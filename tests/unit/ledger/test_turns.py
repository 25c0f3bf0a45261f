import asyncio

import pytest
import structlog
from structlog.testing import LogCapture

from trimtab.adapters.metrics import PrometheusMeter
from trimtab.domain.errors import LedgerConflictError, UnreachableError
from trimtab.ledger.turns import surviving


def trial(error: BaseException | None) -> tuple[bool, list[object], float]:
    """Run a turn that raises this; return whether it failed, what was said, and the lock failures counted."""
    said, meter = LogCapture(), PrometheusMeter()
    log = structlog.wrap_logger(None, processors=[said], wrapper_class=structlog.make_filtering_bound_logger(0))
    with surviving(log, meter, "stumbled", order="o1") as turn:
        if error is not None:
            raise error
    counted = meter.registry.get_sample_value("shadow_ledger_lock_failures_total")
    return turn.failed, list(said.entries), counted or 0.0


def test_a_turn_that_goes_well_says_nothing() -> None:
    assert trial(None) == (False, [], 0)


def test_what_fails_is_said_with_its_place_and_the_loop_goes_on() -> None:
    failed, said, _ = trial(UnreachableError("PostgreSQL", "here", "gone"))
    assert failed
    assert said == [
        {
            "event": "stumbled",
            "log_level": "warning",
            "order": "o1",
            "reason": "PostgreSQL at here does not answer: gone",
        }
    ]


def test_a_lock_failure_is_counted() -> None:
    assert trial(LedgerConflictError("deadlock"))[0::2] == (True, 1)


def test_a_mistake_of_the_code_is_survived_and_told_with_its_traceback() -> None:
    failed, said, _ = trial(KeyError("account"))
    assert failed
    (entry,) = said
    assert isinstance(entry, dict)
    assert (entry["exc_info"], entry["reason"]) == (True, "KeyError: 'account'")


def test_a_cancellation_ends_the_loop() -> None:
    with pytest.raises(asyncio.CancelledError):
        trial(asyncio.CancelledError())
