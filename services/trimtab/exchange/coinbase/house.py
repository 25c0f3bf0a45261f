"""The rules by which Coinbase takes orders: increments, least funds, fees in the quote currency."""

from decimal import Decimal

from trimtab.exchange.book import ZERO
from trimtab.exchange.coinbase.refusals import too_accurate, too_large, too_many_open, too_small
from trimtab.exchange.house import House
from trimtab.exchange.instruments import Instrument
from trimtab.exchange.orders import NewOrder

_OPEN_ORDERS_MAX = 500  # of a profile on a product


def check(order: NewOrder, rules: Instrument, reference: Decimal | None, open_orders: int) -> None:
    """Hold an order against its product's increments and least funds.

    `reference` (quote per base) prices a market order's funds; None while nobody knows a price.
    Raises VenueError naming the first rule that is broken.
    """
    if order.type != "MARKET" and order.price % rules.tick:
        raise too_accurate("price", rules.tick)
    if order.quantity:
        _check_size(order, rules)
    price = order.price or reference or ZERO
    funds = order.quote_quantity or order.quantity * price
    if price and funds < rules.min_notional:
        raise too_small("funds", rules.min_notional)
    if order.type != "MARKET" and open_orders >= _OPEN_ORDERS_MAX:
        raise too_many_open()


def _check_size(order: NewOrder, rules: Instrument) -> None:
    if order.quantity % rules.step:
        raise too_accurate("size", rules.step)
    if order.quantity < rules.step:
        raise too_small("size", rules.step)
    if order.quantity > rules.max_quantity:
        raise too_large("size", rules.max_quantity)


HOUSE = House(check, unique_client_ids=False, fees_in_quote=True, counts_orders=False)
