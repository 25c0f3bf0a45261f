"""A PostgreSQL server for the ledger's tests, and one fresh database a test.

`TRIMTAB_TEST_POSTGRES` names a server to use (its owner's address: it makes databases and roles). Without it one is
started from the wheel's binaries, for the test session, on a free port.
"""

import ctypes
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from trimtab.adapters.postgres.deploy import migrate
from trimtab.embedded.runtime import environment, postgres_program

START_SECONDS_MAX = 30.0
PR_SET_PDEATHSIG = 1  # linux/prctl.h


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def end_with_parent() -> None:
    """Have the system end this process when the test run dies, which no fixture can see to after a kill."""
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGQUIT)


@dataclass
class PostgresServer:
    """A server of our own, which a test may also kill and start again."""

    folder: Path
    port: int = field(default_factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def dsn(self) -> str:
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def _as(self) -> dict[str, object]:
        # PostgreSQL refuses to run as root.
        return {"user": "nobody", "extra_groups": []} if os.geteuid() == 0 else {}

    def initialise(self) -> None:
        if os.geteuid() == 0:
            shutil.chown(self.folder, "nobody")
        command = [postgres_program("initdb"), "-D", self.folder / "data", "-U", "postgres", "--auth=trust", "-N"]
        options = ["--encoding=UTF8", "--locale=C"]
        subprocess.run([*command, *options], check=True, capture_output=True, env=environment(), cwd="/", **self._as())

    def start(self) -> None:
        settings = ("listen_addresses=127.0.0.1", "unix_socket_directories=", "fsync=off", "max_connections=60")
        options = [part for setting in settings for part in ("-c", setting)]
        self.process = subprocess.Popen(
            [postgres_program("postgres"), "-D", self.folder / "data", "-p", str(self.port), *options],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment(),
            cwd="/",
            preexec_fn=end_with_parent if sys.platform == "linux" else None,  # noqa: PLW1509 - it takes no lock
            **self._as(),
        )  # fmt: skip - the command, then where it runs
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                psycopg.connect(self.dsn, connect_timeout=1).close()
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, "PostgreSQL did not start"
                assert self.process.poll() is None, "PostgreSQL ended"
                time.sleep(0.05)
            else:
                return

    def kill(self) -> None:
        """End it at once, as a crash does: its sessions are cut off, the log is replayed at the next start."""
        assert self.process is not None
        self.process.send_signal(signal.SIGQUIT)
        self.process.wait(START_SECONDS_MAX)


@pytest.fixture(scope="session")
def postgres_admin() -> Iterator[str]:
    """Address of a server's owner, for all tests of a session."""
    given = os.environ.get("TRIMTAB_TEST_POSTGRES")
    if given:
        yield given
        return
    with own_server() as server:
        yield server.dsn


class own_server:  # noqa: N801 - used as a with statement's word
    """Start a server for a block, and take it away with its data."""

    def __enter__(self) -> PostgresServer:
        self._server = PostgresServer(Path(tempfile.mkdtemp(prefix="trimtab-postgres-")))
        self._server.initialise()
        self._server.start()
        return self._server

    def __exit__(self, *_: object) -> None:
        if self._server.process is not None and self._server.process.poll() is None:
            self._server.kill()
        shutil.rmtree(self._server.folder, ignore_errors=True)


def named(dsn: str, database: str, role: str | None = None) -> str:
    """Return the address of another database of the same server, for another role if one is given."""
    return make_conninfo(dsn, dbname=database, **({"user": role} if role else {}))


@pytest.fixture(scope="session")
def migrated_template(postgres_admin: str) -> Iterator[str]:
    """A database at the newest migration, which each test's own is copied from."""
    name = f"template_{os.getpid()}"
    with psycopg.connect(postgres_admin, autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(name)))
    migrate(named(postgres_admin, name))
    yield name
    _drop(postgres_admin, name)


@pytest.fixture
def ledger_database(postgres_admin: str, migrated_template: str) -> Iterator[str]:
    """Address of a fresh, migrated database, as its owner."""
    name = f"ledger_{os.getpid()}_{time.monotonic_ns()}"
    with psycopg.connect(postgres_admin, autocommit=True) as session:
        copy = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        session.execute(copy.format(sql.Identifier(name), sql.Identifier(migrated_template)))
    yield named(postgres_admin, name)
    _drop(postgres_admin, name)


def _drop(admin: str, name: str) -> None:
    with psycopg.connect(admin, autocommit=True) as session:
        session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
