"""PostgreSQL 18: the services' database and the registry's, each with its own role."""

import os
import pwd
import shutil
import signal
import stat
import time
from collections.abc import Callable
from pathlib import Path

import psutil
import psycopg
from psycopg import sql

from trimtab.embedded.cache import write_whole
from trimtab.embedded.errors import PartError
from trimtab.embedded.leash import Command
from trimtab.embedded.part import PartName, Run
from trimtab.embedded.runtime import environment, postgres_program

HEALTH_SECONDS = 2
BACKENDS_GONE_SECONDS_MAX = 15.0
UNPRIVILEGED_USER = "nobody"

SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",  # a socket file would stand outside of the data folder or hit its length limit
    "max_connections": "100",
    "shared_buffers": "64MB",
    "fsync": "on",
    "synchronous_commit": "on",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "log_line_prefix": "%m [%p] %u@%d ",
}
# The services' own roles are made by the migrations, so the database's owner may create roles.
ROLES = {"registry": "NOCREATEROLE", "trimtab": "CREATEROLE"}
INITDB = (
    "--auth=scram-sha-256",
    "--encoding=UTF8",
    "--locale=C",
    "--no-instructions",
)


class Postgres:
    """The database server. PostgreSQL refuses to run as root; then it runs as the system's unprivileged user."""

    name: PartName = "postgres"

    def __init__(
        self, folder: Path, ports: dict[str, int], log: Callable[[str], Path], passwords: dict[str, str]
    ) -> None:
        self.folder = folder / "postgres"
        self.data = self.folder / "data"
        self._port = ports["postgres"]
        self._log = log
        self._passwords = passwords
        self._user = _database_user()

    @property
    def address(self) -> str:
        """The owner's data source name for the services' database."""
        return self._dsn("trimtab", "trimtab")

    def _dsn(self, role: str, database: str) -> str:
        return f"postgresql://{role}:{self._passwords[role]}@127.0.0.1:{self._port}/{database}"

    def prepare(self, run: Run) -> None:
        """Make the cluster the first time; after a crash, wait for what is left of the old server."""
        self.folder.mkdir(exist_ok=True)
        self.folder.chmod(0o711 if self._user else 0o700)
        if self.data.exists():
            self._clear_remains()
            return
        partial = self.folder / "data.partial"
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(mode=0o700)
        password = self.folder / "password"
        write_whole(password, self._passwords["postgres"])
        if self._user:
            for path in (partial, password):
                os.chown(path, self._user.pw_uid, self._user.pw_gid)
        options = ("-D", str(partial), "-U", "postgres", f"--pwfile={password}", *INITDB)
        run("initdb", self._command("initdb", *options))
        password.unlink()
        partial.rename(self.data)

    def command(self) -> Command:
        """The server's process."""
        options = [f"--{name}={value}" for name, value in SETTINGS.items()]
        return self._command("postgres", "-D", str(self.data), "-p", str(self._port), *options)

    def _command(self, program: str, *arguments: str) -> Command:
        path = postgres_program(program)
        return Command(
            argv=(str(path), *arguments),
            env=environment(),
            cwd="/",
            log=str(self._log("postgres")),
            uid=self._user.pw_uid if self._user else None,
            gid=self._user.pw_gid if self._user else None,
            reach_files=self._user is not None and not (_open_to_all(path) and _enterable(self.data)),
            stop_signal=signal.SIGINT,  # the fast shutdown: clients are cut off, nothing is lost
            orphan_signal=signal.SIGQUIT,  # the immediate one: it ends its own children, the log recovers the rest
            stop_phase=1,  # after the registry, which has connections open
        )

    def is_healthy(self) -> bool:
        """True if a client can log in and ask."""
        try:
            with psycopg.connect(self._dsn("postgres", "postgres"), connect_timeout=HEALTH_SECONDS) as session:
                session.execute("SELECT 1")
        except psycopg.Error:
            return False
        return True

    def settle(self) -> None:
        """Make the two databases and their owners where they are missing."""
        with psycopg.connect(self._dsn("postgres", "postgres"), autocommit=True) as session:
            roles = {row[0] for row in session.execute("SELECT rolname FROM pg_roles")}
            databases = {row[0] for row in session.execute("SELECT datname FROM pg_database")}
            for name, rights in ROLES.items():
                role = sql.Identifier(name)
                verb = sql.SQL("ALTER" if name in roles else "CREATE")
                session.execute(
                    sql.SQL("{} ROLE {} LOGIN {} PASSWORD {}").format(
                        verb, role, sql.SQL(rights), sql.Literal(self._passwords[name])
                    )
                )
                if name not in databases:
                    session.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(role, role))
            session.execute("REVOKE CONNECT ON DATABASE registry FROM PUBLIC")

    def _clear_remains(self) -> None:
        """After kill -9 of the server its sessions take a moment to notice; only then may a new one start."""
        deadline = time.monotonic() + BACKENDS_GONE_SECONDS_MAX
        while _works_in(self.data):
            if time.monotonic() > deadline:
                raise PartError(f"postgres: processes of a former server still work in {self.data}")
            time.sleep(0.05)
        # Its process id may belong to somebody else by now, which the new server would take for a running one.
        (self.data / "postmaster.pid").unlink(missing_ok=True)


def _database_user() -> pwd.struct_passwd | None:
    """The user to run as when we are root; None for anybody else, who runs it as himself."""
    if os.geteuid() == 0:
        try:
            return pwd.getpwnam(UNPRIVILEGED_USER)
        except KeyError:
            raise PartError(f"postgres refuses to run as root and there is no user {UNPRIVILEGED_USER}") from None
    try:
        pwd.getpwuid(os.geteuid())
    except KeyError:
        raise PartError(f"postgres needs user {os.geteuid()} to have an entry in the user database") from None
    return None


def _enterable(path: Path) -> bool:
    """True if every user may pass through all folders above `path`."""
    return all(folder.stat().st_mode & stat.S_IXOTH for folder in path.parents)


def _open_to_all(program: Path) -> bool:
    everyone = stat.S_IROTH | stat.S_IXOTH
    return program.stat().st_mode & everyone == everyone and _enterable(program)


def _works_in(data: Path) -> bool:
    for process in psutil.process_iter():
        try:
            if process.cwd() == str(data):
                return True
        except (psutil.AccessDenied, psutil.NoSuchProcess):
            continue
    return False
