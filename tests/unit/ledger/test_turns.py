import asyncio
from contextlib import suppress

import pytest
import structlog
from structlog.testing import LogCapture

from trimtab.adapters.metrics import PrometheusMeter
from trimtab.domain.errors import LedgerConflictError, UnreachableError
from trimtab.ledger.turns import surviving


async def trial(error: BaseException | None) -> tuple[bool, list[object], float]:
    """Run a turn that raises this; return whether it failed, what was said, and the lock failures counted."""
    said, meter = LogCapture(), PrometheusMeter()
    log = structlog.wrap_logger(None, processors=[said], wrapper_class=structlog.make_filtering_bound_logger(0))
    with surviving(log, meter, "stumbled", order="o1") as turn:
        if error is not None:
            raise error
    counted = meter.registry.get_sample_value("shadow_ledger_lock_failures_total")
    return turn.failed, list(said.entries), counted or 0.0


async def test_a_turn_that_goes_well_says_nothing() -> None:
    assert await trial(None) == (False, [], 0)


async def test_what_fails_is_said_with_its_place_and_the_loop_goes_on() -> None:
    failed, said, _ = await trial(UnreachableError("PostgreSQL", "here", "gone"))
    assert failed
    assert said == [
        {
            "event": "stumbled",
            "log_level": "warning",
            "order": "o1",
            "reason": "PostgreSQL at here does not answer: gone",
        }
    ]


async def test_a_lock_failure_is_counted() -> None:
    assert (await trial(LedgerConflictError("deadlock")))[0::2] == (True, 1)


async def test_a_mistake_of_the_code_is_survived_and_told_with_its_traceback() -> None:
    failed, said, _ = await trial(KeyError("account"))
    assert failed
    (entry,) = said
    assert isinstance(entry, dict)
    assert (entry["exc_info"], entry["reason"]) == (True, "KeyError: 'account'")


async def test_a_cancellation_ends_the_loop() -> None:
    with pytest.raises(asyncio.CancelledError):
        await trial(asyncio.CancelledError())


async def test_a_cancellation_that_got_lost_in_the_block_ends_the_loop_all_the_same() -> None:
    log, turns = structlog.wrap_logger(None, processors=[LogCapture()]), 0

    async def loop() -> None:
        nonlocal turns
        while True:
            with surviving(log, PrometheusMeter(), "stumbled"):
                turns += 1
                with suppress(asyncio.CancelledError):  # as wait_for does when its answer comes at the same moment
                    await asyncio.sleep(60)

    task = asyncio.create_task(loop())
    await asyncio.sleep(0)
    task.cancel()
    done, _ = await asyncio.wait([task], timeout=5)
    assert done == {task}
    assert (task.cancelled(), turns) == (True, 1)
