"""What differs between exchanges in how orders are accepted and paid; everything else of the engine is one."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from trimtab.exchange import filters
from trimtab.exchange.instruments import Instrument
from trimtab.exchange.orders import NewOrder

Check = Callable[[NewOrder, Instrument, Decimal | None, int], None]
"""Holds an order against its symbol's rules: the order, the rules, the reference price (None if nobody knows one), how
many orders the account has open. Raises VenueError."""


@dataclass(frozen=True, slots=True)
class House:
    """The rules of one exchange.

    `unique_client_ids`: an account's open orders of a symbol bear different client ids. `fees_in_quote`: fees are paid
    in the quote asset on both sides, and a buy locks its fee as well. `counts_orders`: unfilled orders are limited.
    """

    check: Check
    unique_client_ids: bool = True
    fees_in_quote: bool = False
    counts_orders: bool = True


BINANCE = House(filters.check)
