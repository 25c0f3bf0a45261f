"""The stack's events on a terminal: a bar for downloads, a line for everything else."""

from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TaskID, TextColumn, TransferSpeedColumn

from trimtab.embedded.events import Event

COLOURS = {"ready": "green", "died": "red", "gave_up": "red", "warning": "yellow", "restarting": "yellow"}


class Report:
    """An `on_event` listener; a context manager so that a bar never outlives the work."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._bar: Progress | None = None
        self._task = TaskID(0)

    def __enter__(self) -> "Report":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end_bar()

    def __call__(self, event: Event) -> None:
        """Show one event."""
        if event.kind == "download" and event.total:
            self._show_download(event)
            return
        self._end_bar()
        colour = COLOURS.get(event.kind, "default")
        self._console.print(f"{event.part:9} [{colour}]{event.kind:10}[/] {event.text}", highlight=False)

    def _show_download(self, event: Event) -> None:
        if self._bar is None:
            columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
            self._bar = Progress(*columns, console=self._console)
            self._task = self._bar.add_task(event.text, total=event.total)
            self._bar.start()
        self._bar.update(self._task, completed=event.done)

    def _end_bar(self) -> None:
        if self._bar is not None:
            self._bar.stop()
            self._bar = None
