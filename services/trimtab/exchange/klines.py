"""Candles on their streams: the present one as it changes, every two seconds at most, and each again when it ends."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from trimtab.exchange.stream_messages import kline
from trimtab.exchange.tickers import INTERVALS_US, KEPT_US, Tape

KIND = "@kline_"
"""What stands between symbol and interval in such a stream's name."""
_UPDATE_US = 2_000_000


@dataclass(frozen=True, slots=True)
class _Told:
    """The candle that was told last, how many trades it had, and when."""

    open_us: int
    trades: int
    at_us: int


class Klines:
    """What is to be told of candles. `tapes` are the symbols' minutes."""

    def __init__(self, tapes: Mapping[str, Tape]) -> None:
        self._tapes = tapes
        self._told: dict[str, _Told] = {}

    def due(self, streams: Sequence[str], now_us: int) -> Iterator[tuple[str, bytes]]:
        """What these streams, which are all that anybody hears, have to tell now."""
        self._told = {stream: told for stream, told in self._told.items() if stream in streams}
        for stream in streams:
            name, _, interval = stream.partition(KIND)
            tape, interval_us = self._tapes.get(name.upper()), INTERVALS_US.get(interval)
            if tape is not None and interval_us is not None:
                for message in self._messages(stream, tape, interval_us, now_us):
                    yield stream, message

    def _messages(self, stream: str, tape: Tape, interval_us: int, now_us: int) -> Iterator[bytes]:
        name, _, interval = stream.partition(KIND)
        told, open_us = self._told.get(stream), now_us // interval_us * interval_us
        oldest_us = (now_us - KEPT_US) // interval_us * interval_us
        for start_us in range(max(told.open_us, oldest_us), open_us, interval_us) if told is not None else ():
            over = tape.candle(start_us, interval_us, now_us)
            if over is not None:
                yield kline(name.upper(), interval, over, start_us + interval_us, now_us)
        candle = tape.candle(open_us, interval_us, now_us)
        if candle is None:
            return
        same = told is not None and told.open_us == open_us
        if told is not None and same and (told.trades == candle.trades or now_us < told.at_us + _UPDATE_US):
            return
        self._told[stream] = _Told(open_us, candle.trades, now_us)
        yield kline(name.upper(), interval, candle, open_us + interval_us, now_us)
