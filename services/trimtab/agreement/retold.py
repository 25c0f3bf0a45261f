"""The pipeline's orders told to the matching engine again: what it has to have filled of them, and what it would have
filled of the same orders at another time.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from trimtab.agreement.course import Done
from trimtab.backtest.fees import Fees
from trimtab.domain.orders import Side
from trimtab.exchange.accounts import Account
from trimtab.exchange.engine import Engine
from trimtab.exchange.errors import VenueError
from trimtab.exchange.instruments import Instrument
from trimtab.exchange.liquidity import Side as BookSide
from trimtab.exchange.market import MarketEvent
from trimtab.exchange.orders import EngineEvent, NewOrder, Report


@dataclass(frozen=True, slots=True)
class Question:
    """What would be filled at once of an order at a time of the market (UTC microseconds)?"""

    key: str
    at_us: int
    instrument: str
    side: Side
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Answer:
    """Best bid and ask, and what would have been filled there and then, as (price, quantity, as a maker)."""

    top: str
    fills: tuple[tuple[Decimal, Decimal, bool], ...]


@dataclass(slots=True)
class Retold:
    """Fills by order id; best bid and ask when an order arrived; answers by key."""

    fills: dict[str, list[Done]] = field(default_factory=dict)
    tops: dict[str, str] = field(default_factory=dict)
    answers: dict[str, Answer] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)


class Retelling:
    """One account on a market of its own. Requests are lines of the exchange's journal, each with how many of the
    market's events had happened when it came.
    """

    def __init__(
        self,
        instruments: Mapping[str, Instrument],
        account: str,
        deposits: Mapping[str, Decimal],
        fees: Fees,
        at_us: int,
    ) -> None:
        self._engine = Engine(instruments)
        self._account = account
        self._symbols = {f"{rules.base}/{rules.quote}": symbol for symbol, rules in instruments.items()}
        self._found = Retold()
        self._engine.open_account(Account(account, fees.maker, fees.taker), deposits, at_us)

    def tell(
        self, events: Iterable[MarketEvent], requests: Sequence[Mapping[str, Any]], questions: Iterable[Question]
    ) -> Retold:
        """Let the tape pass, with the requests between its events; return what came of it."""
        waiting = [each for each in requests if each["account"] == self._account]
        asked = sorted(questions, key=lambda question: question.at_us)
        for number, event in enumerate(events):
            while asked and asked[0].at_us < event.time_us:
                self._answer(asked.pop(0))
            while waiting and waiting[0]["events"] <= number:
                self._request(waiting.pop(0))
            self._keep(self._engine.market(event))
        for question in asked:
            self._answer(question)
        for request in waiting:
            self._request(request)
        return self._found

    def _request(self, asked: Mapping[str, Any]) -> None:
        moment_us, symbol, name = asked["market_us"], asked["symbol"], asked["client_order_id"]
        try:
            if asked["method"] == "order.cancel":
                named = asked["order_id"], name, str(asked["request_id"])
                self._keep(self._engine.cancel(self._account, symbol, *named, moment_us)[1])
                return
            self._found.tops[name] = self._top(symbol)
            new = NewOrder(
                symbol=symbol,
                side=asked["side"],
                type=asked["type"],
                client_order_id=name,
                quantity=Decimal(asked["quantity"]),
                price=Decimal(asked["price"]),
                time_in_force=asked["time_in_force"],
            )
            self._keep(self._engine.place(self._account, new, moment_us)[1])
        except VenueError as error:
            self._found.refused[name or str(asked["order_id"])] = error.text

    def _answer(self, question: Question) -> None:
        symbol = self._symbols[question.instrument]
        pit = self._engine.pits[symbol]
        side: BookSide = "BUY" if question.side is Side.BUY else "SELL"
        plan = pit.plan(side, "nobody", question.price, question.quantity, "NONE")
        fills = tuple((match.price, match.quantity, False) for match in plan.matches)
        self._found.answers[question.key] = Answer(self._top(symbol), fills)

    def _top(self, symbol: str) -> str:
        bid, ask = (self._engine.pits[symbol].liquidity.best(side) for side in ("BUY", "SELL"))
        return "/".join("none" if price is None else f"{price.normalize():f}" for price in (bid, ask))

    def _keep(self, happened: Iterable[EngineEvent]) -> None:
        for event in happened:
            if isinstance(event, Report) and event.execution is not None:
                found = event.execution
                done = Done(found.price, found.quantity, found.maker, found.time_us)
                self._found.fills.setdefault(found.client_order_id, []).append(done)
