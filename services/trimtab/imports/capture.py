"""A capture of cryptofeed at Binance, a folder, as raw recordings of one symbol each, which the exchange's reader has.

`BINANCE.ws.*` has lines of seconds since 1970, a colon and a message of the combined stream; `BINANCE.http.*` has URL,
arrow, seconds, colon and answer. What is no depth, bookTicker or trade is passed over, as the reader does. Depth
answers are put where they came in between, by their times.
"""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path
from typing import BinaryIO

import orjson

from trimtab.imports.errors import ImportRefusedError

_STREAMS, _ANSWERS = "BINANCE.ws.*", "BINANCE.http.*"
_LINE = re.compile(rb"([0-9]{1,12}(?:\.[0-9]{1,9})?): (\{.*)")
_DEPTH = re.compile(rb"/depth\?(?:.*&)?symbol=([A-Z0-9]+)")
_SYMBOL = re.compile(r"[A-Z0-9]{2,30}")

Stamped = tuple[int, str, bytes]
"""When a line was received (ns), its symbol, its JSON."""


@contextmanager
def unpacked(tapes: Sequence[Path]) -> Iterator[Sequence[Path]]:
    """Give out tapes with the captures among them as files that last as long.

    Raises:
        ImportRefusedError: if a capture cannot be read; errors about the files of one name its folder.

    """
    with ExitStack() as folders:
        names: dict[str, Path] = {}
        found: list[Path] = []
        for tape in tapes:
            if not (tape.is_dir() and any(tape.glob(_STREAMS))):
                found.append(tape)
                continue
            folder = Path(folders.enter_context(tempfile.TemporaryDirectory(prefix="trimtab-import-")))
            names[str(folder)] = tape
            found += _unpack(tape, folder)
        try:
            yield found
        except ImportRefusedError as error:
            said = str(error)
            for folder_name, tape in names.items():
                said = said.replace(folder_name, str(tape))
            raise ImportRefusedError(said) from None


def _unpack(capture: Path, folder: Path) -> list[Path]:
    """Write a file for every symbol that has a depth answer: without one a book cannot begin."""
    answers = sorted(each for path in sorted(capture.glob(_ANSWERS)) for each in _answered(path))
    symbols = sorted({symbol for _, symbol, _ in answers})
    if not symbols:
        raise ImportRefusedError(f"{capture}: no REST depth answer in {_ANSWERS}; a book cannot begin")
    paths = {symbol: folder / f"{symbol}.txt" for symbol in symbols}
    with ExitStack() as open_files:
        files: dict[str, BinaryIO] = {
            symbol: open_files.enter_context(path.open("wb")) for symbol, path in paths.items()
        }
        for path in sorted(capture.glob(_STREAMS)):
            for line in _told(path):
                while answers and answers[0][0] <= line[0]:
                    _write(files, answers.pop(0))
                _write(files, line)
        for line in answers:
            _write(files, line)
    return list(paths.values())


def _write(files: dict[str, BinaryIO], line: Stamped) -> None:
    time_ns, symbol, payload = line
    if symbol in files:
        files[symbol].write(b"%d %b\n" % (time_ns, payload))


def _answered(path: Path) -> Iterator[Stamped]:
    for number, line in _lines(path):
        url, _, rest = line.partition(b" -> ")
        symbol = _DEPTH.search(url)
        if symbol is not None:
            time_ns, payload = _parted(path, number, rest)
            yield time_ns, symbol[1].decode(), payload


def _told(path: Path) -> Iterator[Stamped]:
    for number, line in _lines(path):
        if b" <-> " in line and line.startswith(b"ws"):  # connected
            continue
        time_ns, payload = _parted(path, number, line)
        try:
            message = orjson.loads(payload)
        except orjson.JSONDecodeError as error:
            raise ImportRefusedError(f"{path}:{number}: {error} in {payload[:60]!r}; needed: JSON") from None
        data = message.get("data") if isinstance(message, dict) else None
        symbol = data.get("s") if isinstance(data, dict) else None
        if isinstance(symbol, str) and _SYMBOL.fullmatch(symbol):
            yield time_ns, symbol, payload


def _lines(path: Path) -> Iterator[tuple[int, bytes]]:
    with path.open("rb") as file:
        for number, line in enumerate(file, 1):
            if line.strip():
                yield number, line.strip()


def _parted(path: Path, number: int, line: bytes) -> tuple[int, bytes]:
    found = _LINE.fullmatch(line)
    if found is None:
        shown = line[:60].decode("utf-8", "replace")
        raise ImportRefusedError(f"{path}:{number}: {shown!r}; needed: seconds, a colon, a space, JSON")
    return int(Decimal(found[1].decode()) * 10**9), found[2]
