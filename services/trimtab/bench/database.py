"""PostgreSQL alone, of the embedded stack's build and settings, for benchmarks that need nothing else."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import make_conninfo

from trimtab.embedded.crew import Crew
from trimtab.embedded.events import Journal, OnEvent
from trimtab.embedded.folder import Folder
from trimtab.embedded.postgres import Postgres
from trimtab.embedded.restarts import Restarts
from trimtab.embedded.sockets import choose_ports

_STOP_SECONDS_MAX = 40.0


@contextmanager
def database(folder: Path, on_event: OnEvent) -> Iterator[str]:
    """Run a server on `folder` for a block; give the owner's data source name of an empty database.

    The owner may ask for a checkpoint, so that what it has written does not go to disk while something is timed.

    Raises:
        StackError: if it does not come up.

    """
    place = Folder(folder)
    place.make()
    journal = Journal(place.path / "events.log", on_event)
    lock = place.hold(lambda text: journal.tell("postgres", "starting", text))
    crew = Crew(journal.tell, Restarts("never"), lambda: None)
    try:
        crew.open(place.log("guardian"), lock)
        passwords = place.passwords()
        postgres = Postgres(place.path, choose_ports(place.path / "ports.json"), place.log, passwords)
        crew.bring_up(postgres)
        with psycopg.connect(make_conninfo(postgres.address, user="postgres", password=passwords["postgres"])) as admin:
            admin.execute("GRANT pg_checkpoint TO trimtab")
        yield postgres.address
    finally:
        crew.close(_STOP_SECONDS_MAX)
        place.release()
