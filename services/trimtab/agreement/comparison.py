"""The pipeline's course held against the engine's: signal by signal, order by order, fill by fill.

Signals that are paired differ if their trades do, orders if their terms do or if one took longer to arrive by more than
tolerated, fills if price, quantity or side of liquidity do. Whatever differs gets the causes that can be shown:

- of a signal, the inputs that change its decision (decisions.py);
- of an order, its signal; that the executor dropped it, as a newer state was there already; the frame it was priced on,
  found by pricing it again on each that the executor may have had; the time it took;
- of a fill, its order; the moment of its arrival, shown by asking the engine about the pipeline's order at the other's;
  that it rested, and who met it meanwhile.

A fill of the pipeline that the matching engine does not make of the same requests at the same places of the tape is
unexplained, whatever else is true of it.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Protocol

from trimtab.agreement.course import Done, Given, Inputs, Order
from trimtab.agreement.decisions import Cause, causes
from trimtab.agreement.differences import UNEXPLAINED, Agreement, Difference, Kind
from trimtab.agreement.pairing import paired
from trimtab.agreement.pricing import Priced
from trimtab.agreement.retold import Question, Retold
from trimtab.domain.orders import Side, TimeInForce
from trimtab.settings import DriftSettings

Row = tuple[Given | None, Given | None]

_RESTS = TimeInForce.GTC


class Basis(Protocol):
    """What is known of one side: what its decisions stood on."""

    def of(self, given: Given) -> Inputs:
        """Return what one of its own signals stood on."""
        ...

    def near(self, given: Given) -> Inputs | None:
        """Return what it would have decided on when the other side signalled; None if it had nothing yet."""
        ...

    def signalled_on(self, inputs: Inputs, before_us: int) -> bool:
        """Whether it had signalled on this very state before that time of the market, and waits for the answer."""
        ...


@dataclass(frozen=True, slots=True)
class Tolerance:
    """What counts as equal: signals are paired when they are no further apart, orders may be so much later."""

    signals_us: int = 1_000_000
    arrival_us: int = 100_000


@dataclass(slots=True)
class Comparison:
    """One comparison. `priced` looks for the frame that an order of the pipeline was priced on."""

    pipeline: Basis
    engine: Basis
    settings: DriftSettings
    tolerance: Tolerance
    priced: Mapping[str, Priced | None]
    retold: Retold
    found: Agreement = field(default_factory=Agreement)

    def compare(self, rows: Sequence[Row]) -> Agreement:
        """Hold every row against one another."""
        for one, other in rows:
            self._count("signal", one, other)
            alike_signals = self._signals(one, other)
            for mine, theirs in orders_paired(one, other):
                self._count("order", mine, theirs)
                alike = self._orders((one, other), (mine, theirs), signals_equal=alike_signals)
                self._fills((one, other), (mine, theirs), alike=alike)
        return self.found

    def _signals(self, one: Given | None, other: Given | None) -> bool:
        """Compare a pair; whether the two are equal."""
        if one is not None and other is not None and one.legs == other.legs:
            self.found.tallies["signal"].equal += 1
            return True
        if one is not None:
            begin, end, wanted = self.engine.of(other) if other else self.engine.near(one), self.pipeline.of(one), one
        else:
            assert other is not None, "a row has at least one signal"
            begin, end, wanted = self.pipeline.near(other), self.engine.of(other), other
        found = self._causes(begin, end, wanted, other if wanted is one else one, mine=wanted is one)
        self._note("signal", (one, other), (_legs(one), _legs(other)), found)
        return False

    def _causes(
        self, begin: Inputs | None, end: Inputs, wanted: Given, partner: Given | None, *, mine: bool
    ) -> list[Cause]:
        if begin is None:
            return [Cause("begin", "there was no market or no state yet")]
        found, first, last = causes(begin, end, self.settings)
        if last.legs != wanted.legs:
            return [*found, Cause(UNEXPLAINED, f"its own inputs come to {last}, not to what was signalled")]
        side = self.engine if mine else self.pipeline
        if partner is None and first.legs == wanted.legs and side.signalled_on(begin, wanted.market_us):
            found.append(Cause("waiting", "signalled on this state already, and not answered yet"))
        return found or [Cause(UNEXPLAINED, f"the same comes of either's inputs: {last}")]

    def _orders(self, row: Row, orders: tuple[Order | None, Order | None], *, signals_equal: bool) -> bool:
        """Compare a pair; whether the two are equal."""
        one, other = orders
        lags = [order.arrived_us - given.market_us for order, given in zip(orders, row, strict=True) if order and given]
        if one is not None and one.order_id == first_of(row[0], one):
            self.found.lags_us.append(lags[0])
        same = one is not None and other is not None and one.terms == other.terms
        if same and abs(lags[0] - lags[1]) <= self.tolerance.arrival_us:
            self.found.tallies["order"].equal += 1
            return True
        found = list(self._order_causes(row, one, other, lags, signals_equal=signals_equal))
        self._note("order", row, (_order(one), _order(other)), found)
        return False

    def _order_causes(
        self, row: Row, one: Order | None, other: Order | None, lags: Sequence[int], *, signals_equal: bool
    ) -> Iterator[Cause]:
        if not signals_equal:
            yield Cause("signal", "their signals differ" if None not in row else "only one of the two signalled")
        if None in row:
            return
        if one is None or other is None:
            if one is None and row[0] is not None and row[0].dropped:
                yield Cause("superseded", row[0].dropped)
            elif self._earlier_differ(row, one or other):
                yield Cause("earlier", "what was filled of the order before it differs")
            elif signals_equal:
                yield Cause(UNEXPLAINED, "only one of the two sent it, though all before it was the same")
            return
        if one.terms != other.terms:
            priced = self.priced.get(one.order_id)
            top = self.retold.answers[one.order_id].top
            if priced is not None:
                yield Cause("book", f"{priced}; the engine's came when the venue showed {top}")
            else:
                yield Cause(UNEXPLAINED, "no frame until it arrived has the executor send such an order")
        if abs(lags[0] - lags[1]) > self.tolerance.arrival_us:
            said = f"{lags[0] / 1_000:.1f} ms after its frame, the engine's {lags[1] / 1_000:.1f} ms"
            yield Cause("latency", said)

    def _earlier_differ(self, row: Row, order: Order | None) -> bool:
        """Whether anything before an order of its trade differs, so that one of the two had no need of it."""
        assert order is not None, "one of the two is there"
        for mine, theirs in orders_paired(*row):
            if order in (mine, theirs):
                return False
            if mine is None or theirs is None:
                return True
            if (mine.instrument, mine.side) == (order.instrument, order.side) and terms_of(mine) != terms_of(theirs):
                return True
        return False

    def _fills(self, row: Row, orders: tuple[Order | None, Order | None], *, alike: bool) -> None:
        one, other = orders
        own = list(one.fills) if one else []
        retold = self.retold.fills.get(one.order_id, []) if one else []
        proven = [each.terms for each in own] == [each.terms for each in retold]
        pairs = list(zip_longest(own, other.fills if other else ()))
        if not pairs and not proven:  # neither has any, and the pipeline's should have
            self._note("fill", row, (_fill(None), _fill(None)), [self._unproven(retold, 0)])
        for number, (mine, theirs) in enumerate(pairs):
            self._count("fill", mine, theirs)
            equal = mine is not None and theirs is not None and mine.terms == theirs.terms
            if equal and proven:
                self.found.tallies["fill"].equal += 1
                continue
            found = list(self._fill_causes(one, other, alike=alike)) if proven else [self._unproven(retold, number)]
            self._note("fill", row, (_fill(mine), _fill(theirs)), found)

    @staticmethod
    def _unproven(retold: Sequence[Done], number: int) -> Cause:
        said = _fill(retold[number]) if number < len(retold) else "nothing"
        return Cause(UNEXPLAINED, f"the matching engine makes {said} of the same requests")

    def _fill_causes(self, one: Order | None, other: Order | None, *, alike: bool) -> Iterator[Cause]:
        if one is None or other is None or not alike:
            yield Cause("order", "their orders differ" if one and other else "only one of the two sent the order")
        if one is None or other is None:
            return
        answer, theirs = self.retold.answers[one.order_id], tuple(each.terms for each in other.fills)
        apart = f"it came when the book showed {self.retold.tops.get(one.order_id)}, the engine's at {answer.top}"
        if _RESTS in (one.time_in_force, other.time_in_force):
            yield Cause("queue", f"one that rests: {apart}, and each met what came after it")
        elif answer.fills == theirs:
            yield Cause("arrival", f"{apart}; there and then it would have got what the engine's got")
        elif one.terms == other.terms:
            yield Cause(UNEXPLAINED, f"{apart}; there and then it would have got {_matches(answer.fills)}")

    def _count(self, kind: Kind, mine: object, theirs: object) -> None:
        tally = self.found.tallies[kind]
        tally.pipeline += mine is not None
        tally.engine += theirs is not None

    def _note(self, kind: Kind, row: Row, said: tuple[str, str], found: Sequence[Cause]) -> None:
        given = row[0] or row[1]
        assert given is not None, "a row has at least one signal"
        self.found.differences.append(Difference(kind, given.market_us, given.signal.signal_id, *said, tuple(found)))


def rows_of(pipeline: Sequence[Given], engine: Sequence[Given], tolerance: Tolerance) -> list[Row]:
    """Pair the signals of two courses."""
    return paired(pipeline, engine, lambda given: given.market_us, tolerance.signals_us)


def orders_paired(one: Given | None, other: Given | None) -> Iterator[tuple[Order | None, Order | None]]:
    """Yield the orders of two signals side by side: those of each trade in the order they arrived."""
    keys = sorted({(order.instrument, order.side) for given in (one, other) if given for order in given.orders})
    for key in keys:
        mine, theirs = (given.orders_of(key) if given else [] for given in (one, other))
        yield from zip_longest(mine, theirs)


def questions(rows: Sequence[Row]) -> Iterator[Question]:
    """Yield what has to be known of the pipeline's orders had they come when the engine's did."""
    for row in rows:
        for mine, theirs in orders_paired(*row):
            if mine is not None and theirs is not None:
                side: Side = mine.side
                at = theirs.arrived_us
                yield Question(mine.order_id, at, mine.instrument, side, mine.quantity, mine.price)


def first_of(given: Given | None, order: Order) -> str:
    """Return the id of the first order of the trade that an order is of."""
    assert given is not None, "an order has a signal"
    return given.orders_of((order.instrument, order.side))[0].order_id


def terms_of(order: Order) -> object:
    """Return what an order came to, with its fills."""
    return order.terms, tuple(each.terms for each in order.fills)


def _legs(given: Given | None) -> str:
    return "nothing" if given is None else "; ".join(map(str, given.legs))


def _order(order: Order | None) -> str:
    if order is None:
        return "nothing"
    price, quantity = order.price.normalize(), order.quantity.normalize()
    return f"{order.side} {quantity:f} {order.instrument} at {price:f} {order.time_in_force}"


def _fill(done: Done | None) -> str:
    if done is None:
        return "nothing"
    return f"{done.quantity.normalize():f} at {done.price.normalize():f} as {'maker' if done.maker else 'taker'}"


def _matches(fills: Sequence[tuple[object, object, bool]]) -> str:
    return ", ".join(f"{quantity} at {price}" for price, quantity, _ in fills) or "nothing"
