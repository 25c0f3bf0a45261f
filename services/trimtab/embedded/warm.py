"""Everything that can be done ahead of a start: the downloads, and archives of a recorded run of the Java parts."""

import tempfile
from pathlib import Path

from trimtab.embedded.cache import cache_folder
from trimtab.embedded.events import OnEvent, ignore
from trimtab.embedded.supervisor import Stack


def warm_up(on_event: OnEvent = ignore) -> None:
    """Fetch what is missing, then run a stack once on a scratch folder so that later starts take half the time.

    Takes about a quarter of a minute after the downloads; worth it wherever a stack starts more than a few times.
    """
    with (
        tempfile.TemporaryDirectory(dir=cache_folder(), prefix="warm-") as scratch,
        Stack(Path(scratch), on_event=on_event, archives="make"),
    ):
        pass
