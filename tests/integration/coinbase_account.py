"""An account at the simulated Coinbase over real ccxt, and what is offered there."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from typing import Any

import aiohttp

from simulated_exchange import ACCOUNT, SimulatedExchange
from trimtab.adapters.venues.coinbase.account import CoinbaseVenue
from trimtab.adapters.venues.registry import open_account


@asynccontextmanager
async def account(exchange: SimulatedExchange, **settings: Any) -> AsyncIterator[CoinbaseVenue]:
    opened = open_account(ACCOUNT, exchange.settings(kind="coinbase", **settings))
    assert isinstance(opened, CoinbaseVenue)
    try:
        yield opened
    finally:
        await opened.close()


async def asks(exchange: SimulatedExchange) -> list[tuple[Decimal, Decimal]]:
    """Price and size of what is offered, the best first."""
    url = f"{exchange.rest_url}/products/BTC-USDT/book?level=2"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return [(Decimal(price), Decimal(size)) for price, size, _ in (await answer.json())["asks"]]
