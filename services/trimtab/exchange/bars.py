"""Bars of a file: open, high, low, close and volume by time, from CSV or Parquet, each checked as it is read.

Columns are `date` or `timestamp` (when the bar opens), `open`, `high`, `low`, `close` (quote units) and `volume` (base
units); others are passed over. A file's name begins with its pair: BTC_USDT-5m.parquet, ETHBTC.csv. Numbers are taken
as printed: the double 42283.58 is that, not the binary fraction nearest to it.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from trimtab.exchange.instruments import MIN_UNIT, QUOTES, finest, split
from trimtab.exchange.tape_file import TapeError, check_columns, exact, iso, moment_us, number, opened, table

TIMES = ("date", "timestamp")
PRICES = ("open", "high", "low", "close")
VOLUME = "volume"
_MAGIC = b"PAR1"
_ROWS = 1024  # read at a time
_SPANS_MAX = 1000  # different ones that are counted


Refuse = Callable[[str, TapeError], None]
"""Hears of a row that cannot be played: "duplicate", "disorder" or "nonsense", and what is wrong. If it does not raise,
the row is passed over."""


def _raised(_kind: str, error: TapeError) -> None:
    raise error


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: when it opens, its prices in quote units, its volume in base units."""

    open_us: int
    open: Decimal
    high: Decimal
    low: Decimal
    close: Decimal
    volume: Decimal


@dataclass(frozen=True, slots=True)
class BarFile:
    """What a file holds: the pair, first and last opening, how long a bar is, the finest price and volume in it."""

    path: Path
    base: str
    quote: str
    first_us: int
    last_us: int
    length_us: int
    tick: Decimal
    step: Decimal

    @property
    def end_us(self) -> int:
        """When its last bar ends."""
        return self.last_us + self.length_us


def is_parquet(path: Path) -> bool:
    """Whether a file begins as Parquet files do."""
    with opened(path) as stream:
        return stream.read(len(_MAGIC)) == _MAGIC


def survey(path: Path, refuse: Refuse = _raised) -> BarFile:
    """Read a file whole, remembering nothing of it but sums.

    Raises TapeError for a file that cannot be played.
    """
    base, quote = _pair(path)
    spans = _Spans()
    tick = step = Decimal(1)
    for place, bar in bars(path, refuse):
        spans.add(place, bar.open_us)
        prices = (bar.open, bar.high, bar.low, bar.close)
        if any(price % tick for price in prices):
            tick = min(tick, finest(prices))
        if bar.volume % step:
            step = max(min(step, finest((bar.volume,))), MIN_UNIT)
    first_us, last_us, length_us = spans.result(path)
    return BarFile(path, base, quote, first_us, last_us, length_us, tick, step)


def bars(path: Path, refuse: Refuse = _raised) -> Iterator[tuple[str, Bar]]:
    """The bars, each with its place in the file; opening times rise.

    Raises TapeError for a file that is no table of bars, and whatever `refuse` raises of a row.
    """
    before: int | None = None
    for place, fields in _rows(path):
        try:
            bar = _bar(place, fields)
        except TapeError as error:
            refuse("nonsense", error)
            continue
        if before is not None and bar.open_us <= before:
            found = f"opens at {iso(bar.open_us)}, the bar before it at {iso(before)}; needed: times that rise"
            refuse("duplicate" if bar.open_us == before else "disorder", TapeError(f"{place}: {found}"))
            continue
        before = bar.open_us
        yield place, bar


