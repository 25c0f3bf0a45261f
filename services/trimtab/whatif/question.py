"""A question to recorded history, and its answer: two worlds on the recorded market, beside what was."""

import asyncio
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal

from trimtab.backtest.arrival import Arrival
from trimtab.backtest.entrant import Entrant
from trimtab.backtest.fees import Fees
from trimtab.backtest.field import Contestant, entrant, named, require_listed
from trimtab.backtest.frame_market import FrameMarket, open_frames
from trimtab.backtest.given import Deed, Given
from trimtab.backtest.outcome import Outcome
from trimtab.backtest.shown import VENUE
from trimtab.backtest.tape import Tape, on_frames
from trimtab.backtest.terms import Terms
from trimtab.backtest.world import OnTime, World
from trimtab.documents import canonical, parse_document
from trimtab.domain.amounts import ZERO
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.orders import Liquidity
from trimtab.messages import Costs, Risk
from trimtab.portfolio_file import Document
from trimtab.ports.recorded import Recorded
from trimtab.replay.extent import Asked
from trimtab.settings import Settings
from trimtab.topics import MARKET_COSTS, MARKET_RISK
from trimtab.whatif.actual import NAME as RECORDED
from trimtab.whatif.actual import Actual, dealings
from trimtab.whatif.errors import UnanswerableError
from trimtab.whatif.handed_out import HandedOut
from trimtab.whatif.life import Life, life_of

ENGINE, OTHER = "engine", "other"


@dataclass(frozen=True, slots=True)
class Question:
    """What would have become of a recorded portfolio under another document, between two frames (offsets or times)."""

    portfolio_id: str
    other: Document
    begin: Asked = (None, None)
    end: Asked = (None, None)


@dataclass(frozen=True, slots=True)
class Answer:
    """What was, what the engine makes of the recorded policy, and what it makes of the other one.

    `left_out` is what was held at the begin and has no price here, `unpriced` fees that really were paid in such,
    `owed` what each world still had to pay out in the end and did not have, by asset. `arrivals` is, by each side's
    name, what was there at the begin, and what was brought and taken out later.
    """

    quote: str
    life: Life
    tape: Tape
    market: FrameMarket
    charged: Fees
    recorded: Outcome
    engine: Outcome
    other: Outcome
    left_out: Mapping[str, Decimal]
    unpriced: Mapping[str, Decimal]
    owed: Mapping[str, Mapping[str, Decimal]]
    arrivals: Mapping[str, Sequence[Arrival]]


OnSpan = Callable[[int, int], OnTime]
"""Given the span's ends (us), returns what is told the market's time."""


def answered(recorded: Recorded, beside: Recorded, question: Question, settings: Settings, on_span: OnSpan) -> Answer:
    """Play both worlds on what was recorded. `recorded` hands out frames while `beside` hands out estimates.

    Raises:
        UnanswerableError: if the portfolio is not recorded, had nothing in the span, or had funds at several venues
            or at one without frames, or if nothing but the quote currency is held or wanted.
        UnplayableError: if the span has no frames, or cannot be played.
        InvalidValueError: if the other document has another quote currency or wants what has no book, or the records
            are damaged.
        UnreachableError: if they are not to be had.
    """
    market = open_frames(recorded, question.begin, question.end)
    stretch = market.stretch
    life = life_of(recorded, question.portfolio_id, stretch.first, stretch.last)
    if life.first != stretch.first:
        market = open_frames(recorded, (life.first, None), (stretch.last, None))
    quote = parse_document(life.stages[0].state.document, 1).quote
    if question.other.quote != quote:
        allowed = f"{quote}, as {question.portfolio_id} is recorded"
        raise InvalidValueError(f"{question.other.portfolio}: quote", question.other.quote, allowed)
    play = _Play(recorded, beside, question, settings, life, market, quote)
    begun = play.begun()
    if begun.stretch.first > life.first:  # who decides live waits for all books as well
        asked = replace(question, begin=(begun.stretch.first, None), end=(stretch.last, None))
        return answered(recorded, beside, asked, settings, on_span)
    return replace(play, market=begun).answer(on_span)


