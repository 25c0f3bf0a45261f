"""An account's user stream over ccxt.pro: every execution report as it came, and word of every interruption.

ccxt's `watch_orders` loses wake-ups and merges updates; its handler is passed by, and each raw event goes into a queue
of our own.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from decimal import Decimal
from typing import Any

import structlog
from ccxt.base.errors import BaseError

from trimtab.adapters.venues.patience import PAUSE_SECONDS_MIN, until_done
from trimtab.adapters.venues.transport import Transport
from trimtab.domain.errors import UnreachableError
from trimtab.ports.venue import ExecutionReport, Reconnected, Unknown

# Pings go out every 5 s, so a live connection is never silent for longer than that and a round trip.
_SILENCE_SECONDS = 12.0
_WATCH_SECONDS = 1.0
_FAILURES = (BaseError, UnreachableError, TimeoutError)


class StreamEndedError(Exception):
    """The venue says that it tells no more on this connection; the message is its word for it."""


class UserStream:
    """The user stream of one account; one reader at a time.

    `listen` subscribes it and returns when events flow; `read` makes a report of one, None of what is about no order,
    and raises `StreamEndedError` when it is the last.
    """

    def __init__(
        self,
        account: str,
        client: Transport,
        balances: Callable[[], Awaitable[dict[str, Decimal] | Unknown]],
        listen: Callable[[], Awaitable[None]],
        read: Callable[[dict[str, Any]], ExecutionReport | None],
    ) -> None:
        self._account = account
        self._client = client
        self._balances = balances
        self._listen = listen
        self._read = read
        self._log = structlog.get_logger().bind(account=account)
        self._queue: deque[ExecutionReport] = deque()
        self._arrived = asyncio.Event()
        self._lost_reason: str | None = None
        client.on_event = self._on_event
        client.on_lost = self._on_lost

    async def reports(self) -> AsyncGenerator[ExecutionReport | Reconnected, None]:
        """Yield a `Reconnected` once events are flowing, then events; again after every interruption."""
        while True:
            await until_done(self._subscribe, _FAILURES, self._log, "subscribing to the user stream")
            yield Reconnected(self._account)
            while self._lost_reason is None or self._queue:
                while self._queue:
                    yield self._queue.popleft()
                await self._wait()
            self._log.warning("user stream lost", reason=self._lost_reason)
            await self._client.disconnect()
            await asyncio.sleep(PAUSE_SECONDS_MIN)

    async def _subscribe(self) -> None:
        # With a wrong secret ccxt's subscription hangs; a signed request says so in words.
        found = await self._balances()
        if isinstance(found, Unknown):
            raise UnreachableError(f"account {self._account}", self._client.urls["api"]["private"], found.reason)
        self._lost_reason = None
        await self._listen()

    async def _wait(self) -> None:
        self._arrived.clear()
        if self._queue or self._lost_reason is not None:
            return
        with suppress(TimeoutError):
            async with asyncio.timeout(_WATCH_SECONDS):
                await self._arrived.wait()
        if (silent := self._client.silent_seconds()) > _SILENCE_SECONDS:
            self._on_lost(f"nothing heard for {silent:.0f} s")

    def _on_event(self, event: dict[str, Any]) -> bool:
        try:
            report = self._read(event)
        except StreamEndedError as ended:
            self._on_lost(str(ended))
            return True
        if report is not None:
            self._queue.append(report)
            self._arrived.set()
        return True

    def _on_lost(self, reason: str) -> None:
        if self._lost_reason is None:
            self._lost_reason = reason
        self._arrived.set()
