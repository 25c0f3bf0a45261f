"""One account at Coinbase Exchange over ccxt: orders out, answers in, nothing believed that the venue did not say.

An order that ended without a fill is gone there, and asked for it is as if it had never been. What look-ups say may lag
behind that, for longer than anybody knows; a cancellation goes to the book itself, and tells an order that never traded
("not found") from one that did ("done"). So of an order that the venue once confirmed and does not show any more, only
a cancellation in vain is an end; of any other nothing is proven before its receive window has passed.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from decimal import Decimal
from typing import Any

from trimtab.adapters.venues.answers import Failure
from trimtab.adapters.venues.budget import Budget, Held, Priority
from trimtab.adapters.venues.coinbase.answers import (
    is_wrong_key,
    lists_no_such_product,
    lookup_answer,
    names_an_order,
    place_answer,
    rejection,
)
from trimtab.adapters.venues.coinbase.client import PRODUCT_OF_CANCELLED, STAMP_MS, CoinbaseClient
from trimtab.adapters.venues.coinbase.records import Records, client_oid, listed, order_request
from trimtab.adapters.venues.coinbase.rules import load_products
from trimtab.adapters.venues.requests import Requests
from trimtab.adapters.venues.user_stream import UserStream
from trimtab.domain.errors import InvalidValueError, UnreachableError
from trimtab.domain.orders import ChildOrder, OrderKind, ParentOrder, TimeInForce
from trimtab.ports.metrics import Meter
from trimtab.ports.venue import Absent, ExecutionReport, NotPlaced, Reconnected, Refused, Unknown, VenueTrade
from trimtab.settings import VenueSettings

_PAGE = 1_000
_UNREACHABLE_RETRY_MS = 1_000
# Coinbase takes a request for so long after its stamp, and knows no other window.
_WINDOW_MS = 30_000


class CoinbaseVenue:
    """Implements `trimtab.ports.venue.Venue` for one account."""

    def __init__(
        self, name: str, account: str, settings: VenueSettings, client: CoinbaseClient, budget: Budget, meter: Meter
    ) -> None:
        self.name = name
        self.account = account
        self._settings = settings
        self._client = client
        self._requests = Requests(name, settings.request_timeout_ms, budget, meter)
        self._loading = asyncio.Lock()
        self._window_ms = min(settings.recv_window_ms, _WINDOW_MS)
        self._behind_ms = 0  # how far the venue's clock was behind this machine's at most
        self._records = Records(name, account, self._symbol_of, client.safe_currency_code)
        self._stream = UserStream(account, client, self.balances, self._subscribe, self._records.event)

    @property
    def absence_window_ms(self) -> int:
        """Receive window plus clock skew: the venue refuses an order that arrives later than that.

        The venue's own window is 30 s; orders are stamped so much earlier that it closes when ours does.
        """
        return self._window_ms + max(self._settings.clock_skew_ms, self._behind_ms)

    async def place(self, parent: ParentOrder, child: ChildOrder) -> ExecutionReport | Refused | NotPlaced | Unknown:
        """Send an order once. Anything but the venue's own word leaves it unknown.

        The answer says that the order was received; what has become at once of one that does not rest is asked for.
        """
        try:
            product = await self._product(parent.instrument)
            request = order_request(parent, child, product)
        except UnreachableError as error:
            return NotPlaced(str(error), _UNREACHABLE_RETRY_MS)
        except InvalidValueError as error:
            return Refused("misconfigured", str(error))
        request[STAMP_MS] = child.request_time_ms + self._window_ms - _WINDOW_MS
        # An order that waits longer than this would come too late for its own receive window.
        answer = await self._requests.send(self._client.private_post_orders, request, self._window_ms // 2)
        if isinstance(answer, Held):
            return NotPlaced("the request budget is spent", answer.retry_after_ms)
        if isinstance(answer, Failure):
            return place_answer(answer)
        if isinstance(answer, dict) and answer.get("status") == "rejected":
            return rejection(str(answer.get("reject_reason", "")))
        report = self._read(answer, child)
        rests = child.kind is not OrderKind.MARKET and child.time_in_force is TimeInForce.GTC
        if isinstance(report, Unknown) or rests:
            return report
        found = await self._by_id(report.venue_order_id, child)
        return found if isinstance(found, ExecutionReport) else report

    async def cancel(self, parent: ParentOrder, child: ChildOrder) -> ExecutionReport | Absent | Unknown:
        """Cancel by client id; `Absent` when it never was at the venue, or ended there without a fill."""
        answer = await self._cancelled(parent, child)
        if isinstance(answer, Failure):
            return lookup_answer(answer)
        if not names_an_order(answer):
            return Unknown(f"cancelled, and the answer names no order: {answer}")
        found = await self._shown(parent, child)
        return await self._untraded(parent, child) if isinstance(found, Absent) else found

    async def find(self, parent: ParentOrder, child: ChildOrder) -> ExecutionReport | Absent | Unknown:
        """Look an order up by its client id, with all its executions."""
        said = await self._shown(parent, child)
        if not isinstance(said, Absent):
            return said
        if child.venue_order_id:
            return await self._ended(parent, child)
        return await self._denied(said)

    async def trades(self, instrument: str, since_us: int) -> Sequence[VenueTrade] | Absent | Unknown:
        """Return own trades at or after this venue time, oldest first; `Absent` if there is no such instrument.

        That is: the venue does not list it any more, or the settings do not name it any more.
        """
        try:
            product = await self._product(instrument)
        except (InvalidValueError, UnreachableError) as error:
            return Absent() if self._client.markets and not self._has(instrument) else Unknown(str(error))
        return await self._fills({"product_id": product}, since_us)

    async def open_orders(self) -> Sequence[ExecutionReport] | Unknown:
        """Return every open order of the account, whoever placed it."""
        try:
            await self._product(self._settings.instruments[0])
        except (InvalidValueError, UnreachableError) as error:
            return Unknown(str(error))
        answer = await self._requests.ask(Priority.REST, self._client.private_get_orders, {"limit": _PAGE})
        if isinstance(answer, Failure):
            return Unknown(answer.text)
        if len(answer) >= _PAGE:
            return Unknown(f"more than {_PAGE - 1} open orders, which the venue does not tell at once")
        try:
            return [self._records.order(record) for record in listed(answer)]
        except (InvalidValueError, AttributeError, TypeError) as error:
            return Unknown(f"the answer cannot be read: {error}")

    async def balances(self) -> dict[str, Decimal] | Unknown:
        """Return available plus held, by asset, zeros left out."""
        answer = await self._requests.ask(Priority.REST, self._client.private_get_accounts, {})
        if isinstance(answer, Failure):
            return Unknown(answer.text)
        try:
            return self._records.balances(listed(answer))
        except (InvalidValueError, AttributeError, TypeError) as error:
            return Unknown(f"the answer cannot be read: {error}")

    def reports(self) -> AsyncGenerator[ExecutionReport | Reconnected, None]:
        """Yield what the user channel brings; a `Reconnected` after every interruption, and first of all."""
        return self._stream.reports()

    async def refuse_withdrawals(self) -> None:
        """Check that the account's key is one. What it may do besides, Coinbase does not tell.

        Raises:
            InvalidValueError: if the venue does not take key, secret or passphrase.
            UnreachableError: if the venue does not answer.

        """
        answer = await self._requests.ask(Priority.REST, self._client.private_get_accounts, {})
        if isinstance(answer, Failure) and is_wrong_key(answer):
            raise InvalidValueError(f"accounts.{self.account}", answer.message, "a key, secret and passphrase it knows")
        if isinstance(answer, Failure):
            raise UnreachableError(f"venue {self.name}", self._client.urls["api"]["private"], answer.text)

    async def close(self) -> None:
        """Let the connections go."""
        await self._client.close()

    async def _subscribe(self) -> None:
        products = [await self._product(symbol) for symbol in self._settings.instruments]
        async with asyncio.timeout(self._settings.request_timeout_ms / 1_000):
            await self._client.subscribe(("user", "heartbeat"), products, signed=True)

    async def _shown(self, parent: ParentOrder, child: ChildOrder) -> ExecutionReport | Absent | Unknown:
        """Look an order up by its client id."""
        answer = await self._ask_order(Priority.ORDER, self._client.private_get_orders_client_client_oid, parent, child)
        return lookup_answer(answer) if isinstance(answer, Failure) else await self._with_fills(answer, child)

    async def _cancelled(self, parent: ParentOrder, child: ChildOrder) -> Any | Failure:
        """Cancel by client id; the answer of success is that id again."""
        request = self._client.private_delete_orders_client_client_oid
        return await self._ask_order(Priority.CANCEL, request, parent, child)

    async def _by_id(self, order_id: str, child: ChildOrder) -> ExecutionReport | Absent | Unknown:
        answer = await self._requests.ask(Priority.ORDER, self._client.private_get_orders_id, {"id": order_id})
        return lookup_answer(answer) if isinstance(answer, Failure) else await self._with_fills(answer, child)

    async def _with_fills(self, answer: Any, child: ChildOrder) -> ExecutionReport | Unknown:
        report = self._read(answer, child)
        if isinstance(report, Unknown) or report.filled == 0:
            return report
        found = await self._fills({"order_id": report.venue_order_id}, 0)
        if isinstance(found, Absent):
            return Unknown(f"{report.instrument} is not listed any more")
        return found if isinstance(found, Unknown) else self._read(answer, child, found)

    async def _ended(self, parent: ParentOrder, child: ChildOrder) -> ExecutionReport | Absent | Unknown:
        """See what became of an order that the venue confirmed once and does not find by our name any more."""
        found = await self._by_id(child.venue_order_id, child)
        if not isinstance(found, Absent):
            return found
        if self._now_us() // 1_000 <= child.request_time_ms + self.absence_window_ms:
            return Unknown("confirmed a moment ago and not to be seen: what is read may lag")
        return await self._untraded(parent, child)

    async def _untraded(self, parent: ParentOrder, child: ChildOrder) -> ExecutionReport | Unknown:
        """Say of an order that is not to be seen that it ended without a fill, if the book itself has it no more.

        If it lives it is taken back by that: to be there unseen is worse than to be gone.
        """
        answer = await self._cancelled(parent, child)
        if not isinstance(answer, Failure):
            return Unknown("alive though not to be seen, and taken back: what is read lags")
        said = lookup_answer(answer)
        if isinstance(said, Unknown):
            return said
        order_id = child.venue_order_id
        fills = await self._fills({"order_id": order_id}, 0) if order_id else ()
        if isinstance(fills, Absent | Unknown):
            return Unknown("gone, and the venue does not tell its fills")
        executions = [fill.execution for fill in fills]
        return self._records.gone(parent.instrument, child.client_order_id, order_id, executions, self._now_us())

    async def _denied(self, answer: Absent) -> Absent | Unknown:
        """See what the venue's own clock says, by which it lets a late request in, before an absence counts."""
        told = await self._requests.ask(Priority.ORDER, self._client.public_get_time, {})
        epoch = told.get("epoch") if isinstance(told, dict) else None
        if not isinstance(epoch, int | float):
            return Unknown(f"denied, and the venue does not tell its time: {told}")
        self._behind_ms = round(self._client.milliseconds() - epoch * 1_000)
        return answer

    async def _fills(self, question: dict[str, Any], since_us: int) -> Sequence[VenueTrade] | Absent | Unknown:
        """Return fills from this time on, oldest first. Pages go back from the newest, by trade id."""
        found: list[VenueTrade] = []
        while True:
            asked = {"limit": _PAGE} | question
            answer = await self._requests.ask(Priority.REST, self._client.private_get_fills, asked)
            if isinstance(answer, Failure):
                return Absent() if lists_no_such_product(answer) else Unknown(answer.text)
            try:
                page = [self._records.trade(record) for record in listed(answer)]
                found += [trade for trade in page if trade.execution.event_time_us >= since_us]
            except (InvalidValueError, AttributeError, TypeError) as error:
                return Unknown(f"the answer cannot be read: {error}")
            if len(page) < _PAGE or page[-1].execution.event_time_us < since_us:
                return found[::-1]
            question = question | {"after": answer[-1]["trade_id"]}

    async def _ask_order(
        self, priority: Priority, request: Any, parent: ParentOrder, child: ChildOrder
    ) -> Any | Failure:
        try:
            asked = {"client_oid": client_oid(child.client_order_id)}
            product = await self._product(parent.instrument)
        except (InvalidValueError, UnreachableError) as error:
            return Failure(str(error), sent=False)
        # Named with its product, an order cannot be overtaken by its cancellation on the way to the book.
        more = {PRODUCT_OF_CANCELLED: product} if priority is Priority.CANCEL else {}
        return await self._requests.ask(priority, request, asked | more)

    def _read(self, answer: Any, child: ChildOrder, fills: Sequence[VenueTrade] = ()) -> ExecutionReport | Unknown:
        try:
            return self._records.order(answer, child.client_order_id, [fill.execution for fill in fills])
        except (InvalidValueError, AttributeError, TypeError) as error:
            return Unknown(f"the answer cannot be read: {error}")

    async def _product(self, symbol: str) -> str:
        """Return the venue's name of an instrument; before the first, check the key and load the rules.

        Raises:
            InvalidValueError: if the venue does not have it.
            UnreachableError: if the venue does not answer.

        """
        async with self._loading:
            if not self._client.markets:
                await self.refuse_withdrawals()
                await load_products(self._client, self.name, self._settings.instruments)
        if not self._has(symbol):
            raise InvalidValueError("instrument", symbol, "one of the venue's configured instruments")
        return str(self._client.markets[symbol]["id"])

    def _has(self, symbol: str) -> bool:
        return symbol in self._settings.instruments and symbol in self._client.markets

    def _symbol_of(self, product: str) -> str:
        return str(self._client.safe_symbol(product, None, "-"))

    def _now_us(self) -> int:
        return int(self._client.milliseconds()) * 1_000
