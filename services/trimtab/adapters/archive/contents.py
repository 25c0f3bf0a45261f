"""`archive.json`: what an archive's files hold, block by block, under a digest of its own."""

import hashlib
import json
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from trimtab.adapters.archive.errors import DamagedError
from trimtab.domain.errors import InvalidValueError

FILE: Final = "archive.json"
_DIGEST_BYTES: Final = 16

Count = Annotated[int, Field(ge=0, le=2**63 - 1, strict=True)]


class Block(NamedTuple):
    """One block of a file: where it ends, its number of records, the first one's offset, its newest stamp, its digest.

    It begins where the one before ends. `latest_ms` is in milliseconds UTC.
    """

    end: Count
    records: Count
    first_offset: Count
    latest_ms: int
    digest: str


class Head(NamedTuple):
    """A file's header: where it ends, and its digest."""

    end: Count
    digest: str


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Kept(_Section):
    """One topic: its file, the schema id its records had, and of each partition the first offset and the end."""

    file: str = Field(pattern=r"^[a-z]+(\.[a-z]+)*\.avro$")
    schema_id: Count
    records: Count
    unreadable: Count
    partitions: dict[Annotated[int, Field(ge=0, le=10_000)], tuple[Count, Count]]
    head: Head
    blocks: tuple[Block, ...]


class Contents(_Section):
    """A whole archive: its topics by name without prefix."""

    format: Literal["trimtab-archive"] = "trimtab-archive"
    version: Literal[1] = 1
    topics: dict[str, Kept]


def digest(data: bytes) -> str:
    """Return what tells these bytes from damaged ones."""
    return hashlib.blake2b(data, digest_size=_DIGEST_BYTES).hexdigest()


def save(contents: Contents, folder: Path) -> Path:
    """Write an archive's contents and return the file."""
    document = contents.model_dump(mode="json")
    path = folder / FILE
    path.write_text(json.dumps({"contents": document, "digest": digest(_canonical(document))}) + "\n")
    return path


def load(folder: Path) -> Contents:
    """Read what an archive holds.

    Raises:
        InvalidValueError: if the folder is not an archive.
        DamagedError: if its contents are not as they were written.

    """
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        allowed = f"a folder that trimtab record or import finished, with {FILE} in it"
        raise InvalidValueError("archive", str(folder), allowed) from None
    except UnicodeDecodeError as error:
        raise DamagedError(str(path), f"{error.reason} at byte {error.start}", "the file as it was written") from None
    return _checked(path, text)


def _checked(path: Path, text: str) -> Contents:
    whole = "the file as it was written"
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise DamagedError(str(path), f"no JSON: {error}", whole) from None
    if not isinstance(found, dict) or not isinstance(found.get("contents"), dict):
        raise DamagedError(str(path), text[:60], "contents and their digest")
    if found.get("digest") != digest(_canonical(found["contents"])):
        raise DamagedError(str(path), "a digest that is not that of its contents", whole)
    try:
        return Contents.model_validate(found["contents"])
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        raise DamagedError(f"{path}: {where}", first["input"], first["msg"]) from None


def _canonical(document: dict[str, Any]) -> bytes:
    return json.dumps(document, sort_keys=True, separators=(",", ":")).encode()
