"""Binance's symbol filters, as rules on an order and as exchangeInfo shows them (Binance spot API, "Filters")."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from trimtab.exchange.average import AVERAGE_MINUTES
from trimtab.exchange.book import ZERO
from trimtab.exchange.errors import filter_failure, market_closed, too_many_open
from trimtab.exchange.instruments import Instrument
from trimtab.exchange.orders import NewOrder


def check(order: NewOrder, rules: Instrument, reference: Decimal | None, open_orders: int) -> None:
    """Hold an order against every filter of its symbol.

    `reference` (quote per base) is the average of the last five minutes' trades, the price of PERCENT_PRICE_BY_SIDE
    and of a MARKET order's notional; None while nobody knows a price.
    Raises VenueError -1013 naming the first filter that fails; -2010 for MAX_NUM_ORDERS, as there.
    """
    if order.type != "MARKET":
        _check_price(order, rules, reference)
    if order.quantity:
        _check_quantity(order, rules)
    _check_notional(order, rules, reference)
    if order.type != "MARKET" and open_orders >= rules.max_open_orders:
        raise too_many_open()


def _check_price(order: NewOrder, rules: Instrument, reference: Decimal | None) -> None:
    if not rules.tick <= order.price <= rules.max_price or order.price % rules.tick:
        raise filter_failure("PRICE_FILTER")
    if reference is not None:
        low, high = reference * rules.percent_down, reference * rules.percent_up
        if not low <= order.price <= high:
            raise filter_failure("PERCENT_PRICE_BY_SIDE")


def _check_quantity(order: NewOrder, rules: Instrument) -> None:
    if order.quantity % rules.step or not rules.step <= order.quantity <= rules.max_quantity:
        raise filter_failure("LOT_SIZE")
    if order.type == "MARKET" and order.quantity > rules.max_market_quantity:
        raise filter_failure("MARKET_LOT_SIZE")


def _check_notional(order: NewOrder, rules: Instrument, reference: Decimal | None) -> None:
    if order.type == "MARKET":
        notional = order.quote_quantity or order.quantity * (reference or ZERO)
        if reference is None and not order.quote_quantity:
            raise market_closed()
    else:
        notional = order.price * order.quantity
    if notional < rules.min_notional:
        raise filter_failure("NOTIONAL")
    if notional > rules.max_notional and order.type != "MARKET":
        raise filter_failure("NOTIONAL")


def described(rules: Instrument) -> list[Mapping[str, Any]]:
    """The filters of a symbol in exchangeInfo's form."""
    up, down = f"{rules.percent_up:f}", f"{rules.percent_down:f}"
    return [
        {
            "filterType": "PRICE_FILTER",
            "minPrice": fixed(rules.tick),
            "maxPrice": fixed(rules.max_price),
            "tickSize": fixed(rules.tick),
        },
        {
            "filterType": "LOT_SIZE",
            "minQty": fixed(rules.step),
            "maxQty": fixed(rules.max_quantity),
            "stepSize": fixed(rules.step),
        },
        {
            "filterType": "MARKET_LOT_SIZE",
            "minQty": fixed(ZERO),
            "maxQty": fixed(rules.max_market_quantity),
            "stepSize": fixed(ZERO),
        },
        {
            "filterType": "PERCENT_PRICE_BY_SIDE",
            "bidMultiplierUp": up,
            "bidMultiplierDown": down,
            "askMultiplierUp": up,
            "askMultiplierDown": down,
            "avgPriceMins": AVERAGE_MINUTES,
        },
        {
            "filterType": "NOTIONAL",
            "minNotional": fixed(rules.min_notional),
            "applyMinToMarket": True,
            "maxNotional": fixed(rules.max_notional),
            "applyMaxToMarket": False,
            "avgPriceMins": AVERAGE_MINUTES,
        },
        {"filterType": "MAX_NUM_ORDERS", "maxNumOrders": rules.max_open_orders},
    ]


def fixed(value: Decimal) -> str:
    """A number as Binance writes it: 8 decimals, never an exponent."""
    return f"{value:.8f}"
