"""A thread that an event loop waits for, and stops."""

import asyncio
import contextlib
import threading
from collections.abc import Callable

GIVE_UP_SECONDS = 5.0


async def run_thread(
    work: Callable[[], None], name: str, stopping: threading.Event, give_up: Callable[[], None] | None = None
) -> None:
    """Run `work` in a thread of its own until it ends; raise what it raises.

    When cancelled, set `stopping`, which `work` watches, and wait for its end; if that takes more than five seconds,
    call `give_up`, which makes it end.
    """
    loop = asyncio.get_running_loop()
    finished: asyncio.Future[None] = loop.create_future()

    def settle(failure: BaseException | None) -> None:
        if failure is None:
            finished.set_result(None)
        else:
            finished.set_exception(failure)

    def main() -> None:
        failure: BaseException | None = None
        try:
            work()
        except BaseException as error:  # noqa: BLE001 - raised where the thread is awaited
            failure = error
        with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits any more
            loop.call_soon_threadsafe(settle, failure)

    threading.Thread(target=main, name=name, daemon=True).start()
    try:
        await asyncio.shield(finished)
    finally:
        stopping.set()
        await asyncio.wait([finished], timeout=GIVE_UP_SECONDS)
        if not finished.done() and give_up is not None:
            give_up()
        await asyncio.wait([finished])
        finished.exception()  # raised above already, or a cancellation goes before it
