"""Recorded Binance traffic of ../shared/data, and the shape of JSON: keys in order, types, syntax of numbers."""

import gzip
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import pytest

DATA = Path(__file__).resolve().parents[4] / "shared" / "data"
SYMBOLS_2021 = ("NKNUSDT", "BLZETH", "LRCBTC", "RUNEEUR")
_NUMBER = re.compile(r"-?\d+(\.(\d+))?")


@dataclass(frozen=True)
class Recording:
    """One symbol's traffic in the order in which it came: messages as bytes, the REST depth answer among them."""

    symbol: str
    messages: list[bytes]
    snapshot_at: int

    @property
    def snapshot(self) -> bytes:
        return self.messages[self.snapshot_at]

    def followed(self) -> list[bytes]:
        """What a client that has the snapshot needs to hear: of what came before, the updates that it does not hold."""
        last_id = orjson.loads(self.snapshot)["lastUpdateId"]
        before = [message for message in self.messages[: self.snapshot_at] if b"@depth" in message[:60]]
        held = [message for message in before if orjson.loads(message)["data"]["u"] > last_id]
        return held + self.messages[self.snapshot_at + 1 :]

    def tape(self, folder: Path) -> Path:
        """The recording in the form that the exchange plays: a millisecond a message."""
        path = folder / f"{self.symbol}.txt"
        begin_ms = next(stamp for message in self.messages if (stamp := orjson.loads(message).get("data", {}).get("E")))
        lines = (
            b"%d %b\n" % ((begin_ms + number) * 1_000_000, message) for number, message in enumerate(self.messages, 1)
        )
        path.write_bytes(b"".join(lines))
        return path


def needed(name: str) -> Path:
    """A file of the recordings."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"needs ../shared/data/{name}, which is not there")
    return path


def of_2024(symbol: str) -> Recording:
    """BTCUSDT's or ETHUSDT's six minutes of August 2024."""
    lines = gzip.decompress(needed(f"hftbacktest/{symbol.lower()}_20240808.gz").read_bytes()).splitlines()
    messages = [line.partition(b" ")[2] for line in lines]
    (at,) = (number for number, message in enumerate(messages) if message.startswith(b'{"lastUpdateId"'))
    return Recording(symbol, messages, at)


def of_2021(symbol: str) -> Recording:
    """Half a minute of October 2021 of a thin pair; its REST answer stands where it came."""
    came: list[tuple[float, bytes]] = []
    for line in needed("cryptofeed/BINANCE.ws.1.0").read_bytes().splitlines():
        time, colon, message = line.partition(b": ")
        if colon and message.startswith(b'{"stream":"%b@' % symbol.lower().encode()):
            came.append((float(time), message))
    for line in needed("cryptofeed/BINANCE.http.0.0").read_bytes().splitlines():
        asked, _, answer = line.partition(b" -> ")
        if b"symbol=%b&" % symbol.encode() in asked:
            time, _, body = answer.partition(b": ")
            snapshot = float(time), body
    came = sorted([*came, snapshot])
    return Recording(symbol, [message for _, message in came], came.index(snapshot))


def exchange_info_2021() -> dict[str, Any]:
    """What /api/v3/exchangeInfo answered."""
    line = needed("cryptofeed/BINANCE.0").read_bytes().splitlines()[0]
    answer: dict[str, Any] = orjson.loads(line.partition(b" -> ")[2].partition(b": ")[2])
    return answer


def shape(value: object) -> object:
    """What a JSON value is: keys in their order; of lists what their elements are; of texts how a number is written."""
    if isinstance(value, dict):
        return tuple((key, shape(inner)) for key, inner in value.items())
    if isinstance(value, list):
        return frozenset(shape(inner) for inner in value)
    if isinstance(value, str):
        number = _NUMBER.fullmatch(value)
        return f"text of {len(number[2] or '')} decimals" if number else "text"
    return type(value).__name__
