"""The engine's course along a tape: a backtest that is looked at while it plays."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from trimtab.agreement.course import Done, Given, Inputs, Order
from trimtab.backtest.entrant import Entrant
from trimtab.backtest.fees import Fees
from trimtab.backtest.shown import Shown
from trimtab.backtest.tape import Tape
from trimtab.backtest.terms import Terms
from trimtab.backtest.worker import Worker
from trimtab.backtest.world import OnTime, World
from trimtab.domain.orders import Liquidity, OrderState
from trimtab.messages import Fill, Message, OrderEvent, Risk, Signal
from trimtab.ports.topics import Record
from trimtab.settings import Settings


@dataclass(frozen=True, slots=True)
class Start:
    """What both begin with: the portfolio, its file as canonical JSON, its quantities by asset, the venue, the fees."""

    portfolio_id: str
    document: str
    quote: str
    holdings: Mapping[str, Decimal]
    venue: str
    fees: Fees


@dataclass(slots=True)
class Onlooker:
    """Implements backtest.witness.Witness: what one portfolio's decisions stood on, and what came of them.

    `asked_us` are moments, in their order, of which the inputs are to be kept: those of the last frame until then.
    """

    portfolio_id: str
    asked_us: list[int]
    signals: list[tuple[Signal, int, Inputs]] = field(default_factory=list)
    orders: dict[str, tuple[str, Order]] = field(default_factory=dict)
    at: dict[int, Inputs | None] = field(default_factory=dict)
    _risk: Record[Risk] | None = None
    _latest: Inputs | None = None
    _pending: list[tuple[Signal, int]] = field(default_factory=list)

    def decided(self, signal: Signal, now_us: int) -> None:
        """Keep a signal; what it stood on is taken when the worker is looked at."""
        self._pending.append((signal, now_us))

    def looked(self, worker: Worker, now_us: int) -> None:
        """Keep what this frame was decided on; an estimate that it brought counts from the next one on."""
        while self.asked_us and self.asked_us[0] < now_us:
            self.at[self.asked_us.pop(0)] = self._latest
        found = worker.basis(self.portfolio_id)
        if found is None:
            return
        risk, state = found
        self._latest = Inputs(worker.market(), self._risk, state)
        self._risk = risk
        self.signals += [(signal, decided_us, self._latest) for signal, decided_us in self._pending]
        self._pending.clear()

    def heard(self, message: Message, now_us: int) -> None:
        """Keep orders as they arrive at the venue, which is at once, and their fills."""
        match message:
            case OrderEvent(state=OrderState.SUBMITTED):
                order = Order(
                    message.client_order_id,
                    message.parent_id,
                    message.instrument,
                    message.side,
                    message.time_in_force,
                    message.quantity,
                    message.price,
                    now_us,
                )
                self.orders.setdefault(message.client_order_id, (message.signal_id, order))
            case Fill():
                signal_id, order = self.orders[message.client_order_id]
                done = Done(
                    message.price, message.quantity, message.liquidity is Liquidity.MAKER, message.event_time_us
                )
                self.orders[message.client_order_id] = signal_id, replace(order, fills=(*order.fills, done))
            case _:
                pass

    def close(self) -> None:
        """Answer what was asked of moments after the last frame."""
        while self.asked_us:
            self.at[self.asked_us.pop(0)] = self._latest

    def course(self, until_us: int) -> list[tuple[Given, Inputs]]:
        """Return what was decided up to a time, with what it stood on."""
        return [
            (Given(signal, at_us, tuple(self._orders_of(signal.signal_id, until_us))), inputs)
            for signal, at_us, inputs in self.signals
            if at_us <= until_us
        ]

    def _orders_of(self, signal_id: str, until_us: int) -> list[Order]:
        own = [order for owner, order in self.orders.values() if owner == signal_id and order.arrived_us <= until_us]
        return [replace(order, fills=tuple(each for each in order.fills if each.time_us <= until_us)) for order in own]


def play(tape: Tape, start: Start, settings: Settings, asked_us: Sequence[int], on_time: OnTime) -> Onlooker:
    """Let the engine play a tape with one portfolio.

    Raises:
        UnplayableError: if the tape turns out to be damaged.
        WorldError: if a part fails, or ledger and engine do not agree in the end.
    """
    onlooker = Onlooker(start.portfolio_id, sorted(set(asked_us)))
    entrant = Entrant(
        start.portfolio_id, start.document, start.quote, dict.fromkeys(start.holdings, Decimal(0)), start.holdings
    )
    terms = Terms(Decimal(0), start.fees, settings.drift, settings.executor, tape.pace)
    shown = Shown(tape.instruments, start.fees, venue=start.venue)
    world = World([entrant], shown, terms, witness=onlooker)
    asyncio.run(world.play(tape.events(), on_time))
    onlooker.close()
    return onlooker
