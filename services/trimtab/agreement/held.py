"""One tape, played by the pipeline already, played by the engine now, and the one held against the other."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from trimtab.agreement.comparison import Comparison, Tolerance, orders_paired, questions, rows_of
from trimtab.agreement.course import Given, Inputs
from trimtab.agreement.differences import Agreement
from trimtab.agreement.engine import Onlooker, Start, play
from trimtab.agreement.pipeline import Pipeline
from trimtab.agreement.places import Places
from trimtab.agreement.pricing import Priced, priced
from trimtab.agreement.retold import Retelling
from trimtab.backtest.tape import Tape
from trimtab.backtest.world import OnTime
from trimtab.exchange.journal import JournalContents
from trimtab.ports.recorded import Recorded
from trimtab.settings import Settings


@dataclass(frozen=True, slots=True)
class Side:
    """Implements comparison.Basis over what is known: the inputs of each own signal, and near each of the other's."""

    course: Sequence[Given]
    own: Callable[[Given], Inputs]
    nearby: Mapping[int, Inputs | None]

    def of(self, given: Given) -> Inputs:
        """Return what one of its own signals stood on."""
        return self.own(given)

    def near(self, given: Given) -> Inputs | None:
        """Return what it would have decided on when the other side signalled."""
        return self.nearby[given.market_us]

    def signalled_on(self, inputs: Inputs, before_us: int) -> bool:
        """Whether it had signalled on this very state before."""
        version = inputs.state.ledger_version
        return any(each.signal.ledger_version == version and each.market_us < before_us for each in self.course)


def held_against(
    recorded: Recorded,
    journal: JournalContents,
    tape: Tape,
    start: Start,
    settings: Settings,
    tolerance: Tolerance,
    on_time: OnTime,
) -> Agreement:
    """Play the engine as the pipeline's portfolio was played, and compare them up to the end of the tape.

    Raises:
        UnplayableError: if the tape turns out to be damaged.
        WorldError: if a part of the engine fails.
        GoneError: if a record is gone that a signal cites.
    """
    places = Places(tape.events(), tape.instruments)
    pipeline = Pipeline(recorded, journal, places, start.portfolio_id)
    onlooker = play(tape, start, settings, [each.market_us for each in pipeline.course], on_time)
    played = onlooker.course(places.end_us)
    rows = rows_of(pipeline.course, [given for given, _ in played], tolerance)
    retelling = Retelling(tape.instruments, start.portfolio_id, start.holdings, start.fees, tape.market.start_us)
    retold = retelling.tell(tape.events(), journal.requests, questions(rows))
    prices = {
        mine.order_id: _priced(pipeline, one, mine.order_id, settings)
        for one, other in rows
        for mine, theirs in orders_paired(one, other)
        if one is not None and mine is not None and theirs is not None and mine.terms != theirs.terms
    }
    comparison = Comparison(
        _pipeline_side(pipeline, [given for given, _ in played]),
        _engine_side(onlooker, played),
        settings.drift,
        tolerance,
        prices,
        retold,
    )
    return comparison.compare(rows)


def _pipeline_side(pipeline: Pipeline, others: Sequence[Given]) -> Side:
    nearby = pipeline.inputs_at([each.market_us for each in others])
    return Side(pipeline.course, lambda given: pipeline.inputs(given.signal), nearby)


def _engine_side(onlooker: Onlooker, played: Sequence[tuple[Given, Inputs]]) -> Side:
    inputs = {given.signal.signal_id: found for given, found in played}
    return Side([given for given, _ in played], lambda given: inputs[given.signal.signal_id], onlooker.at)


def _priced(pipeline: Pipeline, given: Given, order_id: str, settings: Settings) -> Priced | None:
    order = next(each for each in given.orders if each.order_id == order_id)
    sights = pipeline.sights(given, order.arrived_us)
    return priced(given, order, pipeline.quantity_of(order), sights, settings.executor)
