"""What a person sees while the demo runs: on a terminal a table that lives, elsewhere a line now and then."""

import sys
import time
from types import TracebackType

from rich.console import Console
from rich.live import Live
from rich.table import Table

from trimtab.demo.measures import Measures, percentile
from trimtab.embedded.events import Event

_LINE_SECONDS = 5.0


class Show:
    """Progress on standard error. Usable from any thread; a context manager."""

    def __init__(self) -> None:
        self._console = Console(file=sys.stderr, soft_wrap=True)
        self._live = Live(console=self._console, refresh_per_second=4) if self._console.is_terminal else None
        self._began = time.monotonic()
        self._line_due = 0.0
        self._phase = ""

    def __enter__(self) -> "Show":
        if self._live is not None:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live is not None:
            self._live.stop()

    def event(self, event: Event) -> None:
        """Tell of a part: downloads as they come, everything else on a line of its own."""
        if event.kind != "download":
            self._console.print(f"{self._passed():6.1f} s  {event.part}: {event.text}", highlight=False, markup=False)
        elif event.total and event.done == event.total:
            self._console.print(f"{self._passed():6.1f} s  fetched {event.text}", highlight=False, markup=False)

    def progress(self, phase: str, measures: Measures) -> None:
        """Tell how far the run is."""
        if self._live is not None:
            self._live.update(self._table(phase, measures))
        elif phase != self._phase or time.monotonic() >= self._line_due:
            self._line_due = time.monotonic() + _LINE_SECONDS
            self._phase = phase
            self._console.print(f"{self._passed():6.1f} s  {phase}: {_figures(measures)}", highlight=False)

    def _passed(self) -> float:
        return time.monotonic() - self._began

    def _table(self, phase: str, measures: Measures) -> Table:
        table = Table(title=f"{self._passed():.0f} s  {phase}  {_figures(measures)}", title_justify="left")
        for name in ("portfolio", "largest drift", "at start", "open orders", "reason"):
            table.add_column(name, justify="left" if name in {"portfolio", "reason"} else "right")
        for name, state in sorted(measures.states.items()):
            start, now = measures.first_drifts.get(name), measures.drifts.get(name)
            table.add_row(
                name,
                "-" if now is None else f"{now:.2%}",
                "-" if start is None else f"{start:.2%}",
                str(len(state.open_orders)),
                state.reason,
            )
        return table


def _figures(measures: Measures) -> str:
    orders = measures.orders_by_outcome()
    p50 = percentile(list(measures.tick_to_order_ms.values()), 0.5)
    return (
        f"{measures.frames} frames, {measures.signals} signals, {orders['placed']} orders, {len(measures.fills)} fills"
        + ("" if p50 is None else f", tick to order {p50:.1f} ms")
    )
