"""Trying again for as long as it takes, saying each time what failed."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

import stamina
from structlog.typing import FilteringBoundLogger

T = TypeVar("T")

PAUSE_SECONDS_MIN, _PAUSE_SECONDS_MAX = 0.1, 10.0


async def until_done(
    call: Callable[[], Awaitable[T]], on: tuple[type[Exception], ...], log: FilteringBoundLogger, what: str
) -> T:
    """Return what `call` returns in the end. Failures of these kinds are logged in a line each; pauses grow to 10 s."""
    pauses = stamina.retry_context(
        on=on,
        attempts=None,
        timeout=None,
        wait_initial=PAUSE_SECONDS_MIN,
        wait_max=_PAUSE_SECONDS_MAX,
        wait_jitter=PAUSE_SECONDS_MIN,
    )
    async for attempt in pauses:
        with attempt:
            try:
                return await call()
            except on as error:
                reason = str(error) or type(error).__name__
                log.warning("failed, trying again", what=what, reason=reason, attempt=attempt.num)
                raise
    raise AssertionError("retries without a limit do not end")
