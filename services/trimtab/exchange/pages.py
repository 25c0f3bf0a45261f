"""What stands in the place of an answer when something before the exchange, or the exchange itself, fails."""

from http import HTTPStatus

from aiohttp import web

from trimtab.exchange.faults import Fault
from trimtab.exchange.rest import answer

_FAILURES = {
    -1000: "An unknown error occurred while processing the request.",
    -1001: "Internal error; unable to process your request. Please try again.",
    -1006: "An unexpected response was received from the message bus. Execution status unknown.",
    -1007: "Timeout waiting for response from backend server. Send status unknown; execution status unknown.",
    -1008: "Server is currently overloaded with other requests. Please try again in a few minutes.",
}
_WEIGHT = (
    "Too much request weight used; current limit is 6000 request weight per 1 MINUTE. "
    "Please use WebSocket Streams for live updates to avoid polling the API."
)

# The content network's own statuses: no HTTP standard names them.
_EDGE = {
    520: "Web server is returning an unknown error",
    521: "Web server is down",
    522: "Connection timed out",
    523: "Origin is unreachable",
    524: "A timeout occurred",
    525: "SSL handshake failed",
    526: "Invalid SSL certificate",
    527: "Railgun error",
    530: "Origin DNS error",
}
_EDGE_PAGE = (
    "<!DOCTYPE html><html><head><title>{host} | {status}: {title}</title></head>"
    "<body><h1>{title} <small>Error code {status}</small></h1>"
    "<p>You: working. Edge: working. Host: error.</p></body></html>"
)
_PAGE = "<html><head><title>{status} {title}</title></head><body><h1>{status} {title}</h1></body></html>"
_FOREIGN = "<!DOCTYPE html><html><head><title>One moment</title></head><body>Checking your browser.</body></html>"


def failure(fault: Fault) -> web.Response:
    """The answer of a fault that is an error: Binance's JSON where it has a code, else a gateway's page."""
    if fault.kind == "rate_limit":
        refusal = answer({"code": -1003, "msg": _WEIGHT}, 429)
        refusal.headers["Retry-After"] = str(fault.retry_after_seconds)
        return refusal
    if fault.code is not None:
        return answer({"code": fault.code, "msg": _FAILURES.get(fault.code, _FAILURES[-1000])}, fault.status)
    return error_page(fault.status)


def closed() -> web.Response:
    """What everybody is told during maintenance."""
    return answer({"code": 1, "msg": "System is under maintenance."}, 503)


def error_page(status: int, host: str = "api.binance.com") -> web.Response:
    """A page of HTML with a status of 5xx, as `host`'s content network (520 and above) or a gateway sends it."""
    if status in _EDGE:
        title = _EDGE[status]
        text = _EDGE_PAGE.format(host=host, status=status, title=title)
        headers = {"Server": "cloudflare", "CF-RAY": "0000000000000000-SIM", "Cache-Control": "no-store"}
        return web.Response(text=text, status=status, reason=title, headers=headers, content_type="text/html")
    known = {each.value: each.phrase for each in HTTPStatus}
    title = known.get(status, "Server Error")
    page = _PAGE.format(status=status, title=title)
    return web.Response(text=page, status=status, reason=title, content_type="text/html")


def foreign_page() -> web.Response:
    """A page with status 200 that somebody put before the exchange."""
    return web.Response(text=_FOREIGN, content_type="text/html")


def nothing() -> web.Response:
    """Status 200 and not a byte."""
    return web.Response(body=b"", content_type="application/json")
