"""Apicurio Registry: the schema registry, on a database of its own in the stack's PostgreSQL."""

import http.client
import shutil
from collections.abc import Callable
from pathlib import Path

from trimtab.embedded.archive import Archive, Use
from trimtab.embedded.artifacts import Software
from trimtab.embedded.leash import Command
from trimtab.embedded.part import PartName, Run, java_options
from trimtab.embedded.runtime import environment

HEALTH_SECONDS = 1.0


class Registry:
    """The registry. It keeps nothing on disk; its schemas are rows."""

    name: PartName = "registry"

    def __init__(
        self,
        folder: Path,
        ports: dict[str, int],
        software: Software,
        log: Callable[[str], Path],
        password: str,
        archives: Use = "use",
    ) -> None:
        self.folder = folder / "registry"
        self._ports = ports
        self._log = log
        self._password = password
        self._launcher = software.java
        self._jar = software.registry_jar
        # the first compiler alone: ready sooner, and a registry is asked once per schema
        self._options = ("-Xmx256m", "-XX:TieredStopAtLevel=1", *java_options(self.folder))
        self.archive = Archive("registry", software.identity, self._options[:2], self.folder, archives)

    @property
    def address(self) -> str:
        """The Confluent-compatible base address."""
        return f"http://127.0.0.1:{self._ports['registry']}/apis/ccompat/v7"

    def prepare(self, run: Run) -> None:  # noqa: ARG002  a part may need to run something; this one does not
        """Empty the temporary folder."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)
        (self.folder / "tmp").mkdir()

    def command(self) -> Command:
        """The registry's process."""
        temporary = str(self.folder / "tmp")
        return Command(
            argv=(str(self._launcher), *self._options, *self.archive.options(), "-jar", str(self._jar)),
            env=environment(
                HOME=str(self.folder),
                APICURIO_STORAGE_KIND="sql",
                APICURIO_STORAGE_SQL_KIND="postgresql",
                APICURIO_DATASOURCE_URL=f"jdbc:postgresql://127.0.0.1:{self._ports['postgres']}/registry",
                APICURIO_DATASOURCE_USERNAME="registry",
                APICURIO_DATASOURCE_PASSWORD=self._password,
                APICURIO_STORAGE_SNAPSHOT_LOCATION=temporary,
                APICURIO_IMPORT_WORK_DIR=temporary,
                QUARKUS_HTTP_HOST="127.0.0.1",
                QUARKUS_HTTP_PORT=str(self._ports["registry"]),
                QUARKUS_MANAGEMENT_HOST="127.0.0.1",
                QUARKUS_MANAGEMENT_PORT=str(self._ports["registry_health"]),
            ),
            cwd=str(self.folder),
            log=str(self._log("registry")),
            stop_seconds=self.archive.stop_seconds,
        )

    def is_healthy(self) -> bool:
        """True if the registry says that it is ready, its database included, and answers a client."""
        ready = self._answers("registry_health", "/health/ready")
        # two servers on two ports, and the one may be up while the other still fails to start
        return ready and self._answers("registry", "/apis/ccompat/v7/config")

    def _answers(self, port: str, path: str) -> bool:
        connection = http.client.HTTPConnection("127.0.0.1", self._ports[port], timeout=HEALTH_SECONDS)
        try:
            connection.request("GET", path)
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    def settle(self) -> None:
        """Nothing is left to do."""
