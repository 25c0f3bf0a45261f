"""The pipeline's course along a tape, from what is recorded on its topics and in the exchange's journal."""

from bisect import bisect_right
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from trimtab.agreement.course import Done, Given, Inputs, Order
from trimtab.agreement.places import Places
from trimtab.domain.market import Market
from trimtab.exchange.journal import JournalContents
from trimtab.frames import Feed
from trimtab.messages import Signal
from trimtab.ports.recorded import Recorded, Stamped
from trimtab.replay.basis import cited, past_of
from trimtab.replay.charges import Charges
from trimtab.replay.errors import GoneError
from trimtab.replay.moment import Moments
from trimtab.topics import EXECUTION_ORDERS, EXECUTION_PARENTS, MARKET_FRAMES, PORTFOLIO_STATE, REBALANCE_SIGNALS

# How the reasons of states begin that are newer than the one a signal was decided on, and not for that signal: another
# one was accepted, something came of an order, a halt. A refusal of the signal itself is none of these.
_NEWER = ("signal", "fill", "released", "refused: ", "halted: ")


@dataclass(frozen=True, slots=True)
class Sight:
    """The market as one frame told it: the frame's offset, the market's time of its newest book."""

    offset: int
    market_us: int
    market: Market


class Pipeline:
    """What one portfolio did."""

    def __init__(self, recorded: Recorded, journal: JournalContents, places: Places, portfolio_id: str) -> None:
        self._recorded, self._journal, self._places = recorded, journal, places
        self._portfolio_id = portfolio_id
        frames = recorded.span(MARKET_FRAMES, *recorded.marks(MARKET_FRAMES))
        self._frames = [(each.record.offset, places.of(each.message)) for each in frames]
        self._parents = {each.message.parent_id: each.message for each in recorded.whole(EXECUTION_PARENTS)}
        states = (each.message for each in recorded.whole(PORTFOLIO_STATE))
        self._reasons = {each.ledger_version: each.reason for each in states if each.portfolio_id == portfolio_id}
        self.course = tuple(self._given())

    def inputs(self, signal: Signal) -> Inputs:
        """Return what a signal cites."""
        basis = cited(self._recorded, signal)
        return Inputs(basis.moment.market, basis.risk, basis.state.message)

    def inputs_at(self, moments_us: Sequence[int]) -> Mapping[int, Inputs | None]:
        """Return what the last frame until each moment was decided on, as far as the times on the records tell.

        There is nothing before the first frame, or before the portfolio's first state.
        """
        past, _ = past_of(self._recorded, self._portfolio_id)
        moments = Moments(self._recorded, Charges(self._recorded).at)
        past.read_risks(self._recorded, moments.at(self._frames[0][0]), None)
        found: dict[int, Inputs | None] = {}
        for moment_us in sorted(moments_us):
            place = bisect_right(self._frames, moment_us, key=lambda frame: frame[1]) - 1
            found[moment_us] = None
            if place >= 0:
                moment = moments.at(self._frames[place][0])
                try:
                    basis = past.as_of(moment)
                except GoneError:
                    continue
                found[moment_us] = Inputs(moment.market, basis.risk, basis.state.message)
        return found

    def sights(self, given: Given, until_us: int) -> Iterator[Sight]:
        """Yield the markets that the executor may have seen: from a signal's frame on, until a time of the market."""
        first = given.signal.frame_offset
        market = cited(self._recorded, given.signal).moment.market
        yield Sight(first, given.market_us, market)
        start = self._recorded.at(MARKET_FRAMES, first)
        assert start is not None, "a signal's frame is kept: its market has just been rebuilt"
        feed = Feed(market, start.message.session, start.message.sequence)
        charges = Charges(self._recorded)
        later = self._recorded.span(MARKET_FRAMES, first + 1, self._recorded.marks(MARKET_FRAMES)[1])
        for each in later:
            market_us = self._places.of(each.message)
            if market_us > until_us:
                return
            feed = feed.advance(each.message, each.record.offset, charges.at(each) if each.message.full else None)
            yield Sight(each.record.offset, market_us, feed.market)

    def quantity_of(self, order: Order) -> Decimal:
        """Return what an order's whole trade came to, base: as far as its funds allowed."""
        return self._parents[order.parent_id].quantity

    def _given(self) -> Iterator[Given]:
        orders, taken = self._orders(), {each.signal_id for each in self._parents.values()}
        published: dict[str, Stamped[Signal]] = {}
        for each in self._recorded.whole(REBALANCE_SIGNALS):
            if each.message.portfolio_id == self._portfolio_id:
                published.setdefault(each.message.signal_id, each)
        for each in sorted(published.values(), key=lambda stamped: stamped.message.frame_offset):
            frame = self._recorded.at(MARKET_FRAMES, each.message.frame_offset)
            assert frame is not None, "a replay has been verified: every frame is kept"
            sent = tuple(orders.get(each.message.signal_id, ()))
            yield Given(each.message, self._places.of(frame.message), sent, self._dropped(each.message, taken))

    def _dropped(self, signal: Signal, taken: Collection[str]) -> str:
        """Return why the executor dropped a signal that came when a newer state was there; empty if it did not."""
        version = signal.ledger_version + 1
        reason = self._reasons.get(version, "")
        if signal.signal_id in taken or not reason.startswith(_NEWER):
            return ""
        return f"decided on version {signal.ledger_version}; version {version} was '{reason}'"

    def _orders(self) -> Mapping[str, list[Order]]:
        """Return what arrived at the venue, by signal, in the order of its arrival."""
        events = {each.message.client_order_id: each.message for each in self._recorded.whole(EXECUTION_ORDERS)}
        fills: dict[str, list[Done]] = {}
        for done in self._journal.executions:
            row = Done(done.price, done.quantity, done.maker, done.time_us)
            fills.setdefault(done.client_order_id, []).append(row)
        found: dict[str, list[Order]] = {}
        for asked in self._journal.requests:
            event = events.get(asked.get("client_order_id") or "")
            if asked["method"] != "order.place" or event is None or event.portfolio_id != self._portfolio_id:
                continue
            order = Order(
                event.client_order_id,
                event.parent_id,
                event.instrument,
                event.side,
                event.time_in_force,
                event.quantity,
                event.price,
                asked["market_us"],
            )
            own = tuple(fills.get(event.client_order_id, ()))
            found.setdefault(event.signal_id, []).append(replace(order, fills=own))
        return found
