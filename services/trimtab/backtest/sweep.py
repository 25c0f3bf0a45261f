"""A large field over several processes: each plays the tape for a part of it."""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from trimtab.backtest.field import Contestant, held
from trimtab.backtest.outcome import Outcome
from trimtab.backtest.run import Run
from trimtab.backtest.shelf import Shelf, fingerprint
from trimtab.backtest.tape import Tape, open_tape

# Portfolios of one world share its books, frames and estimates, and are decided together: the more, the cheaper each.
# But what is interrupted begins its part anew.
_PART_MAX = 32


@dataclass(frozen=True, slots=True)
class Sweep:
    """A run over tapes that every process opens for itself."""

    run: Run
    tapes: tuple[Path, ...]
    ways: bool = False
    seed: int = 0

    def open(self) -> Tape:
        """Open the tape. Raises UnplayableError as `open_tape` does."""
        return open_tape(self.tapes, ways=self.ways, costless=self.run.costless, seed=self.seed)

    def shelf(self, folder: Path, field: Sequence[Contestant]) -> Shelf:
        """Return where this sweep's outcomes are kept in a folder, apart from those of any other.

        What all of a field hold together is part of it: that says which of the tape's books everybody waits for.
        """
        terms = self.run.equity, self.run.fees, self.run.costless, self.ways, self.seed
        settings = self.run.settings.drift.model_dump_json(), self.run.settings.executor.model_dump_json()
        return Shelf(folder, fingerprint(self.tapes, *terms, *settings, *sorted(held(field))))

    def play(
        self, field: Sequence[Contestant], workers: int, shelf: Shelf | None, on_done: Callable[[int], None]
    ) -> list[Outcome]:
        """Return the outcomes in the field's order; those on the shelf are not played again.

        `on_done` is told how many there are. Raises as `Run.play` does.
        """
        found: dict[str, Outcome] = {}
        for each in field:
            kept = shelf.take(each.entrant.document) if shelf is not None else None
            if kept is not None:
                found[each.entrant.name] = kept
        on_done(len(found))
        left = [each for each in field if each.entrant.name not in found]
        for outcomes in self._parts(left, workers, held(field)):
            for outcome in outcomes:
                found[outcome.name] = outcome
                if shelf is not None:
                    shelf.put(_document(field, outcome.name), outcome)
            on_done(len(found))
        return [found[each.entrant.name] for each in field]

    def _parts(self, field: Sequence[Contestant], workers: int, assets: Collection[str]) -> Iterator[list[Outcome]]:
        size = max(1, min(_PART_MAX, -(-len(field) // workers)))
        parts = [field[start : start + size] for start in range(0, len(field), size)]
        with ProcessPoolExecutor(min(workers, len(parts)) or 1, get_context("spawn")) as pool:
            try:
                for done in as_completed([pool.submit(_play, self, part, assets) for part in parts]):
                    yield done.result()
            except BaseException:
                pool.shutdown(wait=False, cancel_futures=True)
                raise


def _play(sweep: Sweep, field: Sequence[Contestant], assets: Collection[str]) -> list[Outcome]:
    return sweep.run.play(sweep.open(), field, lambda _: None, beside=assets)


def _document(field: Sequence[Contestant], name: str) -> str:
    return next(each.entrant.document for each in field if each.entrant.name == name)
