"""Apache Kafka: one node, broker and controller in one process (KRaft)."""

import base64
import shutil
import socket
import uuid
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from trimtab.embedded.archive import Archive, Use
from trimtab.embedded.artifacts import Software
from trimtab.embedded.cache import write_whole
from trimtab.embedded.leash import Command
from trimtab.embedded.part import PartName, Run, java_options
from trimtab.embedded.runtime import environment

HEALTH_SECONDS = 1.0

SETTINGS = """\
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller_port}
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
controller.listener.names=CONTROLLER
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={data}
# topics come from the manifest, never from a typing error
auto.create.topics.enable=false
# one node: one replica of everything, few internal partitions
default.replication.factor=1
min.insync.replicas=1
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
share.coordinator.state.topic.num.partitions=1
# a group's first member need not wait for others; tests use short sessions
group.initial.rebalance.delay.ms=0
group.min.session.timeout.ms=1000
# after kill -9 the broker may register again only when its former self has timed out
broker.session.timeout.ms=4000
broker.heartbeat.interval.ms=500
# the cleaner's default buffer is a quarter of this heap
log.cleaner.dedupe.buffer.size=16777216
"""

LOGGING = """\
rootLogger.level=INFO
rootLogger.appenderRef.out.ref=OUT
appender.out.type=Console
appender.out.name=OUT
appender.out.layout.type=PatternLayout
appender.out.layout.pattern=%d{UNIX_MILLIS} %p [%t] %m (%c)%n
"""


class Kafka:
    """The broker. Its data survive kill -9 of the process: what it acknowledged is with the operating system."""

    name: PartName = "kafka"

    def __init__(
        self,
        folder: Path,
        ports: dict[str, int],
        software: Software,
        log: Callable[[str], Path],
        archives: Use = "use",
    ) -> None:
        self.folder = folder / "kafka"
        self._ports = ports
        self._log = log
        self._launcher = software.java
        self._class_path = ":".join(str(jar) for jar in software.kafka_jars)
        self._options = (
            "-Xms128m",
            "-Xmx512m",
            *java_options(self.folder),
            f"-Dlog4j2.configurationFile={self.folder / 'log4j2.properties'}",
        )
        self.archive = Archive("kafka", software.identity, self._options[:2], self.folder, archives)

    @property
    def address(self) -> str:
        """The bootstrap server."""
        return f"127.0.0.1:{self._ports['kafka']}"

    def prepare(self, run: Run) -> None:
        """Write the settings and, the first time, format the storage."""
        self.folder.mkdir(mode=0o700, exist_ok=True)
        shutil.rmtree(self.folder / "tmp", ignore_errors=True)
        (self.folder / "tmp").mkdir()
        settings = SETTINGS.format(
            port=self._ports["kafka"],
            controller_port=self._ports["kafka_controller"],
            data=self.folder / "data",
        )
        write_whole(self.folder / "server.properties", settings)
        write_whole(self.folder / "log4j2.properties", LOGGING)
        formatted = self.folder / "formatted"
        if formatted.exists():
            return
        shutil.rmtree(self.folder / "data", ignore_errors=True)  # a format that was cut short
        cluster = _new_cluster_id()
        arguments = ("format", "--cluster-id", cluster, "--config", str(self.folder / "server.properties"))
        # the first compiler alone: this process lives half a second
        options = ("-XX:TieredStopAtLevel=1", *self.archive.reading())
        run("kafka-format", self._java(*options, main="kafka.tools.StorageTool", arguments=arguments))
        write_whole(formatted, cluster)

    def command(self) -> Command:
        """The broker's process."""
        settings = str(self.folder / "server.properties")
        return self._java(*self.archive.options(), main="kafka.Kafka", arguments=(settings,))

    def _java(self, *options: str, main: str, arguments: tuple[str, ...]) -> Command:
        return Command(
            argv=(str(self._launcher), *self._options, *options, "-cp", self._class_path, main, *arguments),
            env=environment(HOME=str(self.folder)),
            cwd=str(self.folder),
            log=str(self._log("kafka")),
            stop_seconds=self.archive.stop_seconds,
        )

    def is_healthy(self) -> bool:
        """True if the broker answers with itself as a live member of the cluster."""
        try:
            # a client that finds the door closed backs off; knocking first finds it open sooner
            socket.create_connection(("127.0.0.1", self._ports["kafka"]), HEALTH_SECONDS).close()
            client = AdminClient({"bootstrap.servers": self.address, "log_level": 0})
            return bool(client.list_topics(timeout=HEALTH_SECONDS).brokers)
        except (OSError, KafkaException):
            return False

    def settle(self) -> None:
        """Nothing is left to do."""


def _new_cluster_id() -> str:
    """A random id in Kafka's alphabet; none that starts with a dash, which the tool would take for an option."""
    while (text := base64.urlsafe_b64encode(uuid.uuid4().bytes).decode().rstrip("=")).startswith("-"):
        pass
    return text
