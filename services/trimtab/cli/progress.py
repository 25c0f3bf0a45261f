"""Progress for a person: on standard error, gone when it is done."""

import itertools
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

OnFrame = Callable[[int], None]
OnTopic = Callable[[str, int], Callable[[], None]]
"""Begin with a topic of so many records, and return what is called after each."""

_REDRAW_RECORDS = 256
_TELLS_MAX = 1_000  # of one bar


@contextmanager
def frames_bar(first: int, last: int) -> Iterator[OnFrame]:
    """Show how far the frames between two offsets are read; nothing where standard error is no terminal."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("frames", total=last - first)
        yield lambda offset: progress.update(task, completed=offset - first)


@contextmanager
def topics_bar() -> Iterator[OnTopic]:
    """Show how far each topic is read; nothing where standard error is no terminal."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:

        def begin(name: str, records: int) -> Callable[[], None]:
            task, seen = progress.add_task(name, total=records), itertools.count(1)

            def advance() -> None:
                if (number := next(seen)) % _REDRAW_RECORDS == 0 or number == records:
                    progress.update(task, completed=number)

            return advance

        yield begin


@contextmanager
def tape_bar(start_us: int, end_us: int) -> Iterator[OnFrame]:
    """Show how far a tape has been played, told the market's time; nothing where standard error is no terminal."""
    console = Console(stderr=True)
    step_us = max(1, (end_us - start_us) // _TELLS_MAX)
    due_us = start_us
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("tape", total=end_us - start_us)

        def on_time(time_us: int) -> None:
            nonlocal due_us
            if time_us >= due_us:
                due_us = time_us + step_us
                progress.update(task, completed=time_us - start_us)

        yield on_time


@contextmanager
def count_bar(what: str, total: int) -> Iterator[Callable[[int], None]]:
    """Show how many of something are done; nothing where standard error is no terminal."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task(what, total=total)
        yield lambda done: progress.update(task, completed=done)