@dataclass(slots=True)
class _Play:
    recorded: Recorded
    beside: Recorded
    question: Question
    settings: Settings
    life: Life
    market: FrameMarket
    quote: str

    def answer(self, on_span: OnSpan) -> Answer:
        (venue,), field, market = self.life.venues, self._field(), self.market
        self._require_listed([*field, *self._later()], market)
        priced = {rules.base for rules in market.instruments.values() if rules.quote == self.quote} | {self.quote}
        if priced == {self.quote}:
            raise UnanswerableError(
                f"portfolio {self.question.portfolio_id}: nothing but {self.quote} is held or wanted; needed: something"
                " that has a price"
            )
        held = self.life.stages[0].holdings
        begin = {asset: amount for asset, amount in held.items() if asset in priced}
        nothing = dict.fromkeys(sorted(priced), ZERO)
        field = [replace(each, weights={**nothing, **each.weights}, holdings=begin) for each in field]
        costs = self._costs(venue)
        stated = _stated(market)
        charged = _charged(costs, market, stated)
        tape = on_frames(market)
        actual = Actual(
            self.life,
            dealings(self.recorded, self.question.portfolio_id, market.start_us, market.end_us),
            tape.shown(stated),
            self.quote,
            sorted(f"{asset}/{self.quote}" for asset in priced - {self.quote}),
            tape.pace.score_us,
        )
        given = Given(self._risks(), HandedOut(iter(costs)), self._deeds(priced))
        terms = Terms(ZERO, charged, self.settings.drift, self.settings.executor, tape.pace, diaries=True)
        world = World(field, tape.shown(stated), terms, given=given)
        on_time = on_span(market.start_us, market.end_us)
        engine, other = asyncio.run(world.play(actual.watch(tape.events()), on_time))
        left_out = {asset: amount for asset, amount in held.items() if asset not in priced and amount}
        return Answer(
            self.quote, self.life, tape, market, charged, actual.outcome(), engine, other, left_out, actual.unpriced,
            world.owed, self._arrivals(actual.arrivals, world),
        )  # fmt: skip

    def _arrivals(self, really: Sequence[Arrival], world: World) -> dict[str, Sequence[Arrival]]:
        """Return what came and went on each side, by its name: in worlds what was not there went later."""
        begin = really[: len(self.life.stages[0].holdings)]
        played = {name: [*begin, *world.moved.get(name, ())] for name in (ENGINE, OTHER)}
        return {RECORDED: really, **played}

    def begun(self) -> FrameMarket:
        """Return the market of what is held or wanted and has a book, from when on all of it has one."""
        wanted = {asset for each in (*self._field(), *self._later()) for asset in each.weights}
        return self.market.of(self._venue(), {*wanted, *self.life.assets, self.quote}).begun()

    def _field(self) -> list[Entrant]:
        """Return the portfolio under its first document, and under the other one."""
        first = self.life.stages[0].state.document
        return [self._entrant(ENGINE, first), self._entrant(OTHER, _text(self.question))]

    def _venue(self) -> str:
        venues = self.life.venues
        if len(venues) != 1:
            raise UnanswerableError(
                f"portfolio {self.question.portfolio_id}: it had funds at {', '.join(venues)}; needed: at one venue"
            )
        if venues[0] not in self.market.venues:
            raise UnanswerableError(
                f"portfolio {self.question.portfolio_id}: it has its funds at {venues[0]}, frames are of"
                f" {', '.join(self.market.venues)}; needed: frames of the same venue"
            )
        return venues[0]

    def _later(self) -> list[Entrant]:
        """Return what the portfolio was under its later documents."""
        _, *later = self.life.editions()
        return [self._entrant(ENGINE, stage.state.document) for stage in later]

    def _entrant(self, name: str, document: str) -> Entrant:
        return entrant(name, json.loads(document))

    def _require_listed(self, field: Sequence[Entrant], market: FrameMarket) -> None:
        pairs = {f"{rules.base}/{rules.quote}" for rules in market.instruments.values()}
        names = {ENGINE: self.question.portfolio_id, OTHER: self.question.other.portfolio}
        require_listed([Contestant(names[each.name], each) for each in field], pairs)

    def _deeds(self, priced: set[str]) -> list[Deed]:
        """Return what the owner did, in both worlds; documents are of the recorded policy's alone."""
        found = []
        for time_us, funds in self.life.transfers():
            moved = {asset: amount for asset, amount in funds.items() if asset in priced}
            found += [Deed(time_us, name, funds=moved) for name in (ENGINE, OTHER)]
        for time_us, halted in self.life.halts():
            found += [Deed(time_us, name, halted=halted) for name in (ENGINE, OTHER)]
        _, *later = self.life.editions()
        found += [
            Deed(stage.time_us, ENGINE, document=named(ENGINE, json.loads(stage.state.document))) for stage in later
        ]
        return sorted(found, key=lambda each: each.time_us)

    def _risks(self) -> HandedOut[Risk]:
        """Hand out recorded estimates, read as the market goes on: all of them would be much."""
        begin, end = self.beside.marks(MARKET_RISK)
        found = (each.message for each in self.beside.span(MARKET_RISK, begin, end))
        return HandedOut(each for each in found if each.quote == self.quote)

    def _costs(self, venue: str) -> list[Costs]:
        """Return what was known of costs until the end; what was charged at the venue is charged in these worlds."""
        found = (each.message for each in self.recorded.whole(MARKET_COSTS))
        return [_elsewhere(each, venue) for each in found if each.event_time_us <= self.market.end_us]


def _text(question: Question) -> str:
    return canonical(question.other)


def _elsewhere(costs: Costs, venue: str) -> Costs:
    fees = (replace(row, venue=VENUE) for row in costs.fees if row.venue == venue)
    return replace(costs, fees=tuple(fees))


def _stated(market: FrameMarket) -> Fees:
    """Return what the venue states, of its dearest pair."""
    rows = market.rules.values()
    return Fees(max(row.maker_fee for row in rows), max(row.taker_fee for row in rows))


def _charged(costs: Sequence[Costs], market: FrameMarket, stated: Fees) -> Fees:
    """Return what fills were charged by the end, by notional, or what is stated of what was never traded."""
    pairs = {row.instrument for row in market.rules.values()}
    rows = [row for row in costs[-1].fees if row.instrument in pairs] if costs else []

    def mean(liquidity: Liquidity, otherwise: Decimal) -> Decimal:
        mine = [row for row in rows if row.liquidity is liquidity]
        notional = sum((row.notional for row in mine), ZERO)
        return sum((row.fee * row.notional for row in mine), ZERO) / notional if notional else otherwise

    return Fees(mean(Liquidity.MAKER, stated.maker), mean(Liquidity.TAKER, stated.taker))
