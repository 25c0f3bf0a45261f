"""Requests of one account: within the venue's budget, never raising, a failure with all its evidence."""

from collections.abc import Awaitable, Callable
from typing import Any

from ccxt.base.errors import BaseError

from trimtab.adapters.venues.answers import Failure, silence_ms
from trimtab.adapters.venues.budget import Budget, Held, Priority
from trimtab.adapters.venues.transport import failure_of
from trimtab.ports.metrics import Meter

Request = Callable[[dict[str, Any]], Awaitable[Any]]


class Requests:
    """What an account asks its venue `name`; `timeout_ms` is the longest wait for a share of the budget."""

    def __init__(self, name: str, timeout_ms: int, budget: Budget, meter: Meter) -> None:
        self._name = name
        self._timeout_ms = timeout_ms
        self._budget = budget
        self._meter = meter

    async def ask(self, priority: Priority, request: Request, params: dict[str, Any]) -> Any | Failure:
        """Make a request when its turn has come; `Failure` if it does not come in time."""
        held = await self._budget.take(priority, self._timeout_ms)
        if held is not None:
            return Failure(f"the request budget is spent for {held.retry_after_ms} ms", sent=False)
        return await self._made(request, params)

    async def send(self, request: Request, params: dict[str, Any], wait_ms_max: int) -> Any | Failure | Held:
        """Make the request of an order; `Held`, and nothing sent, if it would have to wait longer than this."""
        held = await self._budget.take(Priority.ORDER, wait_ms_max)
        return held if held is not None else await self._made(request, params)

    async def _made(self, request: Request, params: dict[str, Any]) -> Any | Failure:
        self._meter.set("exchange_rate_limit_remaining", self._budget.left(), venue=self._name)
        try:
            return await request(params)
        except BaseError as error:
            failure = failure_of(error)
        except Exception as error:  # noqa: BLE001 - whatever ccxt stumbles over, the order may be live
            failure = Failure(f"{type(error).__name__}: {error}")
        pause_ms = silence_ms(failure)
        if pause_ms is not None:
            self._budget.hold(pause_ms)
        return failure
