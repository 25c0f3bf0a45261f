"""Recorded candles: prices, and the product's own risk estimates along them."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path

import numpy as np

from trimtab.backtest.estimates import on_bars
from trimtab.bench.value.book import Floats
from trimtab.bench.value.region import QUOTE, quoted
from trimtab.domain.errors import TrimtabError
from trimtab.domain.market import Level, Market
from trimtab.drift.estimator import Estimator
from trimtab.messages import Risk
from trimtab.settings import DriftSettings

ASSETS = ("AVAX", "BTC", "ETH", "LINK", "SOL", "XRP")
CANDLE_SECONDS = 300
ESTIMATE = on_bars(DriftSettings(), CANDLE_SECONDS)


class CandlesError(TrimtabError):
    """The candles are not there, or cannot be read."""


@dataclass(frozen=True, slots=True)
class Candles:
    """Closes by candle and asset (ASSETS), and when each candle ended."""

    closes: Floats
    ends_us: tuple[int, ...]

    @classmethod
    def read(cls, folder: Path) -> "Candles":
        """Read the assets' candles.

        Raises:
            CandlesError: if a file, or the library that reads it, is not there.

        """
        files = [folder / f"{asset}_{QUOTE}-5m.parquet" for asset in ASSETS]
        missing = next((file for file in files if not file.is_file()), None)
        if missing is not None:
            raise CandlesError(f"real candles: needs {missing}, which is not there")
        tables = [_columns(file) for file in files]
        starts = tables[0][0]
        if any(not np.array_equal(starts, other) for other, _ in tables):
            raise CandlesError(f"real candles: the files in {folder} do not cover the same candles")
        ends = tuple(int(start) * 1_000 + CANDLE_SECONDS * 1_000_000 for start in starts)
        return cls(np.column_stack([closes for _, closes in tables]), ends)

    @property
    def returns(self) -> Floats:
        """Return the simple returns from candle to candle, one row less than closes."""
        return np.asarray(self.closes[1:] / self.closes[:-1] - 1)

    def before(self, time_us: int) -> int:
        """Return how many candles have ended by then."""
        return int(np.searchsorted(self.ends_us, time_us, side="right"))

    def estimates(self) -> Iterator[Risk | None]:
        """Yield after each candle the latest estimate that is due, from this and earlier candles alone."""
        estimator, latest = Estimator(QUOTE, ESTIMATE), None
        for offset, (row, end_us) in enumerate(zip(self.closes, self.ends_us, strict=True)):
            # The close stands until the next candle's end, where the estimator samples what stood before.
            latest = estimator.observe(_market(offset, end_us, row)) or latest
            yield latest


def _market(offset: int, time_us: int, closes: Sequence[float] | Floats) -> Market:
    quotes = {}
    for asset, close in zip(ASSETS, closes, strict=True):
        price = Decimal(repr(float(close)))  # the printed price
        thin = Decimal("1e-9")
        book = quoted(asset)
        quotes[book.instrument.key] = replace(
            book,
            event_time_us=time_us,
            bids=(Level(price * (1 - thin), price),),
            asks=(Level(price * (1 + thin), price),),
        )
    rules = {key: quote.instrument for key, quote in quotes.items()}
    return Market(offset, time_us, complete=True, instruments=rules, quotes=quotes)


def _columns(file: Path) -> tuple[Floats, Floats]:
    """Return the candles' openings in milliseconds, and their closes."""
    try:
        import duckdb  # noqa: PLC0415 - only this benchmark needs it
    except ImportError:
        raise CandlesError("real candles: needs the package duckdb (pip install 'trimtab[bench]')") from None
    query = "SELECT epoch_ms(date) AS start, close FROM read_parquet(?) ORDER BY start"
    try:
        found = duckdb.execute(query, [str(file)]).fetchnumpy()
    except duckdb.Error as error:
        raise CandlesError(f"real candles: {file} cannot be read: {error}") from None
    return found["start"], found["close"]
