"""The estimator on a recorded market: BTC and ETH of Binance, 346 s, as they were and spoilt in known ways."""

import gzip
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest
from drift_worlds import D, instrument, quote

from trimtab.domain.market import Market, Quote
from trimtab.drift.estimator import Estimator
from trimtab.messages import Risk
from trimtab.settings import DriftSettings

RECORDINGS = Path(__file__).resolve().parents[4] / "shared" / "data" / "hftbacktest"
FILES = {"BTC": "btcusdt_20240808.gz", "ETH": "ethusdt_20240808.gz"}
SECONDS = 345
Mids = dict[str, list[Decimal]]


@pytest.fixture(scope="module")
def mids() -> Mids:
    """The mid of each second: the last quote before it."""
    for name in FILES.values():
        if not (RECORDINGS / name).is_file():
            pytest.skip(f"needs ../shared/data/hftbacktest/{name}, which is not there")
    return {asset: list(seconds(RECORDINGS / name)) for asset, name in FILES.items()}


def seconds(path: Path) -> Iterator[Decimal]:
    at, mid, ends = 0, None, 0
    with gzip.open(path, "rt") as lines:
        for line in lines:
            stamp, _, text = line.partition(" ")
            at, ends = int(stamp), ends or int(stamp) + 1_500_000_000
            while at >= ends and mid is not None:
                yield mid
                ends += 1_000_000_000
            if "@bookTicker" in text[:60]:
                data = json.loads(text)["data"]
                mid = (Decimal(data["b"]) + Decimal(data["a"])) / 2


def shown(asset: str, mid: Decimal, number: int) -> Quote:
    return quote(instrument(asset), mid, spread=D("0.02"), depth=D(number + 1))


def markets(mids: Mids, *, every: int = 1, wrong: tuple[int, ...] = ()) -> Iterator[Market]:
    """ETH quoted only every so many seconds; in the `wrong` ones BTC's price is 30 % off."""
    quotes: dict[str, Quote] = {}
    for second in range(SECONDS):
        btc = mids["BTC"][second] * (D("1.3") if second in wrong else 1)
        found = [shown("BTC", btc, second)]
        if second % every == 0:
            found.append(shown("ETH", mids["ETH"][second], second))
        quotes |= {item.instrument.key: item for item in found}
        rules = {key: item.instrument for key, item in quotes.items()}
        now_us = 1_723_161_255_000_000 + second * 1_000_000
        yield Market(second, now_us, complete=True, instruments=rules, quotes=dict(quotes))


def estimate(found: Iterator[Market]) -> tuple[np.ndarray, float]:
    """Volatilities and correlation as of the end."""
    estimator, last = Estimator("USDT", DriftSettings()), None
    for market in found:
        last = estimator.observe(market) or last
    assert isinstance(last, Risk)
    btc, both, eth = (float(value) for value in last.covariance)
    return np.sqrt([btc, eth]), both / np.sqrt(btc * eth)


def previous_tick(found: Iterator[Market]) -> tuple[np.ndarray, float]:
    logs = np.array([[float(quote.mid.ln()) for quote in market.quotes.values()] for market in found])
    returns = np.diff(logs, axis=0)
    full = returns.T @ returns / len(returns) * 365 * 86_400
    return np.sqrt(np.diag(full)), float(full[0, 1] / np.sqrt(full[0, 0] * full[1, 1]))


def test_it_agrees_with_plain_returns_where_both_are_quoted_all_the_time(mids: Mids) -> None:
    (ours, correlation), (plain, lower) = estimate(markets(mids)), previous_tick(markets(mids))
    np.testing.assert_allclose(ours, plain, rtol=0.15)
    assert lower < correlation < lower + 0.15


def test_bad_prints_leave_no_trace(mids: Mids) -> None:
    (ours, correlation), (clean, usual) = estimate(markets(mids, wrong=(100, 200))), estimate(markets(mids))
    np.testing.assert_allclose(ours, clean, rtol=0.01)
    assert correlation == pytest.approx(usual, abs=0.01)
    assert previous_tick(markets(mids, wrong=(100, 200)))[0][0] > 100  # ten thousand per cent a year


def test_most_of_the_correlation_is_found_when_one_asset_is_quoted_rarely(mids: Mids) -> None:
    (volatilities, usual), (_, lower) = estimate(markets(mids)), previous_tick(markets(mids))
    (rare, found), (_, lost) = estimate(markets(mids, every=5)), previous_tick(markets(mids, every=5))
    assert lost < 0.25 * lower
    assert found > 0.75 * usual
    np.testing.assert_allclose(rare, volatilities, rtol=0.05)
