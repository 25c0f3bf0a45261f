"""An artifact of a Maven repository as the lock file names it: coordinates, size and sha256, no host."""

import hashlib
from dataclasses import dataclass
from importlib import resources
from pathlib import Path, PurePosixPath

from trimtab.embedded.errors import StackError

LOCK_NAME = "artifacts.lock"


@dataclass(frozen=True)
class Artifact:
    """One file: `group:name:extension[:classifier]:version`, which part needs it, and what it must be."""

    part: str
    group: str
    name: str
    extension: str
    classifier: str
    version: str
    size: int
    sha256: str

    @property
    def path(self) -> PurePosixPath:
        """Where the file stands in any Maven repository."""
        suffix = f"-{self.classifier}" if self.classifier else ""
        file = f"{self.name}-{self.version}{suffix}.{self.extension}"
        return PurePosixPath(self.group.replace(".", "/"), self.name, self.version, file)

    def line(self) -> str:
        """The artifact as the lock file writes it."""
        middle = f":{self.classifier}" if self.classifier else ""
        coordinates = f"{self.group}:{self.name}:{self.extension}{middle}:{self.version}"
        return f"{self.part} {coordinates} {self.size} {self.sha256}"

    def matches(self, file: Path) -> bool:
        """True if `file` is there, whole and unchanged."""
        return file.is_file() and file.stat().st_size == self.size and sha256_of(file) == self.sha256


def sha256_of(file: Path) -> str:
    """The file's sha256 in hexadecimal."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def parse_line(line: str) -> Artifact:
    """Read one line of the lock file.

    Raises StackError when the line is not `part coordinates size sha256`.
    """
    try:
        part, coordinates, size, sha256 = line.split()
        group, name, extension, *classifier, version = coordinates.split(":")
        classifier_text = classifier[0] if classifier else ""
        artifact = Artifact(part, group, name, extension, classifier_text, version, int(size), sha256)
    except ValueError as error:
        raise StackError(f"{LOCK_NAME}: {line!r} is not 'part coordinates size sha256'") from error
    if len(classifier) > 1 or len(sha256) != 64:
        raise StackError(f"{LOCK_NAME}: {line!r} is not 'part coordinates size sha256'")
    return artifact


def locked() -> tuple[Artifact, ...]:
    """Every artifact of the package's lock file, in its order (for Kafka: the class path's order)."""
    text = resources.files("trimtab.embedded").joinpath(LOCK_NAME).read_text(encoding="utf-8")
    return tuple(parse_line(line) for line in text.splitlines() if line and not line.startswith("#"))
