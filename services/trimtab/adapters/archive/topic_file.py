"""One topic's file as it is written."""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, BinaryIO, Final, cast

import fastavro
from fastavro.write import Writer

from trimtab.adapters.archive.contents import Block, Head, Kept, digest
from trimtab.adapters.archive.layout import container_schema, our_schema
from trimtab.adapters.avro import HEADER, MAGIC, Codec, UndecodableError
from trimtab.ports.recorded import RawRecord
from trimtab.topics import Topic

BLOCK_BYTES: Final = 262_144  # before compression
_CODEC: Final = "deflate"  # the one that every Avro reader has to have
_NEVER: Final = 2**62


class _Digested(io.RawIOBase):
    """A file that remembers what was written since it was last asked."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__()
        self._file = file
        self._since = bytearray()
        self._end = 0

    def write(self, data: Any) -> int:
        """Write all of it."""
        self._since += data
        self._end += len(data)
        return self._file.write(data)

    def taken(self) -> tuple[int, str]:
        """Return where the file ends now, and the digest of what came since the last call."""
        found = digest(bytes(self._since))
        self._since.clear()
        return self._end, found


class TopicWriter:
    """One topic's file. `add` takes each partition's records in the order of their offsets; `close` ends it."""

    def __init__(
        self, path: Path, topic: Topic[Any], codec: Codec, partitions: Mapping[int, tuple[int, int]] | None
    ) -> None:
        """`partitions` has the first offset of each, and the one after its last; None is partition 0, from 0 on."""
        self._topic, self._codec, self._partitions = topic, codec, partitions
        self._plain = our_schema(topic)
        self._path = path
        self._file = path.open("xb")
        self._out = _Digested(self._file)
        self._writer = Writer(cast("BinaryIO", self._out), container_schema(topic), _CODEC, sync_interval=_NEVER)
        self._head = Head(*self._out.taken())
        self._blocks: list[Block] = []
        self._size = self._count = self._records = self._unreadable = 0
        self._first = self._latest_ms = 0

    def add(self, raw: RawRecord) -> dict[str, Any] | None:
        """Write a record and return it decoded; None if it cannot be: then it is kept in its bytes alone."""
        record = self._readable(raw.value)
        exact = record is not None and self._framed(record) == raw.value
        front = {
            "partition": raw.partition,
            "offset": raw.offset,
            "recorded_ms": raw.recorded_ms,
            "key": raw.key,
            "framed": None if exact else raw.value,
        }
        if not self._count:
            self._first, self._latest_ms = raw.offset, raw.recorded_ms
        self._writer.write(front | {"value": record})
        self._latest_ms = max(self._latest_ms, raw.recorded_ms)
        self._unreadable += record is None
        self._count += 1
        self._size += len(raw.value)
        if self._size >= BLOCK_BYTES:
            self._end_block()
        return record

    def close(self) -> Kept:
        """Write what is left and return what the file holds."""
        self._end_block()
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        return Kept(
            file=self._path.name,
            schema_id=self._codec.schema_id(self._topic.name),
            records=self._records,
            unreadable=self._unreadable,
            partitions=self._partitions if self._partitions is not None else {0: (0, self._records)},
            head=self._head,
            blocks=tuple(self._blocks),
        )

    def abandon(self) -> None:
        """Let the file go."""
        self._file.close()

    def _readable(self, value: bytes) -> dict[str, Any] | None:
        """Return the record in these bytes if its readers would take it."""
        try:
            self._codec.decode(self._topic.name, value)
            return self._codec.record(self._topic.name, value)
        except UndecodableError:
            return None

    def _framed(self, record: dict[str, Any]) -> bytes:
        buffer = io.BytesIO()
        fastavro.schemaless_writer(buffer, self._plain, record)
        return HEADER.pack(MAGIC, self._codec.schema_id(self._topic.name)) + buffer.getvalue()

    def _end_block(self) -> None:
        if not self._count:
            return
        self._writer.flush()
        end, found = self._out.taken()
        self._blocks.append(Block(end, self._count, self._first, self._latest_ms, found))
        self._records += self._count
        self._size = self._count = 0
