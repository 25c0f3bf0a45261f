"""One account at a venue over ccxt: orders out, answers in, nothing believed that the venue did not say.

The requests are ccxt's own endpoints (`private_post_order` and so on) rather than its unified `create_order`, which
rounds amounts to its idea of the precision: what goes out has to be, digit for digit, what the ledger committed.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from decimal import Decimal
from typing import Any

from trimtab.adapters.venues.answers import NO_SUCH_INSTRUMENT, Failure, lookup_answer, place_answer
from trimtab.adapters.venues.binance import BinanceClient
from trimtab.adapters.venues.budget import Budget, Held, Priority
from trimtab.adapters.venues.records import Records, order_request
from trimtab.adapters.venues.requests import Request, Requests
from trimtab.adapters.venues.symbols import load_markets
from trimtab.adapters.venues.user_stream import StreamEndedError, UserStream
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

_TRADES_PAGE = 1_000
_UNREACHABLE_RETRY_MS = 1_000
_STREAM_ENDED = frozenset({"eventStreamTerminated", "listenKeyExpired"})


class CcxtVenue:
    """Implements `trimtab.ports.venue.Venue` for one account."""

    def __init__(
        self, name: str, account: str, settings: VenueSettings, client: BinanceClient, budget: Budget, meter: Meter
    ) -> None:
        self.name = name
        self.account = account
        self._settings = settings
        self._client = client
        self._requests = Requests(name, settings.request_timeout_ms, budget, meter)
        self._loading = asyncio.Lock()
        self._behind_ms = 0  # how far the venue's clock was behind this machine's at most
        self._records = Records(name, account, self._symbol_of, client.safe_currency_code)
        self._stream = UserStream(account, client, self.balances, self._subscribe, self._event)

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
        wait_ms_max = self._settings.recv_window_ms // 2
        answer = await self._requests.send(self._client.private_post_order, request, wait_ms_max)
        if isinstance(answer, Held):
            return NotPlaced("the request budget is spent", answer.retry_after_ms)
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
        answer = await self._requests.ask(Priority.REST, self._client.private_get_openorders, {})
        if isinstance(answer, Failure):
            return Unknown(answer.text)
        try:
            return [self._records.order(record) for record in answer]
        except InvalidValueError as error:
            return Unknown(f"the answer cannot be read: {error}")

    async def balances(self) -> dict[str, Decimal] | Unknown:
        """Return free plus locked, by asset, zeros left out."""
        answer = await self._requests.ask(Priority.REST, self._client.private_get_account, {"omitZeroBalances": "true"})
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
        answer = await self._requests.ask(Priority.REST, self._client.sapi_get_account_apirestrictions, {})
        if isinstance(answer, Failure):
            raise UnreachableError(f"venue {self.name}", self._client.urls["api"]["sapi"], answer.text)
        for right, allowed in (("enableWithdrawals", False), ("enableSpotAndMarginTrading", True)):
            if answer.get(right) is not allowed:
                raise InvalidValueError(f"accounts.{self.account}.api_key: {right}", answer.get(right), str(allowed))

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.close()

    async def _subscribe(self) -> None:
        async with asyncio.timeout(self._settings.request_timeout_ms / 1_000):
            await self._client.ensure_user_data_stream_ws_subscribe_signature("spot")

    def _event(self, event: dict[str, Any]) -> ExecutionReport | None:
        if event["e"] in _STREAM_ENDED:
            raise StreamEndedError(event["e"])
        # The rest is about balances, which are asked for, never added up.
        return self._records.event(event) if event["e"] == "executionReport" else None

    async def _trades(self, instrument: str, question: dict[str, Any]) -> Sequence[VenueTrade] | Absent | Unknown:
        found: list[VenueTrade] = []
        while True:
            try:
                asked = {"symbol": await self._symbol_id(instrument), "limit": _TRADES_PAGE} | question
                answer = await self._requests.ask(Priority.REST, self._client.private_get_mytrades, asked)
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
        told = await self._requests.ask(Priority.ORDER, self._client.public_get_time, {})
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
        return await self._requests.ask(
            priority, request, {"symbol": symbol_id, "origClientOrderId": child.client_order_id}
        )

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
