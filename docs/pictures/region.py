"""Draw the no-trade region on a simulated year: python docs/pictures/region.py FILE.svg (extra peers)."""

import sys

import matplotlib as mpl
import numpy as np
from matplotlib import pyplot as plt

from trimtab.bench.value.book import COST, RISK_AVERSION, Book
from trimtab.bench.value.region import SETTINGS, Region, estimated

TARGET, VOLATILITY, HOURS, SEED = 0.5, 0.7, 365 * 24, 4
INK, MUTED, BAND, TRADE = "#1f2933", "#7b8794", "#cfe3f5", "#d1495b"


def year() -> tuple[list[float], list[tuple[int, float, float]]]:
    """Return the drift after every hour, and each trade: its hour, and the drift before and after it."""
    rng = np.random.default_rng(SEED)
    book = Book(np.array([[TARGET]]))
    rule = Region(book.targets, ["A"], estimated(["A"], np.array([[VOLATILITY**2]])))
    drifts, trades = [], []
    for hour in range(HOURS):
        noise = rng.standard_normal((1, 1)) * VOLATILITY / HOURS**0.5
        book.move(np.expm1(noise - VOLATILITY**2 / (2 * HOURS)))
        before = float(book.drifts[0, 0])
        changes = rule.changes(hour, book)
        if changes is not None:
            book.trade(changes)
            trades.append((hour, before, float(book.drifts[0, 0])))
        drifts.append(float(book.drifts[0, 0]))
    return drifts, trades


def draw(path: str) -> None:
    """Draw the year into a file."""
    drifts, trades = year()
    half = (3 * COST / (2 * RISK_AVERSION) * (TARGET * (1 - TARGET)) ** 2) ** (1 / 3)
    trigger, landing = (half * float(part) for part in (SETTINGS.trigger, SETTINGS.landing))
    days = np.arange(HOURS) / 24
    figure, axes = plt.subplots(figsize=(9, 4), layout="constrained")
    axes.axhspan(-landing * 100, landing * 100, color=BAND, linewidth=0)
    for sign in (-1, 1):
        axes.axhline(sign * trigger * 100, color=TRADE, linewidth=1, linestyle=(0, (4, 3)))
    axes.axhline(0, color=MUTED, linewidth=0.8)
    axes.plot(days, np.array(drifts) * 100, color=INK, linewidth=0.7)
    for hour, before, after in trades:
        axes.annotate(
            "", (hour / 24, after * 100), (hour / 24, before * 100), arrowprops={"arrowstyle": "-|>", "color": TRADE}
        )
    for height, name, colour in ((trigger, "trigger", TRADE), (landing, "landing edge", MUTED), (0, "target", MUTED)):
        axes.annotate(name, (365, height * 100), (4, 0), textcoords="offset points", va="center", color=colour)
    axes.set(xlim=(0, 365), xlabel="day", ylabel="drift, % of the portfolio")
    axes.set_title(f"{len(trades)} trades in a year", loc="left", color=INK)
    axes.spines[["top", "right"]].set_visible(False)
    figure.savefig(path, metadata={"Date": None})


if __name__ == "__main__":
    mpl.rcParams.update({"svg.hashsalt": "trimtab", "svg.fonttype": "none", "font.family": "sans-serif"})
    draw(sys.argv[1])
