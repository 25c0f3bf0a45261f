"""What the supervisor needs to know of a part."""

from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from trimtab.embedded.leash import Command

PartName = str  # "kafka", "registry", "postgres", or a service

Run = Callable[[str, Command], None]  # runs a one-off process to its end; raises PartError when it fails


class Part(Protocol):
    """Kafka, the registry or PostgreSQL."""

    @property
    def name(self) -> PartName:
        """Its name in events, logs and process lists."""

    @property
    def address(self) -> str:
        """Where clients reach it."""

    def prepare(self, run: Run) -> None:
        """Make or mend what it needs on disk; called before every start, never while it runs."""

    def command(self) -> Command:
        """The process to start."""

    def is_healthy(self) -> bool:
        """True if it serves requests now; never raises."""

    def settle(self) -> None:
        """Called once it is healthy: the last steps that need it running."""


def java_options(folder: Path) -> tuple[str, ...]:
    """Options of every Java part: quick to start, quiet, nothing written outside of `folder`."""
    return (
        "-XX:+UseSerialGC",
        "-XX:-UsePerfData",  # else a file appears in the system's temporary folder
        "-XX:+ExitOnOutOfMemoryError",
        f"-Djava.io.tmpdir={folder / 'tmp'}",
        "-Djava.awt.headless=true",
        "--enable-native-access=ALL-UNNAMED",
        "--sun-misc-unsafe-memory-access=allow",
    )
