"""What a person, or the exchange itself, does to accounts, under /sim/: orders by hand, dust, redenominations."""

import secrets
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Literal

from aiohttp import web
from pydantic import Field

from trimtab.exchange import wire
from trimtab.exchange.bodies import Amount, Count, Strict, body_of
from trimtab.exchange.book import ZERO
from trimtab.exchange.errors import VenueError
from trimtab.exchange.orders import NewOrder
from trimtab.exchange.rest import answer
from trimtab.exchange.venue import Venue


class _HandOrder(Strict):
    account: str
    symbol: str
    side: Literal["BUY", "SELL"]
    quantity: Amount
    price: Amount | None = None


class _HandCancel(Strict):
    account: str
    symbol: str
    order_id: Count


class _Dust(Strict):
    account: str
    assets: Annotated[list[str], Field(min_length=1)]
    into: str = "BNB"


class _Redenomination(Strict):
    asset: Annotated[str, Field(pattern=r"^[A-Z0-9]{1,20}$")]
    ratio: Literal["0.0001", "0.001", "0.01", "0.1", "10", "100", "1000", "10000"]


class Holders:
    """The endpoints for what happens to accounts without a request of their own."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    def routes(self) -> Iterable[web.RouteDef]:
        """All of them."""
        return (
            web.post("/sim/orders", self._order),
            web.delete("/sim/orders", self._cancel),
            web.post("/sim/dust", self._dust),
            web.post("/sim/redenominate", self._redenominate),
        )

    async def _order(self, request: web.Request) -> web.Response:
        spec = await body_of(request, _HandOrder)
        kind: Literal["MARKET", "LIMIT"] = "MARKET" if spec.price is None else "LIMIT"
        client_id = f"web_{secrets.token_hex(12)}"  # as the exchange's own pages call theirs
        new = NewOrder(spec.symbol, spec.side, kind, client_id, spec.quantity, price=spec.price or ZERO)
        order, fills, prevented = self._venue.place(self._known(spec.account), new, by_hand=True)
        return answer(wire.order_full(order, fills, prevented), 201)

    async def _cancel(self, request: web.Request) -> web.Response:
        spec = await body_of(request, _HandCancel)
        request_id = f"web_{secrets.token_hex(12)}"
        account = self._known(spec.account)
        order = self._venue.cancel(account, spec.symbol, spec.order_id, None, request_id, by_hand=True)
        return answer(wire.order_cancelled(order, request_id))

    async def _dust(self, request: web.Request) -> web.Response:
        spec = await body_of(request, _Dust)
        self._venue.convert_dust(self._known(spec.account), spec.assets, spec.into)
        return answer({"account": spec.account})

    async def _redenominate(self, request: web.Request) -> web.Response:
        spec = await body_of(request, _Redenomination)
        self._venue.redenominate(spec.asset, Decimal(spec.ratio))
        return answer({"asset": spec.asset})

    def _known(self, name: str) -> str:
        if name not in self._venue.engine.accounts.by_name:
            raise VenueError(-1, f"account {name!r}: not here", 404)
        return name
