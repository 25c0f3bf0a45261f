"""Progress for a person: on standard error, gone when it is done."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import Progress

OnFrame = Callable[[int], None]


@contextmanager
def frames_bar(first: int, last: int) -> Iterator[OnFrame]:
    """Show how far the frames between two offsets are read; nothing where standard error is no terminal."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("frames", total=last - first)
        yield lambda offset: progress.update(task, completed=offset - first)
