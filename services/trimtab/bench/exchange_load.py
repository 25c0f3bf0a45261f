"""A client that puts load on an exchange: signed orders on several connections, and a listener to its book."""

import asyncio
import itertools
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal
from urllib.parse import urlencode

import aiohttp

from trimtab.exchange.signing import signature

SYMBOL = "BTCUSDT"
STREAMS = tuple(f"{SYMBOL.lower()}@{kind}" for kind in ("depth@100ms", "bookTicker"))
Prices = tuple[Decimal, Decimal]
"""Best bid and ask, in quote units."""
KEY, SECRET = "load-key", "load-secret"
_QUANTITY = "0.001"
_FAR, _THROUGH = Decimal("0.02"), Decimal("0.001")  # of the price: out of the book's reach, and through its best level
_ANSWER_SECONDS_MAX = 30.0


@dataclass(slots=True)
class Load:
    """What came of some orders: milliseconds of each that was accepted, those that were not, seconds in all."""

    latencies_ms: list[float] = field(default_factory=list)
    refused: int = 0
    seconds: float = 0.0
    answer_bytes: int = 0
    cpu_seconds: float = 0.0

    @property
    def cpu_us(self) -> float | None:
        """What the server's process used of the processor for each, in microseconds."""
        return self.cpu_seconds / len(self.latencies_ms) * 1e6 if self.latencies_ms else None

    @property
    def rate(self) -> float | None:
        """Accepted orders a second."""
        return len(self.latencies_ms) / self.seconds if self.latencies_ms else None


@dataclass(slots=True)
class Heard:
    """What a listener heard: messages, bytes, and seconds from the first message to the last."""

    messages: int = 0
    bytes: int = 0
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    @property
    def cpu_us(self) -> float | None:
        """What the server's process used of the processor for each message, in microseconds."""
        return self.cpu_seconds / self.messages * 1e6 if self.messages else None

    @property
    def rate(self) -> float | None:
        """Messages a second."""
        return self.messages / self.seconds if self.seconds else None


async def place_orders(
    url: str, prices: Prices, seconds: float, connections: int, a_second: float | None = None
) -> Load:
    """Place orders for so long, each connection its next one when the last was answered.

    With `a_second` an order is sent when it is due, and its time counts
    from there: what waits for a connection that is still busy is late. Every other order trades at once, the rest
    expires; buys and sells take turns.
    """
    load = Load()
    limit, timeout = aiohttp.TCPConnector(limit=connections), aiohttp.ClientTimeout(_ANSWER_SECONDS_MAX)
    async with aiohttp.ClientSession(url, connector=limit, timeout=timeout, headers={"X-MBX-APIKEY": KEY}) as session:
        queries = _queries(prices)
        began = time.perf_counter()
        due = itertools.count(began, 1 / a_second) if a_second else None

        async def work() -> None:
            while time.perf_counter() < began + seconds:
                sent = time.perf_counter() if due is None else next(due)
                if (early := sent - time.perf_counter()) > 0:
                    await asyncio.sleep(early)
                await _place(session, next(queries), sent, load)

        await asyncio.gather(*(work() for _ in range(connections)))
        load.seconds = time.perf_counter() - began
    return load


async def _place(session: aiohttp.ClientSession, query: str, sent: float, load: Load) -> None:
    query += f"&timestamp={time.time_ns() // 1_000_000}"
    async with session.post(f"/api/v3/order?{query}&signature={signature(query, SECRET)}") as answer:
        body = await answer.read()
    if answer.status == 200:
        load.latencies_ms.append((time.perf_counter() - sent) * 1_000)
        load.answer_bytes = max(load.answer_bytes, len(body))
    else:
        load.refused += 1


def _queries(prices: Prices) -> Iterator[str]:
    bid, ask = prices
    through = {"BUY": ask * (1 + _THROUGH), "SELL": bid * (1 - _THROUGH)}
    far = {"BUY": bid * (1 - _FAR), "SELL": ask * (1 + _FAR)}
    orders = [
        urlencode(
            {
                "symbol": SYMBOL,
                "side": side,
                "type": "LIMIT",
                "timeInForce": "IOC",
                "quantity": _QUANTITY,
                "price": f"{at[side]:.2f}",
            }
        )
        for at in (through, far)
        for side in ("BUY", "SELL")
    ]
    return itertools.cycle(orders)


async def best_prices(url: str) -> Prices:
    """What the exchange's book shows now."""
    async with (
        aiohttp.ClientSession(url) as session,
        session.get("/api/v3/ticker/bookTicker", params={"symbol": SYMBOL}) as answer,
    ):
        answer.raise_for_status()
        told = await answer.json()
    return Decimal(told["bidPrice"]), Decimal(told["askPrice"])


async def hear(url: str, seconds: float) -> Heard:
    """Listen to a symbol's book (updates and quotes) for so long."""
    heard = Heard()
    async with (
        aiohttp.ClientSession(url) as session,
        session.ws_connect(f"/stream?streams={'/'.join(STREAMS)}") as told,
    ):
        await told.receive()
        began = time.perf_counter()
        async for message in told:
            heard.messages += 1
            heard.bytes += len(message.data)
            heard.seconds = time.perf_counter() - began
            if heard.seconds >= seconds:
                break
    return heard
