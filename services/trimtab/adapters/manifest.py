"""The manifest of topics and the schemas beside it, as files of the package."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trimtab.domain.errors import InvalidValueError
from trimtab.messages import Message


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TopicEntry(_Section):
    """One topic of the manifest; see the comments in schemas/topics.yaml."""

    message: str
    key: tuple[str, ...]
    partitions: int = Field(ge=1, le=1_000)
    config: dict[str, str]
    producers: tuple[str, ...]
    consumers: tuple[str, ...]

    def key_of(self, message: Message) -> str | None:
        """Return the key that the manifest's templates give this message."""
        values = {name: getattr(message, name) for name in message.__slots__}
        keys = (template.format_map(values) for template in self.key)
        return next((key for key in keys if key), None)


class DeadLetterEntry(_Section):
    """What every dead letter topic is like."""

    partitions: int = Field(ge=1, le=100)
    config: dict[str, str]


class Manifest(_Section):
    """Every topic, by name without prefix."""

    version: int = Field(ge=1, le=1)
    observers: tuple[str, ...]
    dead_letters: DeadLetterEntry
    topics: dict[str, TopicEntry]


def schemas_folder() -> Path:
    """Return the folder of the manifest and the schemas: inside the installed package, or beside the sources."""
    package = Path(__file__).resolve().parent.parent
    installed = package / "schemas"
    return installed if installed.is_dir() else package.parent.parent / "schemas"


@cache
def load_manifest(path: Path | None = None) -> Manifest:
    """Read the manifest, the shipped one unless another is named.

    Raises:
        InvalidValueError: if it cannot be read or does not hold.

    """
    path = path or schemas_folder() / "topics.yaml"
    try:
        return Manifest.model_validate(yaml.safe_load(path.read_text()))
    except OSError as error:
        raise InvalidValueError("manifest", str(path), f"a readable file ({error.strerror})") from None
    except yaml.YAMLError as error:
        raise InvalidValueError("manifest", str(path), f"YAML ({' '.join(str(error).split())})") from None
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise InvalidValueError(f"{path.name}: {where}", first["input"], first["msg"]) from None


@cache
def schema_text(topic: str) -> str:
    """Return a topic's value schema as compact JSON, in the order of the file.

    Raises:
        InvalidValueError: if there is no readable schema of that topic.

    """
    path = schemas_folder() / f"{topic}.avsc"
    try:
        return json.dumps(json.loads(path.read_text()), separators=(",", ":"))
    except (OSError, ValueError) as error:
        raise InvalidValueError("schema", str(path), f"a readable Avro schema ({error})") from None


def examples(topic: str) -> list[dict[str, Any]]:
    """Return a topic's example records: amounts as decimal text, times as microseconds, enums as their values."""
    records: list[dict[str, Any]] = json.loads((schemas_folder() / "examples" / f"{topic}.json").read_text())
    return records
