"""Files of bars for tests: a column by column, a row by row CSV."""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from pathlib import Path

from trimtab.exchange.bar_market import BarMarket
from trimtab.exchange.bars import Bar, survey

HEADING = "date,open,high,low,close,volume"
START_S = 1_704_067_200  # 2024-01-01
LENGTH_S = 300


def bar(index: int, prices: str, volume: str) -> Bar:
    """The bar that opens so many lengths after the start; prices are open, high, low and close."""
    start, high, low, close = map(Decimal, prices.split())
    return Bar((START_S + index * LENGTH_S) * 1_000_000, start, high, low, close, Decimal(volume))


def line(one: Bar) -> str:
    numbers = (one.open, one.high, one.low, one.close, one.volume)
    return ",".join([str(one.open_us // 1_000_000), *(f"{number:f}" for number in numbers)])


def write(path: Path, bars: Iterable[Bar | str]) -> Path:
    lines = [one if isinstance(one, str) else line(one) for one in bars]
    path.write_text("\n".join([HEADING, *lines]) + "\n")
    return path


def market(folder: Path, bars: Sequence[Bar], seed: int = 0, name: str = "BTC_USDT-5m.csv") -> BarMarket:
    return BarMarket([survey(write(folder / name, bars))], seed)


CALM = (
    bar(0, "100.00 101.50 99.20 100.40", "250"),
    bar(1, "100.41 100.90 100.10 100.85", "180.5"),
    bar(2, "100.80 102.00 100.75 101.10", "310"),
)
