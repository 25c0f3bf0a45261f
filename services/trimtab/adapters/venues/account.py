"""One account at a venue over ccxt: orders out, answers in, nothing believed that the venue did not say.

The requests are ccxt's own endpoints (`private_post_order` and so on) rather than its unified `create_order`, which
rounds amounts to its idea of the precision: what goes out has to be, digit for digit, what the ledger committed.
"""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from decimal import Decimal
from typing import Any

from ccxt.base.errors import BaseError

from trimtab.adapters.venues.answers import NO_SUCH_INSTRUMENT, Failure, lookup_answer, place_answer, silence_ms
from trimtab.adapters.venues.binance import BinanceClient, failure_of
from trimtab.adapters.venues.budget import Budget, Priority
from trimtab.adapters.venues.records import Records, order_request
from trimtab.adapters.venues.symbols import load_markets
from trimtab.adapters.venues.user_stream import UserStream
from trimtab.domain.errors import InvalidValueError, UnreachableError
from trimtab.domain.orders import ChildOrder, ParentOrder
from trimtab.ports.metrics import Meter
from trimtab.ports.venue import (
    Absent,
    ExecutionReport,
    NotPlaced,
    Reconnected,
    Refused,
    Unknown,
    VenueTrade,
)
from trimtab.settings import VenueSettings

Request = Callable[[dict[str, Any]], Awaitable[Any]]

_TRADES_PAGE = 1_000
_UNREACHABLE_RETRY_MS = 1_000


