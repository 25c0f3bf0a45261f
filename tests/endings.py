"""Tasks that are cancelled at a chosen wait, at the worst moment: when what they wait for is there already.

That is when asyncio.wait_for (before Python 3.12) hands the result over and loses the cancellation.
"""

import asyncio
import io
import types
from collections.abc import Callable, Coroutine, Generator
from typing import Any

SECONDS_MAX = 10.0


@types.coroutine
def _driven(work: Coroutine[Any, Any, None], on_wait: Callable[[Any], None]) -> Generator[Any, None, None]:
    """Run a coroutine and say of everything that it waits for, before it is waited for."""
    error: BaseException | None = None
    while True:
        try:
            awaited = work.send(None) if error is None else work.throw(error)
        except StopIteration:
            return
        on_wait(awaited)
        error = None
        try:
            yield awaited
        except BaseException as raised:  # noqa: BLE001 - handed on, whatever it is
            error = raised


async def ends_when_cancelled_at(wait: int, work: Coroutine[Any, Any, None]) -> bool:
    """Cancel `work` once, at the end of its nth wait, and assert that it ends.

    False if it ended before so many waits.
    """
    waits = 0

    def on_wait(awaited: Any) -> None:
        nonlocal waits
        waits += 1
        if waits == wait:
            if asyncio.isfuture(awaited):
                awaited.add_done_callback(lambda _: task.cancel())  # before the task itself hears of it
            else:
                task.cancel()

    async def driven() -> None:
        await _driven(work, on_wait)

    task = asyncio.create_task(driven())
    async with asyncio.timeout(SECONDS_MAX):
        while waits < wait and not task.done():  # noqa: ASYNC110 - a wait has no event
            await asyncio.sleep(0.001)
    _, alive = await asyncio.wait([task], timeout=SECONDS_MAX)
    stack = io.StringIO()
    for one in alive:
        one.print_stack(file=stack)
        one.cancel()
    assert not alive, f"goes on after its cancellation at wait {wait}:\n{stack.getvalue()}"
    assert task.cancelled() or task.exception() is None, task.exception()
    return waits >= wait
