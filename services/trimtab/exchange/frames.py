"""The lines of a raw Binance recording, each checked as it is read: when it was received, and what it says.

A line is `<receive time in ns since 1970> <JSON>`: a combined-stream message of depth, bookTicker or trade, or a REST
depth answer. Messages of other streams, and answers to subscriptions, are passed over.
"""

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson

from trimtab.exchange.market import DepthUpdate, Level, Quote, Snapshot, Trade
from trimtab.exchange.tape_file import TapeError, exact, opened

_DATA = b'"data":'
_DIGITS_MAX = 19  # of nanoseconds, until the year 2286
_COUNT_MAX = 2**63 - 1
_SHOWN = 60  # characters of what was found


@dataclass(frozen=True, slots=True)
class Frame:
    """One line. `place` is file and line, `received_us` by the recorder's clock, `payload` the JSON as recorded."""

    place: str
    received_us: int
    message: Mapping[str, Any]
    payload: bytes

    @property
    def is_snapshot(self) -> bool:
        """Whether it is a REST depth answer."""
        return "lastUpdateId" in self.message

    @property
    def data(self) -> Mapping[str, Any] | None:
        """What a stream said of a symbol; None of anything else."""
        data = self.message.get("data")
        return data if isinstance(data, dict) and isinstance(data.get("s"), str) else None

    @property
    def event_ms(self) -> int | None:
        """The venue's own stamp, if there is one."""
        data = self.data
        return None if data is None or "E" not in data else self._count(data, "E")

    def snapshot(self, symbol: str, time_us: int) -> Snapshot:
        """The whole book.

        Raises TapeError for one with an empty side, or that is crossed.
        """
        bids, asks = self._levels(self.message, "bids"), self._levels(self.message, "asks")
        if not bids or not asks or max(bids)[0] >= min(asks)[0]:
            best = f"{max(bids)[0] if bids else 'none'} and {min(asks)[0] if asks else 'none'}"
            raise TapeError(f"{self.place}: best bid and ask {best}; needed: a book with bids below its asks")
        return Snapshot(symbol, time_us, self._count(self.message, "lastUpdateId"), bids, asks)

    def event(self, time_us: int) -> DepthUpdate | Quote | Trade | None:
        """What happened, due at `time_us`; None for what is passed over.

        Raises TapeError.
        """
        data = self.data
        if data is None:
            return None
        symbol, kind = data["s"], data.get("e")
        if kind == "depthUpdate":
            first, last = self._count(data, "U"), self._count(data, "u")
            if first > last:
                raise TapeError(f"{self.place}: update from {first} to {last}; needed: U up to u")
            bids, asks = self._levels(data, "b"), self._levels(data, "a")
            return DepthUpdate(symbol, time_us, self._count(data, "E") * 1000, first, last, bids, asks, self._raw())
        if kind == "trade":
            price, quantity = (self._amount(data, name) for name in ("p", "q"))
            if not isinstance(data.get("m"), bool):
                raise TapeError(f"{self.place}: m {data.get('m')!r}; needed: true or false")
            stamp, identity = self._count(data, "E") * 1000, self._count(data, "t")
            return Trade(symbol, time_us, stamp, identity, price, quantity, data["m"], self._raw())
        if kind is None and "u" in data:
            bid, bid_size, ask, ask_size = (self._amount(data, name) for name in ("b", "B", "a", "A"))
            if bid >= ask:
                raise TapeError(f"{self.place}: best bid {bid} and ask {ask}; needed: a bid below the ask")
            return Quote(symbol, time_us, self._count(data, "u"), bid, bid_size, ask, ask_size, self._raw())
        return None

    def _raw(self) -> bytes:
        """The stream's data as recorded: what follows its name; written otherwise if it does not stand there so."""
        begin = self.payload.find(_DATA)
        if self.payload.startswith(b'{"stream":') and begin >= 0:
            return self.payload[begin + len(_DATA) : -1]
        return orjson.dumps(self.message["data"])

    def _count(self, data: Mapping[str, Any], name: str) -> int:
        value = data.get(name)
        if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= _COUNT_MAX:
            raise TapeError(f"{self.place}: {name} {_shown(value)}; needed: a whole number from 0 to 2^63 - 1")
        return value

    def _amount(self, data: Mapping[str, Any], name: str) -> Any:
        return exact(self.place, name, self._text(data.get(name), name), zero=False)

    def _levels(self, data: Mapping[str, Any], name: str) -> tuple[Level, ...]:
        found = data.get(name)
        if not isinstance(found, list) or not all(isinstance(pair, list) and len(pair) == 2 for pair in found):
            raise TapeError(f"{self.place}: {name} {_shown(found)}; needed: a list of prices with their sizes")
        return tuple(self._level(pair, name) for pair in found)

    def _level(self, pair: Sequence[object], name: str) -> Level:
        price, size = (self._text(part, name) for part in pair)
        return exact(self.place, f"price in {name}", price, zero=False), exact(
            self.place, f"size in {name}", size, zero=True
        )

    def _text(self, value: object, name: str) -> str:
        """Numbers of Binance are texts: one that is none has been through something that may have rounded it."""
        if not isinstance(value, str):
            raise TapeError(f"{self.place}: {_shown(value)} in {name}; needed: numbers as texts")
        return value


def frames(path: Path) -> Iterator[Frame]:
    """The lines of a file.

    Raises TapeError at a line of another form, and for a file that cannot be read whole.
    """
    try:
        with opened(path) as stream:
            for number, line in enumerate(stream, 1):
                yield _frame(f"{path}:{number}", line)
    except (EOFError, OSError, zlib.error) as error:
        raise TapeError(f"{path}: {error}; needed: a whole gzip file or plain text") from error


def _frame(place: str, line: bytes) -> Frame:
    time, space, payload = line.partition(b" ")
    if not space or not time.isdigit() or len(time) > _DIGITS_MAX:
        found = line[:_SHOWN].decode("utf-8", "replace").rstrip()
        raise TapeError(f"{place}: {found!r}; needed: nanoseconds since 1970, a space, JSON")
    payload = payload.rstrip()
    try:
        message = orjson.loads(payload)
    except orjson.JSONDecodeError as error:
        raise TapeError(f"{place}: {error} in {payload[:_SHOWN]!r}; needed: JSON") from error
    if not isinstance(message, dict):
        raise TapeError(f"{place}: {payload[:_SHOWN]!r}; needed: a JSON object")
    return Frame(place, int(time) // 1000, message, payload)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