class CcxtVenue:
    """Implements `trimtab.ports.venue.Venue` for one account."""

    def __init__(
        self, name: str, account: str, settings: VenueSettings, client: BinanceClient, budget: Budget, meter: Meter
    ) -> None:
        self.name = name
        self.account = account
        self._settings = settings
        self._client = client
        self._budget = budget
        self._meter = meter
        self._loading = asyncio.Lock()
        self._behind_ms = 0  # how far the venue's clock was behind this machine's at most
        self._records = Records(name, account, self._symbol_of, client.safe_currency_code)
        self._stream = UserStream(account, client, self._records, self.balances, settings.request_timeout_ms / 1_000)

    @property
    def absence_window_ms(self) -> int:
        """Receive window plus clock skew: the venue refuses a request that arrives later than that.

        The skew is the one to be reckoned with, or what the venue's clock was behind when it last denied an order.
        """
        return self._settings.recv_window_ms + max(self._settings.clock_skew_ms, self._behind_ms)

    async def place(self, parent: ParentOrder, child: ChildOrder) -> ExecutionReport | Refused | NotPlaced | Unknown:
        """Send an order once. Anything but the venue's own word leaves it unknown."""
        try:
            symbol_id = await self._symbol_id(parent.instrument)
        except UnreachableError as error:
            return NotPlaced(str(error), _UNREACHABLE_RETRY_MS)
        except InvalidValueError as error:
            return Refused("misconfigured", str(error))
        request = order_request(parent, child, symbol_id, self._settings.recv_window_ms)
        # An order that waits longer than this would come too late for its own receive window.
        held = await self._budget.take(Priority.ORDER, self._settings.recv_window_ms // 2)
        if held is not None:
            return NotPlaced("the request budget is spent", held.retry_after_ms)
        answer = await self._send(self._client.private_post_order, request)
        if isinstance(answer, Failure):
            return place_answer(answer)
        return self._read_order(answer, child)

    async def cancel(self, parent: ParentOrder, child: ChildOrder) -> ExecutionReport | Absent | Unknown:
        """Cancel by client id; `Absent` when the venue has no such open order (it may have filled)."""
        answer = await self._ask_order(Priority.CANCEL, self._client.private_delete_order, parent, child)
        return lookup_answer(answer) if isinstance(answer, Failure) else self._read_order(answer, child)

    async def find(self, parent: ParentOrder, child: ChildOrder) -> ExecutionReport | Absent | Unknown:
        """Look an order up by its client id, with all its executions."""
        answer = await self._ask_order(Priority.ORDER, self._client.private_get_order, parent, child)
        if isinstance(answer, Failure):
            return await self._denied(lookup_answer(answer))
        report = self._read_order(answer, child)
        if isinstance(report, Unknown) or report.filled == 0:
            return report
        found = await self._trades(parent.instrument, {"orderId": report.venue_order_id})
        if isinstance(found, Absent):
            return Unknown(f"{parent.instrument} is not listed any more")
        if isinstance(found, Unknown):
            return found
        return self._read_order(
            answer, child, [trade for trade in found if trade.venue_order_id == report.venue_order_id]
        )

    async def trades(self, instrument: str, since_us: int) -> Sequence[VenueTrade] | Absent | Unknown:
        """Return own trades at or after this venue time, oldest first; `Absent` if there is no such instrument.

        That is: the venue does not list it any more, or the settings do not name it any more.
        """
        found = await self._trades(instrument, {"startTime": since_us // 1_000})
        if isinstance(found, Unknown) and self._client.markets and instrument not in self._client.markets:
            return Absent()
        return found

    async def open_orders(self) -> Sequence[ExecutionReport] | Unknown:
        """Return every open order of the account, whoever placed it."""
        answer = await self._ask(Priority.REST, self._client.private_get_openorders, {})
        if isinstance(answer, Failure):
            return Unknown(answer.text)
        try:
            return [self._records.order(record) for record in answer]
        except InvalidValueError as error:
            return Unknown(f"the answer cannot be read: {error}")

    async def balances(self) -> dict[str, Decimal] | Unknown:
        """Return free plus locked, by asset, zeros left out."""
        answer = await self._ask(Priority.REST, self._client.private_get_account, {"omitZeroBalances": "true"})
        if isinstance(answer, Failure):
            return Unknown(answer.text)
        try:
            return self._records.balances(answer)
        except InvalidValueError as error:
            return Unknown(f"the answer cannot be read: {error}")

    def reports(self) -> AsyncGenerator[ExecutionReport | Reconnected, None]:
        """Yield what the user stream brings; a `Reconnected` after every interruption, and first of all."""
        return self._stream.reports()

    async def refuse_withdrawals(self) -> None:
        """Check that the account's key can do no more than trade.

        Raises:
            InvalidValueError: if the key may withdraw, or may not trade.
            UnreachableError: if the venue does not answer.

        """
        answer = await self._ask(Priority.REST, self._client.sapi_get_account_apirestrictions, {})
        if isinstance(answer, Failure):
            raise UnreachableError(f"venue {self.name}", self._client.urls["api"]["sapi"], answer.text)
        for right, allowed in (("enableWithdrawals", False), ("enableSpotAndMarginTrading", True)):
            if answer.get(right) is not allowed:
                raise InvalidValueError(f"accounts.{self.account}.api_key: {right}", answer.get(right), str(allowed))

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.close()

    async def _trades(self, instrument: str, question: dict[str, Any]) -> Sequence[VenueTrade] | Absent | Unknown:
        found: list[VenueTrade] = []
        while True:
            try:
                asked = {"symbol": await self._symbol_id(instrument), "limit": _TRADES_PAGE} | question
                answer = await self._ask(Priority.REST, self._client.private_get_mytrades, asked)
                if isinstance(answer, Failure):
                    # The rules in memory are those of the start: it may have been taken off the list since.
                    return Absent() if answer.code == NO_SUCH_INSTRUMENT else Unknown(answer.text)
                page = [self._records.trade(record) for record in answer]
            except (InvalidValueError, UnreachableError) as error:
                return Unknown(str(error))
            found += page
            if len(page) < _TRADES_PAGE:
                return found
            # Pages go by trade id: a time in common must not cut a page. Binance allows no other filter beside it.
            question = {"fromId": int(answer[-1]["id"]) + 1}

    async def _denied(self, answer: Absent | Unknown) -> Absent | Unknown:
        """See what the venue's own clock says, by which it lets a late request in, before an absence counts."""
        if isinstance(answer, Unknown):
            return answer
        told = await self._ask(Priority.ORDER, self._client.public_get_time, {})
        if isinstance(told, Failure):
            return Unknown(f"denied, and the venue does not tell its time: {told.text}")
        server_ms = told.get("serverTime")
        if not isinstance(server_ms, int):
            return Unknown(f"denied, and the venue does not tell its time: {told}")
        self._behind_ms = self._client.milliseconds() - server_ms
        return answer

    async def _ask_order(
        self, priority: Priority, request: Request, parent: ParentOrder, child: ChildOrder
    ) -> Any | Failure:
        try:
            symbol_id = await self._symbol_id(parent.instrument)
        except (InvalidValueError, UnreachableError) as error:
            return Failure(str(error), sent=False)
        return await self._ask(priority, request, {"symbol": symbol_id, "origClientOrderId": child.client_order_id})

    async def _ask(self, priority: Priority, request: Request, params: dict[str, Any]) -> Any | Failure:
        held = await self._budget.take(priority, self._settings.request_timeout_ms)
        if held is not None:
            return Failure(f"the request budget is spent for {held.retry_after_ms} ms", sent=False)
        return await self._send(request, params)

    async def _send(self, request: Request, params: dict[str, Any]) -> Any | Failure:
        self._meter.set("exchange_rate_limit_remaining", self._budget.left(), venue=self.name)
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

    def _read_order(
        self, answer: Any, child: ChildOrder, trades: Sequence[VenueTrade] = ()
    ) -> ExecutionReport | Unknown:
        try:
            return self._records.order(answer, child.client_order_id, [trade.execution for trade in trades])
        except (InvalidValueError, AttributeError, TypeError) as error:
            return Unknown(f"the answer cannot be read: {error}")

    async def _symbol_id(self, symbol: str) -> str:
        """Return the venue's name of an instrument; before the first, check the key and load the rules.

        Raises:
            InvalidValueError: if the venue does not have it, or the key may do more than trade.
            UnreachableError: if the venue does not answer.

        """
        async with self._loading:
            if not self._client.markets:
                await self.refuse_withdrawals()
                await load_markets(self._client, self.name, self._settings.instruments)
        market = self._client.markets.get(symbol)
        if market is None:
            raise InvalidValueError("instrument", symbol, "one of the venue's configured instruments")
        return str(market["id"])

    def _symbol_of(self, symbol_id: str) -> str:
        return str(self._client.safe_symbol(symbol_id, None, "", "spot"))
