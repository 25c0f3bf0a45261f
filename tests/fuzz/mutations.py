"""Ways in which a request goes wrong."""

from collections.abc import Callable
from random import Random

from fuzz.draft import FORM, Draft

Mutation = Callable[[Random, Draft], None]

NUMBERS = (
    "0", "-1", "+1", "1e5", "1E-8", "NaN", "Infinity", "-Infinity", "0x10", "1.", ".5", " 1", "1 ", "1_000", "1,5", "٣",
    "９", "²", "0.00000001", "0.000000001", "0.000000010", "00.1", "9" * 20, "9" * 21, "9" * 400, "9223372036854775807",
    "9223372036854775808", "92233720368.54775807", "92233720368.54775808", "1." + "0" * 20, "1." + "0" * 21, "1.0.0",
    "true", "null", "None", "1000000", "0.01", "61000.005", "5", "1", "100000000",
)  # fmt: skip
AMOUNTS = (
    "0.00001", "0.00002", "0.000001", "0.000015", "0.001", "0.01", "4.99", "5", "120.00001", "20001",
    "9000000", "9000000.1", "1000000", "1000000.01", "61000.005", "0.005", "310000", "12000", "1.123456789",
    "92233720368.54775807",
)  # fmt: skip
TEXTS = (
    "[]", "{}", '["BTCUSDT"]', '["BTCUSDT","BTCUSDT"]', '["BTCUSDT",', "[[[[", "' OR 1=1 --", "<script>", "${x}",
    "../..", "%00", "\x00", "\r\nX-Evil: 1", "\t", "🚀", "BTCUSDT\u0000", "ＢＴＣ", "\udcff\udcfe", "\udc80",
    "a" * 5_000,
    "btcusdt", "BTC/USDT", "NOSUCH", "BTCUSDT ", "BUY", "sell", "LIMIT", "STOP_LOSS", "GTC", "GTX", "FULL", "ack",
    "EXPIRE_TAKER", "DECREMENT", "NONE", "1m", "1s", "2d", "x" * 36, "x" * 37, "my id", "a.b:c/d-e_f", "id'", "é",
)  # fmt: skip
TIMES = ("-60001", "-10000", "5000", "60000", "0", "-3000", "-1", "yesterday", "1e12", "9" * 20, "9" * 25, "1.5")
WINDOWS = (
    "60000", "60000.000", "60000.001", "60001", "5000.123", "5000.1234", "-1", "1e3", "", "x", "9" * 30, "6000.", "٦٠٠",
)  # fmt: skip
CONTENT_TYPES = (
    "application/json", "text/plain", "multipart/form-data; boundary=x", "multipart/form-data", "application/xml", "",
    f"{FORM}; charset=utf-16", f"{FORM}; charset=klingon", "nonsense", ";;;", FORM.upper(), "application/octet-stream",
)  # fmt: skip
KEYS = (None, "", " ", "nobody", "ann-key ", "ANN-KEY", "bob-key", "é", "x" * 4_000, "ann-key,ann-key")
PATHS = (
    "/api/v3/exchangie", "/api/v3/order/", "/api//v3/order", "/API/V3/ORDER", "/api/v3/%6frder",
    "/api/v3/order/../time", "/api/v3/order;x=1", "/api/v1/time", "/", "/api/v3", "/sapi/v1/nothing",
    "/api/v3/order%00", "/api/v3/%ff", "/api/v3/order%2f", "/fapi/v1/order", "/api/v3/openOrders/", "/favicon.ico",
    "/api/v3/userDataStream",
)  # fmt: skip
METHODS = ("PUT", "PATCH", "HEAD", "OPTIONS", "GET", "POST", "DELETE", "TRACE")


def _place(random: Random, draft: Draft) -> list[tuple[str, str]]:
    """Query or form, whichever holds something."""
    filled = [pairs for pairs in (draft.query, draft.form) if pairs]
    return random.choice(filled) if filled else draft.query


def drop(random: Random, draft: Draft) -> None:
    """A parameter is missing."""
    if pairs := _place(random, draft):
        pairs.pop(random.randrange(len(pairs)))


def repeat(random: Random, draft: Draft) -> None:
    """A parameter comes twice, in one place or in both, with the same value or another."""
    if not (pairs := _place(random, draft)):
        return
    name, value = random.choice(pairs)
    other = random.choice((value, value, value, random.choice(NUMBERS), random.choice(TEXTS), ""))
    random.choice((pairs, draft.query, draft.form)).append((name, other))


def empty(random: Random, draft: Draft) -> None:
    """A parameter has no value."""
    if pairs := _place(random, draft):
        number = random.randrange(len(pairs))
        pairs[number] = pairs[number][0], ""


def add(random: Random, draft: Draft) -> None:
    """A parameter that belongs elsewhere, or nowhere."""
    name = random.choice(
        ("created", "stopPrice", "icebergQty", "trailingDelta", "quoteOrderQty", "symbols", "symbol", "orderId",
         "limit", "symbols[]", "signature", "timestamp", "", " ", "é", "__proto__", "side[]", "SYMBOL", "fromId",
         "startTime", "\udcff", "newOrderRespType", "selfTradePreventionMode", "timeInForce", "price", "quantity")
    )  # fmt: skip
    _place(random, draft).append((name, random.choice((*NUMBERS, *TEXTS, ""))))


def number(random: Random, draft: Draft) -> None:
    """A number is none, or an odd one."""
    _replace(random, draft, NUMBERS)


