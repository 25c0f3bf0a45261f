"""Seeded requests in Coinbase Exchange's dialect, most of them wrong: what comes depends on the seed, and on the ids of
orders that were heard of.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from decimal import Decimal
from random import Random
from typing import Any
from urllib.parse import quote

from fuzz.mutations import NUMBERS, TEXTS
from trimtab.exchange.coinbase.signing import signature

PRODUCTS = ("BTC-USDT", "LTC-USDT")
CLIENT_IDS = tuple(f"00000000-0000-4000-8000-{number:012d}" for number in range(40))
_SOUND = 0.3  # of all requests nothing is done to so many
_UNREAD = "in no header"
_TYPES: tuple[Any, ...] = (None, True, False, [], {}, 0, 1, -1, 5, 10**40, [1], {"a": 1}, 0.5, 1e300, float("nan"))
_PATHS = (
    "/orders/", "//orders", "/ORDERS", "/orders/%6frder", "/orders/client:", "/orders/client:%00", "/orders/../fills",
    "/orders/x", "/orders/7e570000-0001-4000-8000-000000000001", "/orders/00000000-0000-0000-0000-000000000000",
    "/orders/7E570000-0001-4fff-8000-000000000001", "/orders/ffffffff-ffff-ffff-ffff-ffffffffffff", "/", "/nothing",
    "/orders/client:00000000-0000-4000-8000-000000000000/x", "/orders;x=1", "/%ff", "/favicon.ico", "/accounts/x",
    "/orders/client%3A00000000-0000-4000-8000-000000000001", "/products//book", "/products/%00/book", "/ws",
    "/profiles",
)  # fmt: skip
_METHODS = ("PUT", "PATCH", "HEAD", "OPTIONS", "GET", "POST", "DELETE", "TRACE")
_FIELDS = (
    "product_id", "side", "type", "size", "price", "funds", "time_in_force", "post_only", "stp", "client_oid", "stop",
    "stop_price", "cancel_after", "max_floor", "profile_id", "extra", "", "__proto__",
)  # fmt: skip
_QUERY = ("product_id", "order_id", "status", "limit", "before", "after", "start_date", "end_date", "level", "x")
_DATES = ("2026-01-01", "2026-01-01T00:00:00Z", "0001-01-01", "9999-12-31T23:59:59", "20260101", "2026-W01", "now")
_STAMPS = ("-31", "31", "-3600", "1e12", "nan", "inf", "-inf", "yesterday", "", " ", "0x10", "9" * 400, "１", "1_0")


@dataclass(slots=True)
class Asked:
    """One request before it is signed. `account` is whose key it carries; `stamp` seconds from now, or a text."""

    method: str
    path: str
    account: int | None = None
    query: list[tuple[str, str]] = field(default_factory=list)
    body: dict[str, Any] | None = None
    raw: bytes | None = None
    stamp: float | str = 0.0
    secret: int | None = None
    passphrase: str | None = None
    signed: str | None = None
    key: str | None = None
    headers: list[tuple[str, str]] = field(default_factory=list)
    shape: str = ""

    @property
    def lawful(self) -> bool:
        """Whether nothing is wrong with who sent it."""
        own = self.key is None and self.signed is None and self.passphrase is None
        return own and self.secret in {None, self.account} and isinstance(self.stamp, float) and abs(self.stamp) < 30

    @property
    def sent(self) -> bytes:
        """Its body."""
        return self.raw if self.raw is not None else b"" if self.body is None else json.dumps(self.body).encode()

    def build(self, now_seconds: float) -> bytes:
        """The bytes of it at this moment."""
        query = "&".join(f"{quote(name)}={quote(value, errors='surrogateescape')}" for name, value in self.query)
        target = self.path + (f"?{query}" if query else "")
        lines = [f"{self.method} {target} HTTP/1.1", "Host: 127.0.0.1", *(f"{k}: {v}" for k, v in self.headers)]
        if self.account is not None:
            lines += [f"{name}: {value}" for name, value in self._signed(target, now_seconds) if value != _UNREAD]
        if self.sent or self.method in {"POST", "PUT", "DELETE"}:
            lines.append(f"Content-Length: {len(self.sent)}")
        return "\r\n".join(lines).encode("utf-8", "surrogateescape") + b"\r\n\r\n" + self.sent

    def _signed(self, target: str, now_seconds: float) -> list[tuple[str, str]]:
        who = self.account or 0
        stamp = self.stamp if isinstance(self.stamp, str) else f"{now_seconds + self.stamp:.3f}"
        text = self.sent.decode("utf-8", "surrogateescape")
        own = signature(stamp, self.method, target, text, secret_of(who if self.secret is None else self.secret))
        return [
            ("CB-ACCESS-KEY", f"key-{who}" if self.key is None else self.key),
            ("CB-ACCESS-SIGN", own if self.signed is None else self.signed),
            ("CB-ACCESS-TIMESTAMP", stamp),
            ("CB-ACCESS-PASSPHRASE", f"words-{who}" if self.passphrase is None else self.passphrase),
        ]


def secret_of(account: int) -> str:
    """The secret of an account: base64."""
    return f"{account:08d}"


class CoinbaseRequests:
    """Draws one request after the other; `prices` are the mid prices by product."""

    def __init__(self, seed: int, prices: dict[str, Decimal], accounts: int) -> None:
        self._random = Random(seed)
        self._prices = prices
        self._accounts = accounts
        self.heard: list[tuple[int, str]] = []  # account and name of orders that were placed
        self._kinds: tuple[tuple[int, Callable[[], Asked]], ...] = (
            (30, self._order), (10, self._one), (2, self._cancel_all), (10, self._list), (4, self._own),
            (6, self._public),
        )  # fmt: skip
        self._mutations: tuple[tuple[int, Callable[[Asked], None]], ...] = (
            (14, self._field), (6, self._raw), (8, self._parameter), (10, self._sender), (4, self._method),
            (4, self._path),
        )  # fmt: skip

    def draw(self) -> Asked:
        """The next request."""
        random = self._random
        asked = random.choices([make for _, make in self._kinds], [weight for weight, _ in self._kinds])[0]()
        asked.shape = "sound"
        if random.random() >= _SOUND:
            chosen = random.choices(
                [m for _, m in self._mutations], [w for w, _ in self._mutations], k=random.randint(1, 2)
            )
            for mutate in chosen:
                mutate(asked)
            asked.shape = "+".join(mutate.__name__.strip("_") for mutate in chosen)
        return asked

    def _who(self) -> int:
        return self._random.randrange(self._accounts)

    def _order(self) -> Asked:
        random = self._random
        product = random.choice(PRODUCTS)
        body: dict[str, Any] = {"product_id": product, "side": random.choice(("buy", "sell"))}
        body["type"] = random.choice(("limit", "limit", "limit", "market"))
        smallest = Decimal("0.001") if product == "BTC-USDT" else Decimal("0.5")
        if body["type"] == "market" and random.random() < 0.4:
            body["funds"] = str(random.randint(6, 3_000))
        else:
            body["size"] = str(smallest * random.randint(1, 40))
        if body["type"] == "limit":
            share = Decimal(random.choice(("0.5", "0.9", "0.999", "1", "1.001", "1.1", "2")))
            body["price"] = str((self._prices[product] * share).quantize(Decimal("0.01")))
            body["time_in_force"] = random.choice(("GTC", "GTC", "IOC", "FOK"))
            if body["time_in_force"] == "GTC" and random.random() < 0.3:
                body["post_only"] = True
        if random.random() < 0.5:
            body["client_oid"] = random.choice(CLIENT_IDS)
        if random.random() < 0.4:
            body["stp"] = random.choice(("co", "cn", "cb", "dc"))
        return Asked("POST", "/orders", self._who(), body=body)

    def _one(self) -> Asked:
        random, account = self._random, self._who()
        name = f"client:{random.choice(CLIENT_IDS)}"
        if self.heard and random.random() < 0.7:
            account, name = random.choice(self.heard[-100:])
            account = account if random.random() < 0.8 else self._who()
        return Asked(random.choice(("GET", "DELETE", "DELETE")), f"/orders/{name}", account)

    def _cancel_all(self) -> Asked:
        return Asked("DELETE", "/orders", self._who(), [("product_id", self._random.choice(PRODUCTS))])

    def _list(self) -> Asked:
        random = self._random
        path, query = random.choice(("/orders", "/fills")), [("product_id", random.choice(PRODUCTS))]
        if path == "/orders":
            query += [("status", random.choice(("open", "done", "all")))]
        if random.random() < 0.5:
            query += [(random.choice(("limit", "after", "before")), str(random.choice((1, 5, 100))))]
        if path == "/orders":
            query = [pair for pair in query if pair[0] not in {"after", "before"}]
        return Asked("GET", path, self._who(), query)

    def _own(self) -> Asked:
        return Asked("GET", self._random.choice(("/accounts", "/fees")), self._who())

    def _public(self) -> Asked:
        random, product = self._random, self._random.choice(PRODUCTS)
        path = random.choice(
            ("/time", "/currencies", "/products", f"/products/{product}", f"/products/{product}/book",
             f"/products/{product}/ticker", f"/products/{product}/trades", f"/products/{product}/candles")
        )  # fmt: skip
        return Asked("GET", path)

    # Ways in which a request goes wrong

    def _value(self) -> Any:
        random = self._random
        return random.choice(_TYPES) if random.random() < 0.3 else random.choice((*NUMBERS, *TEXTS, *CLIENT_IDS[:1]))

    def _field(self, asked: Asked) -> None:
        """A field of the body is missing, odd or one more."""
        random, body = self._random, dict(asked.body or {})
        name = random.choice(sorted(body)) if body and random.random() < 0.7 else random.choice(_FIELDS)
        if name in body and random.random() < 0.2:
            del body[name]
        else:
            body[name] = self._value()
        asked.body = body

    def _raw(self, asked: Asked) -> None:
        """The body is cut, stained, said twice, or something else altogether."""
        random, whole = self._random, asked.sent or b'{"side":"buy"}'
        cut, stain = random.randrange(len(whole)), bytes([random.randrange(256)])
        asked.raw = random.choice(
            (whole[:cut], whole[:cut] + stain + whole[cut:], whole + whole, b"", b"null", b"[]",
             b"[" * 50_000, whole[:-1] + b',"side":"buy","side":"sell"}', b"\xef\xbb\xbf" + whole, b"a" * 2_000_000,
             whole.replace(b'"buy"', b'"\xff"'), b"size=1&side=buy", whole.decode("latin-1").encode("utf-16"))
        )  # fmt: skip

    def _parameter(self, asked: Asked) -> None:
        """A parameter of the query is odd, twice there, or one more."""
        random = self._random
        name = (
            random.choice([name for name, _ in asked.query] or _QUERY)
            if random.random() < 0.6
            else random.choice(_QUERY)
        )
        asked.query.append((name, str(random.choice((*NUMBERS, *TEXTS, *_DATES, *PRODUCTS, "all", "done", "1", "2")))))
        random.shuffle(asked.query)

    def _sender(self, asked: Asked) -> None:
        """Key, secret, passphrase, time or signature is another's, nobody's, or not there."""
        random = self._random
        if asked.account is None:
            return
        match random.randrange(6):
            case 0:
                asked.key = random.choice(("nobody", "", _UNREAD, "key-0 x", "é", "\udcff", "x" * 4_000))
            case 1:
                asked.secret = self._who()
            case 2:
                asked.passphrase = random.choice(("open sesame", "", _UNREAD, "é", "\udcff", "words"))
            case 3:
                asked.signed = random.choice(("", _UNREAD, "AAAA", "é", "x" * 4_000, "\udcff", "0" * 44))
            case 4:
                asked.stamp = random.choice(_STAMPS)
            case _:
                asked.stamp = random.choice((-3600.0, -31.0, 31.5, 3600.0, -29.0, 29.0))

    def _method(self, asked: Asked) -> None:
        """The method is another."""
        asked.method = self._random.choice(_METHODS)

    def _path(self, asked: Asked) -> None:
        """The path is nobody's, or another's."""
        asked.path = self._random.choice(_PATHS)