class _Spans:
    """From bar to bar: how often it takes how long, and where it did so first. The usual span is a bar's length."""

    def __init__(self) -> None:
        self._first_us: int | None = None
        self._last_us = 0
        self._spans: dict[int, tuple[int, str]] = {}

    def add(self, place: str, open_us: int) -> None:
        """Count one more bar."""
        if self._first_us is None:
            self._first_us = open_us
        else:
            span = open_us - self._last_us
            count, first = self._spans.get(span, (0, place))
            self._spans[span] = count + 1, first
            if len(self._spans) >= _SPANS_MAX:
                raise TapeError(f"{place}: the {_SPANS_MAX}th different span between bars; needed: bars of one length")
        self._last_us = open_us

    def result(self, path: Path) -> tuple[int, int, int]:
        """First and last opening, and the length of a bar."""
        if self._first_us is None or not self._spans:
            raise TapeError(f"{path}: fewer than two bars; needed: two at least, which tell how long one is")
        length = max(self._spans, key=lambda span: (self._spans[span][0], -span))
        for span, (_, place) in self._spans.items():
            if span % length:
                raise TapeError(
                    f"{place}: opens {span / 1e6:g} s after the bar before it; "
                    f"needed: whole bars of {length / 1e6:g} s, the length of most"
                )
        return self._first_us, self._last_us, length


def _bar(place: str, fields: dict[str, str]) -> Bar:
    time = next(name for name in TIMES if name in fields)
    prices = [exact(place, name, fields[name], zero=False) for name in PRICES]
    volume = number(place, VOLUME, fields[VOLUME], zero=True)
    start, high, low, close = prices
    if not low <= min(start, close) <= max(start, close) <= high:
        raise TapeError(f"{place}: open {start}, high {high}, low {low}, close {close}; needed: all from low to high")
    return Bar(moment_us(place, time, fields[time]), start, high, low, close, volume)


def _rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Place and fields by column of every row."""
    if is_parquet(path):
        yield from _parquet(path)
        return
    needed = (*PRICES, VOLUME)
    for line, fields in table(path, needed):
        if not fields.keys() & set(TIMES):
            check_columns(path, fields, (" or ".join(TIMES),))
        yield f"{path}:{line}", fields


def _parquet(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    try:
        import duckdb  # noqa: PLC0415 - only this kind of file needs it
    except ImportError:
        raise TapeError(f"{path}: needs the package duckdb (pip install 'trimtab[parquet]')") from None
    try:
        with duckdb.connect(config={"threads": 1}) as connection:
            # It would draw a bar of its own on standard output, where it takes a process for an interactive one.
            connection.execute("SET enable_progress_bar = false")
            name_only = re.sub(r"([*?\[])", r"[\1]", str(path))  # a file's name is no pattern of names
            described = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [name_only]).fetchall()
            kinds = {str(name).lower(): (str(name), str(kind)) for name, kind, *_ in described}
            time = next((name for name in TIMES if name in kinds), " or ".join(TIMES))
            names = (time, *PRICES, VOLUME)
            check_columns(path, kinds, names)
            columns = ", ".join(_as_text(*kinds[name]) for name in names)
            # Names that stand in the file itself are all there is to insert, and each is one of a handful.
            rows = connection.execute(f"SELECT {columns} FROM read_parquet(?)", [name_only])  # noqa: S608 - see above
            row = 0
            while found := rows.fetchmany(_ROWS):
                for values in found:
                    row += 1
                    yield f"{path}: row {row}", dict(zip(names, values, strict=True))
    except duckdb.Error as error:
        first, *_ = str(error).splitlines()
        raise TapeError(f"{path}: {first}; needed: a whole Parquet file") from error


def _as_text(name: str, kind: str) -> str:
    """A column as text; a time as microseconds since 1970."""
    column = f'epoch_us("{name}")' if kind.startswith(("TIMESTAMP", "DATE")) else f'"{name}"'
    return f"CAST({column} AS VARCHAR)"


def _pair(path: Path) -> tuple[str, str]:
    """Base and quote asset that a file's name begins with."""
    first, second, *_ = [*re.split(r"[^A-Z0-9]+", path.name.split(".")[0].upper()), ""]
    if first and second in (*QUOTES, "USD"):
        return first, second
    try:
        return split(first)
    except ValueError:
        raise TapeError(
            f"{path}: a name that begins with no pair; needed: as BTC_USDT-5m or BTCUSDT, quoted in {', '.join(QUOTES)}"
        ) from None
