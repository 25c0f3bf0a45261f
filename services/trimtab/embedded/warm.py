"""Everything that can be done ahead of a start: the downloads, and archives of a recorded run of the Java parts."""

import tempfile
from pathlib import Path

from trimtab.embedded.artifacts import ready
from trimtab.embedded.cache import cache_folder
from trimtab.embedded.events import Event, OnEvent, ignore
from trimtab.embedded.kafka import Kafka
from trimtab.embedded.registry import Registry
from trimtab.embedded.sockets import NAMES
from trimtab.embedded.supervisor import Stack


def warm_up(on_event: OnEvent = ignore) -> bool:
    """Fetch what is missing, then run a stack once on a scratch folder so that later starts take half the time.

    Takes about a quarter of a minute after the downloads; worth it wherever a stack starts more than a few times.
    Returns False when the archives were there already.
    """
    software = ready(lambda text, done, total: on_event(Event.now("stack", "download", text, done, total)))
    with tempfile.TemporaryDirectory(dir=cache_folder(), prefix="warm-") as scratch:
        folder, ports = Path(scratch), dict.fromkeys(NAMES, 0)
        kafka = Kafka(folder, ports, software, folder.joinpath)
        registry = Registry(folder, ports, software, folder.joinpath, "")
        if kafka.archive.path.is_file() and registry.archive.path.is_file():
            return False
        with Stack(folder, on_event=on_event, archives="make"):
            return True
