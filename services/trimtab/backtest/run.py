"""One backtest from beginning to end: a tape, a field, and what came of it."""

import asyncio
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from decimal import Decimal

from trimtab.backtest.entrant import Walk
from trimtab.backtest.fees import Fees
from trimtab.backtest.field import Contestant, held, require_listed
from trimtab.backtest.outcome import Outcome
from trimtab.backtest.tape import Tape
from trimtab.backtest.terms import Terms
from trimtab.backtest.witness import Witness
from trimtab.backtest.world import OnTime, World
from trimtab.documents import parse_document
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.portfolio import Calendar, Hybrid, Threshold
from trimtab.settings import Settings

_COSTLESS_PATIENCE_SECONDS = 1.0  # waiting saves nothing where nothing costs anything


@dataclass(frozen=True, slots=True)
class Run:
    """What everybody begins with (quote currency), what the venue charges, and the services' settings.

    With `diaries` outcomes tell of every trade, and of the drift at every look: a report needs them.
    """

    equity: Decimal
    fees: Fees
    settings: Settings
    costless: bool = False
    diaries: bool = False

    def play(
        self,
        tape: Tape,
        field: Sequence[Contestant],
        on_time: OnTime,
        walk: Walk | None = None,
        witness: Witness | None = None,
        beside: Collection[str] = (),
    ) -> list[Outcome]:
        """Play the tape once for the whole field, of which one may walk; outcomes are in its order.

        `beside` are assets that others hold, who are compared with these and played elsewhere: all see one market.

        Raises:
            InvalidValueError: if somebody wants to hold what has no book on the tape, or nobody anything but cash.
            UnplayableError: if the tape turns out to be damaged.
            WorldError: if a part fails, or the books do not agree in the end.
        """
        fees = Fees(Decimal(0), Decimal(0)) if self.costless else self.fees
        require_listed(field, _pairs(tape))
        tape = tape.narrowed({*held(field), *beside})
        require_listed(field, _pairs(tape))  # once more: what is listed may never have had a book
        if not tape.instruments:
            only = field[0].entrant.quote
            raise InvalidValueError(f"{field[0].name}: targets", only, f"something that is traded for {only} as well")
        shown = tape.shown(fees)
        settings = tape.settings(self.settings)
        executor = settings.executor
        if self.costless:
            executor = executor.model_copy(update={"patience_seconds": _COSTLESS_PATIENCE_SECONDS})
        estimate = not self.costless or any(map(_needs_risk, field))
        terms = Terms(self.equity, fees, settings.drift, executor, tape.pace, estimate, self.diaries)
        world = World([each.entrant for each in field], shown, terms, walk, witness=witness)
        return asyncio.run(world.play(tape.events(), on_time))


def _pairs(tape: Tape) -> set[str]:
    return {f"{rules.base}/{rules.quote}" for rules in tape.instruments.values()}


def _needs_risk(each: Contestant) -> bool:
    portfolio = parse_document(each.entrant.document, 1)
    return portfolio.allocation is not None or not isinstance(portfolio.policy, Threshold | Calendar | Hybrid)
