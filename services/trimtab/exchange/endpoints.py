"""The REST endpoints here: which parameters each reads, and what it weighs (Binance spot API, "Weight")."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

Values = Mapping[str, str]
Weigh = Callable[[Values], int]
Budget = Literal["api", "sapi_ip", "sapi_uid"]

_SIGNED = ("timestamp", "signature")
_WINDOW = "recvWindow"
_UNKNOWN_WEIGHT = 1  # what a path weighs that is not served


@dataclass(frozen=True, slots=True)
class Endpoint:
    """One endpoint.

    `needed` are the parameters without which it is refused, `optional` the others it reads. `weight` is charged to
    `budget`: the address's for everything under /api (given back for an order that is placed or cancelled:
    `free_when_done`); one of its own for each path under /sapi, of the address or of the account.
    """

    needed: tuple[str, ...] = ()
    optional: tuple[str, ...] = ()
    weight: int | Weigh = 1
    signed: bool = False
    free_when_done: bool = False
    budget: Budget = "api"

    @property
    def names(self) -> tuple[str, ...]:
        """Every parameter it reads."""
        own = self.needed + self.optional
        return (*own, *_SIGNED, _WINDOW) if self.signed else own

    @property
    def strict(self) -> bool:
        """Whether it refuses what it does not read; what stands under /sapi passes over it."""
        return self.budget == "api"

    def weigh(self, values: Values) -> int:
        """What a request with these parameters costs."""
        return self.weight if isinstance(self.weight, int) else self.weight(values)


def _depth(values: Values) -> int:
    text = values.get("limit", "")
    limit = int(text) if text.isascii() and text.isdigit() and len(text) < 20 else 100
    for most, weight in ((100, 5), (500, 25), (1000, 50)):
        if limit <= most:
            return weight
    return 250


def _day(values: Values) -> int:
    if values.get("symbol"):
        return 2
    if not values.get("symbols"):
        return 80
    named = values["symbols"].count(",") + 1
    return 2 if named <= 20 else 40 if named <= 100 else 80


def _best(values: Values) -> int:
    return 2 if values.get("symbol") else 4


def _open_orders(values: Values) -> int:
    return 6 if values.get("symbol") else 80


def _trades(values: Values) -> int:
    return 5 if values.get("orderId") else 20


def _prevented(values: Values) -> int:
    return 20 if values.get("orderId") else 2


_SYMBOLS, _TIMES, _IDS = ("symbol", "symbols"), ("startTime", "endTime"), ("orderId", "origClientOrderId")
_ORDER = (
    "timeInForce", "quantity", "quoteOrderQty", "price", "newClientOrderId", "newOrderRespType",
    "selfTradePreventionMode", "stopPrice", "trailingDelta", "icebergQty",
)  # fmt: skip
_HISTORY = ("coin", *_TIMES, "offset", "limit")
_ONE = ("symbol",)

ENDPOINTS: Mapping[tuple[str, str], Endpoint] = {
    ("GET", "/api/v3/ping"): Endpoint(),
    ("GET", "/api/v3/time"): Endpoint(),
    ("GET", "/api/v3/exchangeInfo"): Endpoint(optional=_SYMBOLS, weight=20),
    ("GET", "/api/v3/depth"): Endpoint(_ONE, ("limit",), weight=_depth),
    ("GET", "/api/v3/ticker/24hr"): Endpoint(optional=_SYMBOLS, weight=_day),
    ("GET", "/api/v3/ticker/bookTicker"): Endpoint(optional=_SYMBOLS, weight=_best),
    ("GET", "/api/v3/klines"): Endpoint(("symbol", "interval"), (*_TIMES, "limit"), weight=2),
    ("GET", "/api/v3/account"): Endpoint(optional=("omitZeroBalances",), weight=20, signed=True),
    ("POST", "/api/v3/order"): Endpoint(("symbol", "side", "type"), _ORDER, signed=True, free_when_done=True),
    ("GET", "/api/v3/order"): Endpoint(_ONE, _IDS, weight=4, signed=True),
    ("DELETE", "/api/v3/order"): Endpoint(_ONE, (*_IDS, "newClientOrderId"), signed=True, free_when_done=True),
    ("GET", "/api/v3/openOrders"): Endpoint(optional=_ONE, weight=_open_orders, signed=True),
    ("DELETE", "/api/v3/openOrders"): Endpoint(_ONE, signed=True, free_when_done=True),
    ("GET", "/api/v3/allOrders"): Endpoint(_ONE, ("orderId", *_TIMES, "limit"), weight=20, signed=True),
    ("GET", "/api/v3/myTrades"): Endpoint(_ONE, ("orderId", *_TIMES, "fromId", "limit"), weight=_trades, signed=True),
    ("GET", "/api/v3/rateLimit/order"): Endpoint(weight=40, signed=True),
    ("GET", "/api/v3/myPreventedMatches"): Endpoint(
        _ONE, ("preventedMatchId", "orderId", "fromPreventedMatchId", "limit"), weight=_prevented, signed=True
    ),
    ("GET", "/sapi/v1/system/status"): Endpoint(budget="sapi_ip"),
    ("GET", "/sapi/v1/asset/tradeFee"): Endpoint(optional=_ONE, signed=True, budget="sapi_ip"),
    ("GET", "/sapi/v1/account/apiRestrictions"): Endpoint(signed=True, budget="sapi_ip"),
    ("GET", "/sapi/v1/capital/deposit/hisrec"): Endpoint(optional=_HISTORY, signed=True, budget="sapi_ip"),
    ("GET", "/sapi/v1/capital/withdraw/history"): Endpoint(
        optional=_HISTORY, weight=18_000, signed=True, budget="sapi_uid"
    ),
}

SOCKET_WEIGHTS: Mapping[str, int] = {
    "connect": 2,
    "ping": 1,
    "time": 1,
    "userDataStream.subscribe.signature": 2,
    "userDataStream.unsubscribe": 2,
}
"""What the methods of the websocket API weigh, charged to the address as well."""

_NOWHERE = Endpoint(weight=_UNKNOWN_WEIGHT)


def endpoint_of(method: str, path: str) -> Endpoint:
    """The endpoint that answers a request; one without parameters if none does."""
    return ENDPOINTS.get(("GET" if method == "HEAD" else method, path), _NOWHERE)