def amount(random: Random, draft: Draft) -> None:
    """An amount that is a number, beyond a filter's edge or on it."""
    for pairs in (draft.query, draft.form):
        for place, (name, value) in enumerate(pairs):
            if name in {"quantity", "price", "quoteOrderQty"} and random.random() < 0.6:
                pairs[place] = name, random.choice((*AMOUNTS, f"{value}1", f"{value}00000000000"))


def text(random: Random, draft: Draft) -> None:
    """A text is another."""
    _replace(random, draft, TEXTS)


def _replace(random: Random, draft: Draft, values: tuple[str, ...]) -> None:
    if pairs := _place(random, draft):
        chosen = random.randrange(len(pairs))
        pairs[chosen] = pairs[chosen][0], random.choice(values)


def noise(random: Random, draft: Draft) -> None:
    """A value is random bytes."""
    if pairs := _place(random, draft):
        chosen = random.randrange(len(pairs))
        pairs[chosen] = pairs[chosen][0], random.randbytes(random.randint(1, 40)).decode("utf-8", "surrogateescape")


def shuffle(random: Random, draft: Draft) -> None:
    """The parameters come in another order; nothing is wrong with that."""
    random.shuffle(draft.query)
    random.shuffle(draft.form)


def move(random: Random, draft: Draft) -> None:
    """Parameters come in the other place, or some in each."""
    both = draft.query + draft.form
    cut = random.randint(0, len(both))
    draft.query, draft.form = both[:cut], both[cut:]


def encode(_: Random, draft: Draft) -> None:
    """Every byte is percent-encoded; nothing is wrong with that."""
    draft.encode_all = True


def bare(_: Random, draft: Draft) -> None:
    """Nothing is encoded."""
    draft.bare = True


def signature(random: Random, draft: Draft) -> None:
    """The signature is another's, cut, of other characters, or not there."""
    draft.signature = random.choice(
        ("absent", "", "0" * 64, "f" * 63, "g" * 64, "%ff%fe", "é" * 32, "%C3%A9", "x" * 3_000)
    )


def secret(random: Random, draft: Draft) -> None:
    """Signed with another secret."""
    draft.secret = random.choice(("bob-secret", "wrong", "ann-secret "))


def api_key(random: Random, draft: Draft) -> None:
    """The key is missing, or another's."""
    draft.api_key = random.choice(KEYS)


def moment(random: Random, draft: Draft) -> None:
    """The time is off, in microseconds, or none."""
    draft.unit = random.choice(("ms", "us"))
    chosen = random.choice(TIMES)
    draft.query = [(name, chosen if name == "timestamp" else value) for name, value in draft.query]
    draft.form = [(name, chosen if name == "timestamp" else value) for name, value in draft.form]


def window(random: Random, draft: Draft) -> None:
    """A recvWindow, allowed or not."""
    _place(random, draft).append(("recvWindow", random.choice(WINDOWS)))


def content_type(random: Random, draft: Draft) -> None:
    """The body is called something else."""
    draft.headers = [(name, value) for name, value in draft.headers if name != "Content-Type"]
    draft.headers.append(("Content-Type", random.choice(CONTENT_TYPES)))


def body(random: Random, draft: Draft) -> None:
    """The body is something else."""
    size = random.choice((1, 20, 300, 5_000))
    draft.raw = random.choice(
        (b"{}", b'{"symbol":"BTCUSDT","side":"BUY"}', b"\x00" * size, random.randbytes(size), b"&" * size, b"=" * size,
         b"a=1&" * size, b"%" * size, b"symbol", b"[" * size, b"\xff\xfe" * size)
    )  # fmt: skip


def huge(random: Random, draft: Draft) -> None:
    """The body is larger than any, or nearly."""
    draft.raw = b"a" * random.choice((1_000_000, 1_100_000, 3_000_000))


def chunked(_: Random, draft: Draft) -> None:
    """The body comes in chunks; nothing is wrong with that."""
    draft.chunked = True


def zipped(random: Random, draft: Draft) -> None:
    """The body is said to be compressed."""
    draft.headers.append(("Content-Encoding", random.choice(("gzip", "deflate", "br", "zstd", "identity", "rot13"))))


def method(random: Random, draft: Draft) -> None:
    """The method is another."""
    draft.method = random.choice(METHODS)


def path(random: Random, draft: Draft) -> None:
    """The path is nobody's."""
    draft.path = random.choice(PATHS)


def header(random: Random, draft: Draft) -> None:
    """A header that means nothing here."""
    draft.headers.append(
        random.choice(
            (("Accept", "text/html"), ("Accept", "\udcff"), ("X-Long", "x" * 6_000), ("Cookie", "a=b; " * 200),
             ("X-MBX-TIME-UNIT", "MICROSECOND"), ("Expect", "nothing"), ("Range", "bytes=0-1"), ("Origin", "null"),
             ("Content-Language", "\udc80"), ("X-Forwarded-For", "1.2.3.4"), ("Upgrade", "websocket"))
        )
    )  # fmt: skip


MUTATIONS: tuple[tuple[int, Mutation], ...] = (
    (6, drop), (8, repeat), (6, empty), (8, add), (12, number), (12, amount), (12, text), (4, noise), (3, shuffle),
    (5, move), (3, encode), (2, bare), (4, signature), (3, secret), (4, api_key), (5, moment), (5, window),
    (4, content_type), (4, body), (1, chunked), (2, zipped), (4, method), (3, path), (3, header),
)  # fmt: skip
