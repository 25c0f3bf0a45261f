"""The outermost layer of REST: what a request costs, who is turned away, and that every refusal is Binance's JSON."""

from collections.abc import Awaitable, Callable

from aiohttp import web

from trimtab.exchange import errors
from trimtab.exchange.clock import wall_us
from trimtab.exchange.endpoints import Endpoint, endpoint_of
from trimtab.exchange.errors import VenueError
from trimtab.exchange.rest import refusal, sent
from trimtab.exchange.venue import Venue

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]

_METERED = ("/api/", "/sapi/")
_NOT_FOUND_PAGE = "<html><body><h2>404 Not found</h2></body></html>"


class Gate:
    """Asks the venue's meters about every request under /api and /sapi."""

    def __init__(self, venue: Venue) -> None:
        self._venue = venue

    @web.middleware
    async def pass_on(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        """Let a request through and write on its answer what has been used."""
        if not request.path.startswith(_METERED):
            return await _answered(request, handler)
        address, endpoint = request.remote or "", endpoint_of(request.method, request.path)
        if endpoint.budget != "api":
            return await self._own_budget(request, handler, endpoint, address)
        requests, weight = self._venue.meters.requests, endpoint.weigh(await _weighed(request, endpoint))
        try:
            requests.charge(address, weight, wall_us())
        except VenueError as error:
            self._venue.note_limited(error, address, f"{request.method} {request.path}")
            answered: web.StreamResponse = refusal(error)
        else:
            answered = await _answered(request, handler)
            if endpoint.free_when_done and answered.status == 200:
                requests.refund(address, weight, wall_us())
        used = str(requests.used(address, wall_us()))
        answered.headers.update({"X-MBX-USED-WEIGHT": used, "X-MBX-USED-WEIGHT-1M": used})
        return answered

    async def _own_budget(
        self, request: web.Request, handler: Handler, endpoint: Endpoint, address: str
    ) -> web.StreamResponse:
        """As above for a path under /sapi, which has a budget of its own for each address or account."""
        meters, by_account = self._venue.meters, endpoint.budget == "sapi_uid"
        budget = meters.sapi_account if by_account else meters.sapi
        account = self._venue.keys.account(request.headers.get("X-MBX-APIKEY"))
        who = account if by_account and account is not None else address
        try:
            used = budget.charge(who, request.path, endpoint.weigh({}), wall_us())
        except VenueError as error:
            self._venue.note_limited(error, who, f"{request.method} {request.path}")
            return refusal(error)
        answered = await _answered(request, handler)
        answered.headers["X-SAPI-USED-UID-WEIGHT-1S" if by_account else "X-SAPI-USED-IP-WEIGHT-1M"] = str(used)
        return answered


async def _weighed(request: web.Request, endpoint: Endpoint) -> dict[str, str]:
    """The parameters on which an endpoint's weight depends; none where they cannot be read, which is refused later."""
    if isinstance(endpoint.weight, int):
        return {}
    try:
        return dict((await sent(request))[0].values)
    except (VenueError, web.HTTPException, web.RequestPayloadError):
        return {}


async def _answered(request: web.Request, handler: Handler) -> web.StreamResponse:
    """What the handler answers, or its refusal as Binance words it."""
    try:
        return await handler(request)
    except VenueError as error:
        return refusal(error)
    except web.RequestPayloadError:
        return refusal(errors.unreadable())
    except web.HTTPRequestEntityTooLarge:
        return refusal(errors.too_large())
    except web.HTTPNotFound:
        if "text/html" in request.headers.get("Accept", ""):
            return web.Response(text=_NOT_FOUND_PAGE, status=404, content_type="text/html")
        return refusal(errors.unsupported(404))
    except web.HTTPMethodNotAllowed as error:
        refused = refusal(errors.unsupported(405))
        refused.headers["Allow"] = error.headers["Allow"]
        return refused
