"""A whole exchange without its process: the market moves, and the wall clock goes, only when it is told to.

Run with a seed and a path it trades at random from that seed and leaves its journal there.
"""

import sys
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any, get_args

from trimtab.exchange.binance import Binance
from trimtab.exchange.clock import MarketClock
from trimtab.exchange.controls import AccountSpec
from trimtab.exchange.dialect import Dialect
from trimtab.exchange.errors import VenueError
from trimtab.exchange.faults import Faults
from trimtab.exchange.instruments import PREVENTIONS, Prevention
from trimtab.exchange.journal import Journal
from trimtab.exchange.limits import Limits
from trimtab.exchange.liquidity import Side
from trimtab.exchange.market import MarketEvent
from trimtab.exchange.orders import NewOrder, OrderType, TimeInForce
from trimtab.exchange.synthetic import SyntheticMarket
from trimtab.exchange.venue import Venue

D = Decimal
START_US = 1_700_000_000_000_000
SYMBOLS = ("BTCUSDT", "ETHUSDT", "ETHBTC", "BNBUSDT")
ASSETS = ("USDT", "BTC", "ETH", "BNB")
FUNDS: Mapping[str, Decimal] = {"USDT": D(200_000), "BTC": D(3), "ETH": D(60), "BNB": D("0.2")}
NAMES = ("ann", "bob", "cyn")
RATIOS = (D("0.1"), D(10), D(100))
_NO_LIMIT = 10**9


@dataclass(frozen=True)
class Asked:
    """One thing that is asked of the venue: its method, and with what."""

    method: str
    values: tuple[Any, ...]
    by_hand: bool = False


class SteppedClock(MarketClock):
    """Stands still but for `step`."""

    def __init__(self) -> None:
        super().__init__(START_US, paused=True)

    def step(self, microseconds: int) -> None:
        self._market_us += microseconds


class SteppedVenue:
    """A venue on a synthetic market of a seed, with accounts that pay fees in three ways, where they are asked.
    What is asked is kept.
    """

    def __init__(self, journal: Path, seed: int, dialect: Dialect | None = None) -> None:
        market = SyntheticMarket(seed, SYMBOLS, volatility=10, start_us=START_US)
        self.clock = SteppedClock()
        limits = Limits(orders_10s=_NO_LIMIT, orders_1d=_NO_LIMIT)
        spoken, book = dialect or Binance(), Journal(journal, self.clock.now_us)
        self.venue = Venue(market, book, self.clock, Faults(seed), limits=limits, house=spoken.house)
        spoken.endpoints(self.venue)
        self.log: list[Asked] = []
        self.clients = 0
        self._events = market.events()
        self._next: MarketEvent = next(self._events)
        for name, fee_asset in zip(NAMES, ("BNB", None, "BTC"), strict=True):
            keys = {"api_key": name, "secret": "c2VjcmV0", "passphrase": "words"}
            spec = AccountSpec(name=name, **keys, balances=dict(FUNDS), fee_asset=fee_asset, taker_fee=D("0.0015"))
            spec.open(self.venue, spoken)
        self.wait(0)

    def wait(self, microseconds: int) -> None:
        """Let time pass, and what the market does in it happen."""
        self.log.append(Asked("wait", (microseconds,)))
        self.clock.step(microseconds)
        while self._next.time_us <= self.clock.now_us():
            self.venue.market(self._next)
            self._next = next(self._events)

    def ask(self, asked: Asked) -> bool:
        """Ask for something; whether it was accepted."""
        if asked.method == "wait":
            self.wait(*asked.values)
            return True
        self.log.append(asked)
        more = {"by_hand": asked.by_hand} if asked.method in {"place", "cancel"} else {}
        try:
            getattr(self.venue, asked.method)(*asked.values, **more)
        except VenueError:
            return False
        return True

    def order(
        self,
        symbol: str,
        side: Side,
        kind: OrderType,
        force: TimeInForce,
        mode: Prevention | None,
        *,
        size: int,
        off: int,
    ) -> NewOrder:
        """An order for so many per mille of what the account began with, so many hundredths of a per mille off the mid
        price; a MARKET order with an odd size names what it is to cost.
        """
        self.clients += 1
        rules = self.venue.engine.instruments[symbol]
        mid = self.venue.engine.reference(symbol)
        assert mid is not None
        held = FUNDS["USDT"] / 1000 * size / (D(60_000) if rules.base == "BTC" else D(2_600))
        price = (mid * (1 + D(off) / 100_000) // rules.tick) * rules.tick
        quantity = max(held // rules.step, D(1)) * rules.step
        name = f"c{self.clients}"
        if kind != "MARKET":
            return NewOrder(
                symbol, side, kind, name, quantity, price=price, prevention=mode,
                time_in_force=force if kind == "LIMIT" else "GTC",
            )  # fmt: skip
        if size % 2:
            return NewOrder(symbol, side, kind, name, quote_quantity=round(quantity * mid, 8), prevention=mode)
        return NewOrder(symbol, side, kind, name, quantity, prevention=mode)

    def open_order(self, name: str, pick: int) -> tuple[str, int] | None:
        """One of an account's open orders: symbol and id."""
        orders = self.venue.engine.history.open_orders(name)
        return (orders[pick % len(orders)].symbol, orders[pick % len(orders)].order_id) if orders else None


def trade_at_random(journal: Path, seed: int, requests: int) -> SteppedVenue:
    """Ask for so many random things of a seed."""
    random = Random(seed)
    stepped = SteppedVenue(journal, seed)
    for _ in range(requests):
        stepped.wait(random.choice((0, 1, 40_000, 250_000)))
        name, asset, draw = random.choice(NAMES), random.choice(ASSETS), random.random()
        if draw < 0.6:
            new = stepped.order(
                random.choice(SYMBOLS), random.choice(("BUY", "SELL")), random.choice(get_args(OrderType)),
                random.choice(get_args(TimeInForce)), random.choice((None, *PREVENTIONS)),
                size=random.randint(1, 40), off=random.choice((0, random.randint(-60, 60))),
            )  # fmt: skip
            stepped.ask(Asked("place", (name, new), by_hand=random.random() < 0.2))
        elif draw < 0.85:
            found = stepped.open_order(name, random.randint(0, 99))
            if found is not None:
                stepped.ask(Asked("cancel", (name, *found, None, "x"), by_hand=random.random() < 0.2))
        elif draw < 0.97:
            stepped.ask(Asked("transfer", (name, asset, D(random.randint(-50, 50)) / 16)))
        elif draw < 0.99:
            stepped.ask(Asked("convert_dust", (name, (asset,), "BNB")))
        else:
            stepped.ask(Asked("redenominate", ("ETH", random.choice(RATIOS))))
    stepped.venue.journal.close()
    return stepped


if __name__ == "__main__":
    trade_at_random(Path(sys.argv[2]), int(sys.argv[1]), int(sys.argv[3]))
