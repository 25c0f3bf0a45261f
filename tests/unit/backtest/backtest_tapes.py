"""Tapes of bars for backtests: seeded walks of a few coins, with the volume that a book needs to be of any depth."""

import math
from pathlib import Path

import numpy as np

START_S, LENGTH_S = 1_704_067_200, 300  # 2024-01-01, a Monday
COINS = {"BTC": (42_000.0, 40.0, 2), "ETH": (2_300.0, 700.0, 2), "SOL": (100.0, 9_000.0, 2)}
"""Price at the start, units traded a bar, decimals of the price."""

PORTFOLIO = """
portfolio: core
quote: USDT
targets: {BTC: 0.4, ETH: 0.3, SOL: 0.2, USDT: 0.1}
policy: {kind: threshold, absolute: 0.02}
limits: {max_trade_share: 0.5}
"""


def write_bars(folder: Path, bars: int, seed: int = 1, deviation: float = 0.004) -> Path:
    """Write a file a coin; the first bars are the same whatever comes after them."""
    folder.mkdir(exist_ok=True)
    for index, (coin, (first, volume, digits)) in enumerate(COINS.items()):
        price = first
        lines, rng = ["date,open,high,low,close,volume"], np.random.default_rng([seed, index])
        for bar in range(bars):
            step, wick, size = rng.standard_normal(), abs(rng.standard_normal()), rng.uniform(0.5, 2)
            close = price * math.exp(deviation * step)
            high, low = max(price, close) * (1 + deviation * wick / 4), min(price, close) * (1 - deviation * wick / 4)
            numbers = [round(number, digits) for number in (price, high, low, close)]
            when = START_S + bar * LENGTH_S
            lines.append(",".join(map(str, (when, *numbers, round(volume * size, 3)))))
            price = numbers[3]
        (folder / f"{coin}_USDT-5m.csv").write_text("\n".join([*lines, ""]))
    return folder


def write_portfolio(folder: Path, text: str = PORTFOLIO, name: str = "core.yaml") -> Path:
    path = folder / name
    path.write_text(text)
    return path
