"""Orders, and an account at Coinbase over real ccxt, for suites that place some at the simulated exchange."""

import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from decimal import Decimal
from typing import Any

import aiohttp

from simulated_exchange import ACCOUNT, SimulatedExchange
from trimtab.adapters.venues.coinbase.account import CoinbaseVenue
from trimtab.adapters.venues.registry import open_account
from trimtab.domain.ids import client_order_id, derive
from trimtab.domain.orders import ChildOrder, OrderKind, OrderState, ParentOrder, ParentState, Side, TimeInForce


@asynccontextmanager
async def account(exchange: SimulatedExchange, **settings: Any) -> AsyncIterator[CoinbaseVenue]:
    opened = open_account(ACCOUNT, exchange.settings(kind="coinbase", **settings))
    assert isinstance(opened, CoinbaseVenue)
    try:
        yield opened
    finally:
        await opened.close()


def parent(side: Side = Side.BUY) -> ParentOrder:
    return ParentOrder(
        parent_id=derive("parent", side),
        signal_id="signal",
        portfolio_id="core",
        shard=0,
        venue="binance",
        account=ACCOUNT,
        instrument="BTC/USDT",
        base="BTC",
        quote="USDT",
        side=side,
        quantity=Decimal(1),
        decision_price=Decimal(60_000),
        limit_price=Decimal(200_000),
        urgency=Decimal(0),
        volatility=Decimal("0.5"),
        depends_on=(),
        deadline_us=0,
        decided_us=0,
        state=ParentState.WORKING,
    )


def resting(attempt: int = 1) -> ChildOrder:
    return ChildOrder(
        client_order_id=client_order_id("coinbase", attempt),
        parent_id="coinbase",
        attempt=attempt,
        kind=OrderKind.LIMIT,
        time_in_force=TimeInForce.GTC,
        quantity=Decimal("0.01"),
        price=Decimal(30_000),
        state=OrderState.SUBMITTED,
        request_time_ms=time.time_ns() // 1_000_000,
        placed_us=0,
    )


def taking(attempt: int = 1) -> ChildOrder:
    return replace(resting(attempt), price=Decimal(200_000), time_in_force=TimeInForce.IOC)


async def asks(exchange: SimulatedExchange) -> list[tuple[Decimal, Decimal]]:
    """Price and size of what is offered, the best first."""
    url = f"{exchange.rest_url}/products/BTC-USDT/book?level=2"
    async with aiohttp.ClientSession() as session, session.get(url) as answer:
        return [(Decimal(price), Decimal(size)) for price, size, _ in (await answer.json())["asks"]]
