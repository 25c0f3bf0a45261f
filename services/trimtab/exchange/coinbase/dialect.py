"""Coinbase Exchange's dialect: REST at the root, the websocket feed at `/`."""

from collections.abc import Mapping

from aiohttp import web

from trimtab.exchange import pages, rest
from trimtab.exchange.coinbase import gate
from trimtab.exchange.coinbase.feed import Feed
from trimtab.exchange.coinbase.house import HOUSE
from trimtab.exchange.coinbase.markets import MarketsRest
from trimtab.exchange.coinbase.names import Names
from trimtab.exchange.coinbase.refusals import rate_limited
from trimtab.exchange.coinbase.signing import decoded
from trimtab.exchange.coinbase.sockets import Sockets
from trimtab.exchange.coinbase.trading import TradingRest
from trimtab.exchange.coinbase.wire import Wire
from trimtab.exchange.dialect import Endpoints
from trimtab.exchange.errors import VenueError
from trimtab.exchange.faults import Fault
from trimtab.exchange.house import House
from trimtab.exchange.schedule import Targets
from trimtab.exchange.venue import Venue

_HOST = "api.exchange.coinbase.com"


class Coinbase:
    """Implements `trimtab.exchange.dialect.Dialect`."""

    house: House = HOUSE
    open_always: tuple[str, ...] = ()
    targets: Targets = Targets(
        requests=("POST /orders", "POST /orders", "DELETE /orders", "GET /orders", ""),
        repeatable=("DELETE /orders", "GET /orders", "GET /fills"),
        streams=("@matches", "@user", ""),
    )
    demo: Mapping[str, object] = {
        "name": "demo",
        "api_key": "demo-key",
        "secret": "ZGVtby1zZWNyZXQ=",
        "passphrase": "demo-passphrase",
        "maker_fee": "0.004",
        "taker_fee": "0.006",
        "balances": {"USDT": "1000000", "BTC": "10", "ETH": "200", "BNB": "100"},
    }

    def endpoints(self, venue: Venue) -> Endpoints:
        """REST and the feed of a venue, which tells in this dialect from now on."""
        names = Names(venue.engine.instruments)
        feed = Feed(venue, names)
        venue.teller = feed
        parts = (MarketsRest(venue, feed), TradingRest(venue, Wire(venue, names)), Sockets(venue, feed))
        return Endpoints(gate.Gate(venue).pass_on, parts)

    def covers(self, path: str) -> bool:
        """Whether a path is neither a control nor the feed."""
        return gate.covers(path)

    def check_key(self, api_key: str, secret: str, passphrase: str) -> None:
        """See that the secret is base64 and that there is a passphrase.

        Raises ValueError.
        """
        try:
            decoded(secret)
        except ValueError as error:
            raise ValueError(f"api key {api_key}: {error}") from error
        if not passphrase:
            raise ValueError(f"api key {api_key}: Coinbase's have a passphrase")

    def refusal(self, error: VenueError) -> web.Response:
        """A text."""
        return gate.refusal(error)

    def failure(self, fault: Fault) -> web.Response:
        """A text where the fault has a code, else a gateway's page. Of a rate limit nobody says for how long."""
        if fault.kind == "rate_limit":
            return gate.refusal(rate_limited("Private"))
        if fault.code is not None:
            return rest.answer({"message": "Internal server error"}, fault.status)
        return pages.error_page(fault.status, _HOST)

    def closed(self) -> web.Response:
        """A text."""
        return rest.answer({"message": "Service is under maintenance"}, 503)
