"""The sequence of requests that a seed stands for: it depends on that and on the order ids heard, on nothing else."""

from collections.abc import Callable
from decimal import Decimal
from random import Random

from fuzz.draft import FORM, Draft
from fuzz.mutations import MUTATIONS, huge

SYMBOLS = ("BTCUSDT", "LTCUSDT")
_FORMS = ("ACK", "RESULT", "FULL")
_MODES = ("NONE", "EXPIRE_TAKER", "EXPIRE_MAKER", "EXPIRE_BOTH")
_SOUND = 0.25  # of all requests nothing is done to so many
_HUGE = 0.002

Params = list[tuple[str, str]]


class Requests:
    """Draws one request after the other; `prices` are the mid prices by symbol."""

    def __init__(self, seed: int, prices: dict[str, Decimal]) -> None:
        self._random = Random(seed)
        self._prices = prices
        self.heard: list[tuple[str, str]] = []  # symbol and id of orders that were placed
        self._kinds: tuple[tuple[int, Callable[[], Draft]], ...] = (
            (30, self._order), (8, self._cancel), (1, self._cancel_all), (5, self._lookup), (8, self._list),
            (5, self._own), (8, self._public), (5, self._sapi),
        )  # fmt: skip

    def draw(self) -> Draft:
        """The next request."""
        random = self._random
        draft = random.choices([make for _, make in self._kinds], [weight for weight, _ in self._kinds])[0]()
        names = []
        if random.random() >= _SOUND:
            mutations = random.choices([m for _, m in MUTATIONS], [w for w, _ in MUTATIONS], k=random.randint(1, 3))
            if random.random() < _HUGE:
                mutations = [huge]
            for mutation in mutations:
                mutation(random, draft)
                names.append(mutation.__name__)
        draft.shape = f"{draft.method} {draft.path} {'+'.join(names) or 'sound'}"
        return draft

    def _signed(self, method: str, path: str, params: Params) -> Draft:
        key = self._random.choice(("ann-key", "ann-key", "bob-key"))
        params = [*params, ("timestamp", "0")]
        if method == "POST" and self._random.random() < 0.5:
            return Draft(method, path, form=params, headers=[("Content-Type", FORM)], api_key=key, signed=True)
        return Draft(method, path, params, api_key=key, signed=True)

    def _price(self, symbol: str) -> str:
        """A price near the market, or far from it, on the tick."""
        share = self._random.choice(("0.5", "0.9", "0.999", "1", "1.001", "1.1", "1.5"))
        return str((self._prices[symbol] * Decimal(share)).quantize(Decimal("0.01")))

    def _quantity(self, symbol: str) -> str:
        smallest = Decimal("0.00100") if symbol == "BTCUSDT" else Decimal("0.500")
        return str(smallest * self._random.randint(1, 40))

    def _order(self) -> Draft:
        random = self._random
        symbol = random.choice(SYMBOLS)
        kind = random.choice(("LIMIT", "LIMIT", "LIMIT", "LIMIT_MAKER", "MARKET", "MARKET"))
        params = [("symbol", symbol), ("side", random.choice(("BUY", "SELL"))), ("type", kind)]
        if kind == "MARKET" and random.random() < 0.4:
            params.append(("quoteOrderQty", str(random.randint(6, 3_000))))
        else:
            params.append(("quantity", self._quantity(symbol)))
        if kind != "MARKET":
            params.append(("price", self._price(symbol)))
        if kind == "LIMIT":
            params.append(("timeInForce", random.choice(("GTC", "GTC", "IOC", "FOK"))))
        if random.random() < 0.5:
            params.append(("newClientOrderId", f"id-{random.randint(1, 60)}"))
        if random.random() < 0.5:
            params.append(("newOrderRespType", random.choice(_FORMS)))
        if random.random() < 0.4:
            params.append(("selfTradePreventionMode", random.choice(_MODES)))
        return self._signed("POST", "/api/v3/order", params)

    def _ids(self) -> Params:
        random = self._random
        symbol, number = random.choice(self.heard[-200:]) if self.heard else ("BTCUSDT", "1")
        by_id, by_client = ("orderId", number), ("origClientOrderId", f"id-{random.randint(1, 60)}")
        return [("symbol", symbol), *random.choice(([by_id], [by_id], [by_client], [by_id, by_client]))]

    def _cancel(self) -> Draft:
        return self._signed("DELETE", "/api/v3/order", self._ids())

    def _cancel_all(self) -> Draft:
        return self._signed("DELETE", "/api/v3/openOrders", [("symbol", self._random.choice(SYMBOLS))])

    def _lookup(self) -> Draft:
        return self._signed("GET", "/api/v3/order", self._ids())

    def _list(self) -> Draft:
        random = self._random
        path = random.choice(("openOrders", "allOrders", "myTrades", "myPreventedMatches"))
        params = [("symbol", random.choice(SYMBOLS))]
        if path in {"allOrders", "myTrades"} and random.random() < 0.7:
            extra = random.choice(("orderId", "startTime", "endTime", "limit", "fromId"))
            params.append((extra, str(random.choice((0, 1, 5, 1_000, 1_700_000_000_000, 1_700_000_000_000_000)))))
        if path == "myPreventedMatches":
            params.append((random.choice(("preventedMatchId", "orderId")), str(random.randint(0, 50))))
        return self._signed("GET", f"/api/v3/{path}", params)

    def _own(self) -> Draft:
        path = self._random.choice(("account", "rateLimit/order"))
        params = [("omitZeroBalances", self._random.choice(("true", "false")))] if path == "account" else []
        return self._signed("GET", f"/api/v3/{path}", params)

    def _public(self) -> Draft:
        random = self._random
        symbol = ("symbol", random.choice(SYMBOLS))
        path, params = random.choice(
            (
                ("ping", []),
                ("time", []),
                ("exchangeInfo", random.choice(([], [symbol], [("symbols", '["BTCUSDT","LTCUSDT"]')]))),
                ("depth", [symbol, ("limit", str(random.choice((1, 5, 100, 5_000, 9_999))))]),
                ("ticker/24hr", random.choice(([], [symbol]))),
                ("ticker/bookTicker", random.choice(([], [symbol], [("symbols", '["BTCUSDT"]')]))),
                ("klines", [symbol, ("interval", random.choice(("1m", "1h", "1d")))]),
            )
        )
        return Draft("GET", f"/api/v3/{path}", list(params))

    def _sapi(self) -> Draft:
        random = self._random
        path = random.choice(
            ("system/status", "asset/tradeFee", "account/apiRestrictions", "capital/deposit/hisrec",
             "capital/withdraw/history")
        )  # fmt: skip
        if path == "system/status":
            return Draft("GET", f"/sapi/v1/{path}")
        params = [("coin", "BTC"), ("limit", "5")] if path.startswith("capital") and random.random() < 0.5 else []
        return self._signed("GET", f"/sapi/v1/{path}", params)
