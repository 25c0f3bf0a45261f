"""All that is done ahead of a user's first start: the downloads, and archives of a recorded run of the Java parts."""

import tempfile
from pathlib import Path

from trimtab.embedded.artifacts import Software, ready
from trimtab.embedded.cache import cache_folder, only_one
from trimtab.embedded.errors import StackError
from trimtab.embedded.events import Event, Kind, OnEvent, ignore
from trimtab.embedded.kafka import Kafka
from trimtab.embedded.registry import Registry
from trimtab.embedded.sockets import NAMES
from trimtab.embedded.supervisor import Stack


def prepare(on_event: OnEvent = ignore) -> None:
    """Fetch what is missing, and once for all clones of a user record a run on a scratch folder, which halves starts.

    The recording takes about a quarter of a minute. Raises DownloadError when something is missing and cannot be
    fetched; a record that cannot be made is a warning, since the stack starts without.
    """

    def tell(kind: Kind, text: str, done: int = 0, total: int = 0) -> None:
        on_event(Event.now("stack", kind, text, done, total))

    software = ready(lambda text, done, total: tell("download", text, done, total))
    if _is_recorded(software):
        return
    with only_one("archives", lambda: tell("starting", "another process records a first run; waiting for it")):
        if _is_recorded(software):
            return
        tell("starting", "recording a first run, so that every later start takes half the time")
        try:
            _record()
        except StackError as error:
            tell("warning", f"no first run is recorded, so starts take longer: {error}")


def _is_recorded(software: Software) -> bool:
    return all(part.archive.path.is_file() for part in _java_parts(software))


def _java_parts(software: Software) -> tuple[Kafka, Registry]:
    """The parts that have archives; these two never run."""
    folder, ports = cache_folder(), dict.fromkeys(NAMES, 0)
    return Kafka(folder, ports, software, folder.joinpath), Registry(folder, ports, software, folder.joinpath, "")


def _record() -> None:
    with (
        tempfile.TemporaryDirectory(dir=cache_folder(), prefix="warm-") as scratch,
        Stack(Path(scratch), archives="make"),
    ):
        pass
