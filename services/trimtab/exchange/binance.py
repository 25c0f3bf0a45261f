"""Binance spot's dialect: REST under /api and /sapi, market streams, the websocket API."""

from collections.abc import Mapping

from aiohttp import web

from trimtab.exchange import pages, rest
from trimtab.exchange.dialect import Endpoints
from trimtab.exchange.errors import VenueError
from trimtab.exchange.faults import Fault
from trimtab.exchange.gate import Gate
from trimtab.exchange.house import BINANCE, House
from trimtab.exchange.schedule import BINANCE as TARGETS
from trimtab.exchange.schedule import Targets
from trimtab.exchange.sockets import Sockets
from trimtab.exchange.trading import TradingRest
from trimtab.exchange.venue import Venue


class Binance:
    """Implements `trimtab.exchange.dialect.Dialect`."""

    house: House = BINANCE
    targets: Targets = TARGETS
    open_always: tuple[str, ...] = ("/sapi/v1/system/status",)
    demo: Mapping[str, object] = {
        "name": "demo",
        "api_key": "demo-key",
        "secret": "demo-secret",
        "balances": {"USDT": "1000000", "BTC": "10", "ETH": "200", "BNB": "100"},
    }

    def endpoints(self, venue: Venue) -> Endpoints:
        """REST, streams and the websocket API of a venue, which tells in this dialect by itself."""
        return Endpoints(Gate(venue).pass_on, (rest.PublicRest(venue), TradingRest(venue), Sockets(venue)))

    def covers(self, path: str) -> bool:
        """Whether a path stands under /api or /sapi."""
        return path.startswith(("/api/", "/sapi/"))

    def check_key(self, api_key: str, secret: str, passphrase: str) -> None:
        """Any text is a secret here; passphrases are not looked at."""

    def refusal(self, error: VenueError) -> web.Response:
        """Code and text."""
        return rest.refusal(error)

    def failure(self, fault: Fault) -> web.Response:
        """Code and text where the fault has a code, else a gateway's page."""
        return pages.failure(fault)

    def closed(self) -> web.Response:
        """The maintenance answer."""
        return pages.closed()
