"""The request budget: cancels first, pauses kept, nothing waits in vain."""

import asyncio

from trimtab.adapters.venues.budget import Budget, Held, Priority


async def test_what_fits_goes_at_once() -> None:
    budget = Budget(5)
    assert [await budget.take(Priority.REST, 0 + 1) for _ in range(5)] == [None] * 5


async def test_more_than_fits_is_held() -> None:
    budget = Budget(2)
    taken = [await budget.take(Priority.ORDER, 10) for _ in range(3)]
    assert taken[:2] == [None, None]
    assert isinstance(taken[2], Held)


async def test_a_cancel_overtakes_everything_that_waits() -> None:
    budget, served = Budget(20), []

    async def take(name: str, priority: Priority) -> None:
        assert await budget.take(priority, 5_000) is None
        served.append(name)

    for _ in range(20):
        await budget.take(Priority.REST, 1_000)
    waiting = [asyncio.create_task(take(f"rest {n}", Priority.REST)) for n in range(3)]
    await asyncio.sleep(0)
    waiting.append(asyncio.create_task(take("order", Priority.ORDER)))
    await asyncio.sleep(0)
    waiting.append(asyncio.create_task(take("cancel", Priority.CANCEL)))
    await asyncio.gather(*waiting)
    assert served.index("cancel") < served.index("order") < served.index("rest 1")


async def test_a_pause_asked_for_by_the_venue_stops_everything() -> None:
    budget = Budget(100)
    budget.hold(60_000)
    held = await budget.take(Priority.CANCEL, 1_000)
    assert isinstance(held, Held)
    assert 59_000 <= held.retry_after_ms <= 60_000


async def test_a_shorter_pause_does_not_end_a_longer_one() -> None:
    budget = Budget(100)
    budget.hold(60_000)
    budget.hold(10)
    assert budget.held_ms() > 50_000


async def test_a_short_pause_is_waited_out() -> None:
    budget = Budget(100)
    budget.hold(20)
    assert await budget.take(Priority.REST, 1_000) is None
    assert budget.held_ms() == 0


async def test_what_is_left_falls_with_every_request_and_is_nothing_during_a_pause() -> None:
    budget = Budget(10)
    assert budget.left() == 1.0
    for _ in range(5):
        await budget.take(Priority.REST, 1_000)
    assert 0.4 <= budget.left() <= 0.6
    budget.hold(60_000)
    assert budget.left() == 0.0
