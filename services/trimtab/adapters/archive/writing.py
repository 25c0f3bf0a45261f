"""An archive as it is written: whole in the end, or not there at all."""

import os
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from trimtab.adapters.archive.contents import Contents, Kept, save
from trimtab.adapters.archive.topic_file import TopicWriter
from trimtab.adapters.avro import Codec
from trimtab.domain.errors import InvalidValueError
from trimtab.topics import Topic


class ArchiveWriter:
    """Topics, each in a file of its own."""

    def __init__(self, folder: Path, codec: Codec) -> None:
        self._folder, self._codec = folder, codec
        self._kept: dict[str, Kept] = {}

    @contextmanager
    def topic(
        self, topic: Topic[Any], partitions: Mapping[int, tuple[int, int]] | None = None
    ) -> Iterator[TopicWriter]:
        """Write one topic, whose partitions have these first offsets and ends; None is partition 0, from 0 on."""
        writer = TopicWriter(self._folder / f"{topic.name}.avro", topic, self._codec, partitions)
        try:
            yield writer
            self._kept[topic.name] = writer.close()
        finally:
            writer.abandon()

    def contents(self) -> Contents:
        """Return what was written so far."""
        return Contents(topics=self._kept)


@contextmanager
def new_archive(folder: Path, codec: Codec) -> Iterator[ArchiveWriter]:
    """Write an archive under another name beside `folder`, and give it this name once it is whole.

    Raises:
        InvalidValueError: if there is something of that name already, or nowhere to put it.

    """
    folder = folder.absolute()
    if folder.exists() or not folder.parent.is_dir():
        raise InvalidValueError("archive", str(folder), "a new folder, in one that is there")
    part = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".part", dir=folder.parent))
    try:
        part.chmod(0o755)
        writer = ArchiveWriter(part, codec)
        yield writer
        path = save(writer.contents(), part)
        with path.open("rb") as file:
            os.fsync(file.fileno())
        part.rename(folder)
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise
