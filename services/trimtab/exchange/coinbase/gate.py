"""The outermost layer of REST: who asks too much is turned away, and every refusal is Coinbase's JSON."""

from aiohttp import web

from trimtab.exchange import rest
from trimtab.exchange.clock import wall_us
from trimtab.exchange.coinbase import refusals
from trimtab.exchange.coinbase.buckets import FILLS, PRIVATE, PUBLIC, Buckets
from trimtab.exchange.dialect import Handler
from trimtab.exchange.errors import VenueError
from trimtab.exchange.venue import Venue

_PRIVATE = ("/accounts", "/orders", "/fills", "/fees")
_CONTROLS = "/sim/"


def covers(path: str) -> bool:
    """Whether a path is the exchange's own: not a control, and not the feed."""
    return path != "/" and not path.startswith(_CONTROLS)


def refusal(error: VenueError) -> web.Response:
    """A refused request's answer."""
    said = refusals.translated(error)
    return rest.answer({"message": said.text}, said.status)


class Gate:
    """Takes what every request costs out of its sender's bucket."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue
        self._public, self._private, self._fills = Buckets(PUBLIC), Buckets(PRIVATE), Buckets(FILLS)

    @web.middleware
    async def pass_on(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request through, or turn it away."""
        if request.path.startswith(_CONTROLS):
            return await _controlled(request, handler)
        if not covers(request.path):
            return await _answered(request, handler)
        address = request.remote or ""
        try:
            self._take(request, address)
        except VenueError as error:
            self._venue.note_limited(error, address, f"{request.method} {request.path}")
            return refusal(error)
        return await _answered(request, handler)

    def _take(self, request: web.Request, address: str) -> None:
        if not request.path.startswith(_PRIVATE):
            self._public.take(address, wall_us())
            return
        profile = self._venue.keys.account(request.headers.get("CB-ACCESS-KEY")) or address
        buckets = self._fills if request.path.startswith("/fills") else self._private
        buckets.take(profile, wall_us())


async def _controlled(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Controls are the same in every dialect."""
    try:
        return await handler(request)
    except VenueError as error:
        return rest.refusal(error)


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    try:
        return await handler(request)
    except VenueError as error:
        return refusal(error)
    except (web.RequestPayloadError, web.HTTPBadRequest):  # the latter at the feed's path, of what is no websocket
        return refusal(refusals.refused("Bad Request"))
    except web.HTTPRequestEntityTooLarge:
        return refusal(refusals.refused("request entity too large", 413))
    except web.HTTPNotFound:
        return refusal(refusals.not_found())
    except web.HTTPMethodNotAllowed as error:
        answered = refusal(refusals.refused("Method Not Allowed", 405))
        answered.headers["Allow"] = error.headers["Allow"]
        return answered
