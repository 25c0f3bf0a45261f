"""One topic's file, read block by block: at most one block of it is in memory."""

import io
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic

import fastavro

from trimtab.adapters.archive.contents import Block, Kept, digest
from trimtab.adapters.archive.errors import DamagedError
from trimtab.adapters.archive.layout import FRONT, NOTHING, VALUE, our_schema, written_schema
from trimtab.adapters.avro import HEADER, MAGIC, Codec, UndecodableError
from trimtab.ports.recorded import Stamped
from trimtab.ports.topics import M, Record
from trimtab.topics import Topic

_SCHEMA = "avro.schema"
_WRITTEN = "the bytes that were written"
_BRANCHES = {NOTHING: False, VALUE: True}


@dataclass(frozen=True, slots=True)
class Row:
    """A record as it lies in the file: `front` says where it stood, `record` is None if it could not be decoded."""

    front: dict[str, Any]
    record: dict[str, Any] | None
    body: bytes


class Container(Generic[M]):
    """Checks whatever it reads: bytes against their digests, offsets against their order.

    Every method raises DamagedError if the file does not hold what was written.
    """

    def __init__(self, folder: Path, topic: Topic[M], kept: Kept, codec: Codec) -> None:
        self.topic, self.kept = topic, kept
        self._codec = codec
        self._path = folder / kept.file
        size = self._size()
        end = kept.blocks[-1].end if kept.blocks else kept.head.end
        if size != end:
            raise DamagedError(str(self._path), f"{size} bytes", f"{end} bytes")
        self._head = self._bytes(0, kept.head.end, kept.head.digest)
        try:
            schema = str(fastavro.block_reader(io.BytesIO(self._head)).metadata[_SCHEMA])
            self._writer = written_schema(schema, topic)
        except UndecodableError as error:
            raise DamagedError(str(self._path), str(error), f"records of {topic.name}") from None
        except Exception as error:  # noqa: BLE001 - whatever fastavro makes of foreign bytes, it gets one clear line
            raise DamagedError(str(self._path), f"{type(error).__name__}: {error}", "an Avro container file") from None
        ours = our_schema(topic)
        self._ours = None if self._writer == ours else ours

    def rows(self, first_block: int = 0, end_block: int | None = None) -> Iterator[Row]:
        """Yield the records of these blocks, each partition's in the order of their offsets."""
        places: dict[int, int] = {}
        start = self.kept.blocks[first_block - 1].end if first_block else self.kept.head.end
        for block in self.kept.blocks[first_block:end_block]:
            for row in self._block(start, block):
                self._check_place(row, places, start)
                yield row
            start = block.end

    def stamped(self, row: Row) -> Stamped[M] | None:
        """Return a record with its message; None if it could not be decoded when it was written."""
        if row.record is None:
            return None
        front = row.front
        try:
            message = self._codec.message(self.topic.name, row.record)
        except UndecodableError as error:
            raise DamagedError(f"{self._where(row)}", str(error), "a record as its topic carries it") from None
        value = front["framed"]
        if value is None:
            value = HEADER.pack(MAGIC, self.kept.schema_id) + row.body
        assert isinstance(message, self.topic.message)
        record: Record[M] = Record(message, self.topic.name, front["partition"], front["offset"])
        return Stamped(record, front["recorded_ms"], value)

    def _block(self, start: int, block: Block) -> Iterator[Row]:
        raw = self._bytes(start, block.end, block.digest)
        try:
            found: Any  # its types leave out what a block holds
            (found,) = fastavro.block_reader(io.BytesIO(self._head + raw))
            body, records = found.bytes_, found.num_records
        except Exception as error:  # noqa: BLE001 - as above
            raise self._malformed(start, error) from None
        if records != block.records:
            raise DamagedError(f"{self._path}: block at byte {start}", f"{records} records", f"{block.records}")
        for _ in range(records):
            yield self._row(body, start)
        if body.read(1):
            raise DamagedError(f"{self._path}: block at byte {start}", "bytes after its last record", "none")

    def _row(self, body: io.BytesIO, start: int) -> Row:
        try:
            front: Any = fastavro.schemaless_reader(body, FRONT, None)
            if not _BRANCHES[front["branch"]]:
                return Row(front, None, b"")
            begin = body.tell()
            record: Any = fastavro.schemaless_reader(body, self._writer, self._ours)
            end = body.tell()
            body.seek(begin)
            return Row(front, record, body.read(end - begin))
        except Exception as error:  # noqa: BLE001 - as above
            raise self._malformed(start, error) from None

    def _check_place(self, row: Row, places: dict[int, int], start: int) -> None:
        number, offset = row.front["partition"], row.front["offset"]
        where = f"{self._path}: block at byte {start}: partition {number}"
        bounds = self.kept.partitions.get(number)
        if bounds is None:
            raise DamagedError(where, number, f"one of {', '.join(map(str, sorted(self.kept.partitions)))}")
        least = max(places.get(number, 0), bounds[0])
        if not least <= offset < bounds[1]:
            raise DamagedError(where, f"offset {offset}", f"{least} or later, and before {bounds[1]}")
        places[number] = offset + 1

    def _where(self, row: Row) -> str:
        return f"{self._path}: partition {row.front['partition']}, offset {row.front['offset']}"

    def _malformed(self, start: int, error: Exception) -> DamagedError:
        found = f"{type(error).__name__}: {error}"
        return DamagedError(f"{self._path}: block at byte {start}", found, f"records of {self.topic.name}")

    def _bytes(self, start: int, end: int, wanted: str) -> bytes:
        with self._path.open("rb") as file:
            file.seek(start)
            found = file.read(end - start)
        if digest(found) != wanted:
            raise DamagedError(
                f"{self._path}: bytes {start} to {end}", f"digest {digest(found)}", f"{wanted}, {_WRITTEN}"
            )
        return found

    def _size(self) -> int:
        try:
            return self._path.stat().st_size
        except FileNotFoundError:
            raise DamagedError(str(self._path), "no such file", _WRITTEN) from None
