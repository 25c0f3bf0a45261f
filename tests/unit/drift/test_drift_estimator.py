"""The estimator against numpy, through gaps, new assets and takeovers."""

from collections.abc import Iterator
from decimal import Decimal

import numpy as np
import pytest
from drift_worlds import NOW_US, instrument, quote

from trimtab.domain.market import Market, Quote
from trimtab.drift.costs import YEAR_SECONDS
from trimtab.drift.estimator import Estimator, currencies
from trimtab.messages import Risk
from trimtab.settings import DriftSettings

SECOND_US = 1_000_000
# No forgetting to speak of: the exponential average is then the plain one.
FLAT = DriftSettings(risk_half_life_seconds=1e9, risk_observations_min=2, risk_publish_seconds=1.0)


def book(mids: dict[str, float], offset: int, *, seconds: float, complete: bool = True) -> Market:
    found: dict[str, Quote] = {}
    for name, mid in mids.items():
        shown = quote(instrument(name), Decimal(str(round(mid, 4))))
        found[shown.instrument.key] = shown
    rules = {key: shown.instrument for key, shown in found.items()}
    return Market(offset, NOW_US + int(seconds * SECOND_US), complete, rules, found)


def walk(count: int, *, seed: int = 1, step: float = 1.0) -> tuple[np.ndarray, list[Market]]:
    """Two correlated random walks, one market a grid step; the prices as floats and the markets."""
    rng = np.random.default_rng(seed)
    shocks = rng.multivariate_normal([0, 0], [[1e-6, 6e-7], [6e-7, 2e-6]], size=count)
    prices = np.round(np.array([60_000.0, 3_000.0]) * np.exp(np.cumsum(shocks, axis=0)), 4)
    markets = [book({"BTC": p[0], "ETH": p[1]}, i, seconds=i * step) for i, p in enumerate(prices)]
    return prices, markets


def run(estimator: Estimator, markets: list[Market]) -> Iterator[Risk]:
    for market in markets:
        found = estimator.observe(market)
        if found is not None:
            yield found


def matrix(risk: Risk) -> np.ndarray:
    size = len(risk.assets)
    full = np.zeros((size, size))
    entries = iter(risk.covariance)
    for i in range(size):
        for j in range(i, size):
            full[i, j] = full[j, i] = float(next(entries))
    return full


def test_it_equals_numpy_on_a_regular_grid() -> None:
    prices, markets = walk(400)
    last = list(run(Estimator("USDT", FLAT), markets))[-1]
    # The last price is not on the grid yet when the last frame comes: previous tick.
    returns = np.diff(np.log(prices[:-1]), axis=0)
    expected = returns.T @ returns / len(returns) * float(YEAR_SECONDS)
    assert last.assets == ("BTC", "ETH")
    assert last.observations == len(returns)
    np.testing.assert_allclose(matrix(last), expected, rtol=1e-5)
    np.testing.assert_allclose([float(v) for v in last.long_run_variance], np.diag(expected), rtol=1e-5)


def test_recent_returns_weigh_more() -> None:
    settings = DriftSettings(risk_half_life_seconds=20, risk_observations_min=2, risk_publish_seconds=1.0)
    _, calm = walk(100)
    rng = np.random.default_rng(3)
    wild = np.cumsum(rng.normal(0, 5e-3, size=100))
    stormy = [book({"BTC": 60_000 * np.exp(w), "ETH": 3_000.0}, 100 + i, seconds=100 + i) for i, w in enumerate(wild)]
    found = list(run(Estimator("USDT", settings), [*calm, *stormy]))
    assert found[-1].covariance[0] > 5 * found[95].covariance[0]
    assert found[-1].covariance[0] > found[-1].long_run_variance[0]


def test_two_runs_are_equal_to_the_last_digit() -> None:
    _, markets = walk(60)
    assert list(run(Estimator("USDT", FLAT), markets)) == list(run(Estimator("USDT", FLAT), markets))


def test_estimates_come_every_so_many_seconds_of_event_time_and_cite_their_frame() -> None:
    settings = DriftSettings(risk_observations_min=2, risk_publish_seconds=5.0)
    found = list(run(Estimator("USDT", settings), walk(21)[1]))
    assert [risk.frame_offset for risk in found] == [3, 8, 13, 18]
    assert len({risk.event_id for risk in found}) == len(found)


def test_nothing_is_published_before_enough_observations() -> None:
    settings = DriftSettings(risk_observations_min=10, risk_publish_seconds=1.0)
    found = list(run(Estimator("USDT", settings), walk(15)[1]))
    assert found[0].observations == 10


def test_several_frames_between_two_grid_points_are_one_sample() -> None:
    prices, markets = walk(200, step=0.25)
    last = list(run(Estimator("USDT", FLAT), markets))[-1]
    # The grid point is passed by every fourth frame; what stood before it counts.
    sampled = np.log(prices[3::4][:-1])
    returns = np.diff(sampled, axis=0)
    np.testing.assert_allclose(matrix(last), returns.T @ returns / len(returns) * float(YEAR_SECONDS), rtol=1e-5)


def test_a_short_silence_is_one_longer_return() -> None:
    still, moved = {"BTC": 100.0}, {"BTC": 104.0}
    markets = [book(still, 0, seconds=0), book(still, 1, seconds=1), book(moved, 2, seconds=1.5)]
    markets += [book(moved, 3, seconds=5), book(moved, 4, seconds=6), book(moved, 5, seconds=7)]
    last = list(run(Estimator("USDT", FLAT), markets))[-1]
    # Three observations: log(1.04) over four steps, then two of nothing.
    expected = np.log(1.04) ** 2 * float(YEAR_SECONDS) / 6
    assert last.observations == 3
    assert float(last.covariance[0]) == pytest.approx(expected, rel=1e-3)


def test_a_long_silence_is_left_out() -> None:
    before = [book({"BTC": 100.0 + i % 2}, i, seconds=i) for i in range(20)]
    after = [book({"BTC": 500.0 + i % 2}, 20 + i, seconds=3_600 + i) for i in range(20)]
    quiet = list(run(Estimator("USDT", FLAT), before))[-1]
    through = list(run(Estimator("USDT", FLAT), [*before, *after]))[-1]
    assert through.covariance[0] < quiet.covariance[0]


def test_an_incomplete_market_is_not_sampled() -> None:
    good = [book({"BTC": 100.0 + i % 2}, i, seconds=i) for i in range(10)]
    wrong = [book({"BTC": 900.0}, 10 + i, seconds=10 + i, complete=False) for i in range(3)]
    again = [book({"BTC": 100.0 + i % 2}, 13 + i, seconds=13 + i) for i in range(10)]
    through = list(run(Estimator("USDT", FLAT), [*good, *wrong, *again]))[-1]
    assert through.covariance[0] < list(run(Estimator("USDT", FLAT), good))[-1].covariance[0] * 2


def test_the_matrix_is_positive_semidefinite_while_assets_come_and_go() -> None:
    rng = np.random.default_rng(5)
    logs = np.cumsum(rng.normal(0, 1e-3, size=(120, 3)), axis=0)
    logs[:, 1] = logs[:, 0] + 1e-6 * logs[:, 1]  # all but the same asset
    markets = []
    for i, row in enumerate(logs):
        names = ("BTC", "ETH", "SOL") if 30 <= i < 90 else ("BTC", "ETH")
        prices = dict(zip(names, 1_000 * np.exp(row), strict=False))
        markets.append(book(prices, i, seconds=i))
    found = list(run(Estimator("USDT", FLAT), markets))
    assert {risk.assets for risk in found} == {("BTC", "ETH"), ("BTC", "ETH", "SOL")}
    for risk in found:
        assert np.linalg.eigvalsh(matrix(risk)).min() > -1e-12


def test_an_asset_that_never_moves_has_no_variance() -> None:
    markets = [book({"BTC": 100.0 + i % 3, "USDC": 1.0}, i, seconds=i) for i in range(20)]
    last = list(run(Estimator("USDT", FLAT), markets))[-1]
    assert last.assets == ("BTC", "USDC")
    assert last.covariance[1:] == (0, 0)


def test_a_takeover_goes_on_from_the_last_estimate() -> None:
    settings = DriftSettings(risk_half_life_seconds=60, risk_observations_min=5, risk_publish_seconds=1.0)
    _, markets = walk(300)
    unbroken = list(run(Estimator("USDT", settings), markets))
    heir = Estimator("USDT", settings)
    heir.resume(unbroken[200])
    start = unbroken[200].frame_offset + 1
    resumed = list(run(heir, markets[start:]))
    # It misses the returns around the takeover (one each side of its first frame), nothing else.
    np.testing.assert_allclose(matrix(resumed[-1]), matrix(unbroken[-1]), rtol=0.06)
    assert resumed[0].event_time_us > unbroken[200].event_time_us


def test_a_recording_that_begins_anew_is_estimated_from_again() -> None:
    estimator = Estimator("USDT", FLAT)
    first = list(run(estimator, [book({"BTC": 100.0 + i % 2}, i, seconds=9_000 + i) for i in range(20)]))
    again = list(run(estimator, [book({"BTC": 500.0 + i % 2}, 20 + i, seconds=i) for i in range(20)]))
    assert again[-1].observations > first[-1].observations
    assert again[-1].covariance[0] < first[-1].covariance[0]


def test_every_quote_currency_has_an_estimate_of_its_own() -> None:
    usdt, euro = (
        quote(instrument("BTC"), Decimal(100)),
        quote(instrument("BTC", symbol="BTC/EUR", quote="EUR"), Decimal(90)),
    )
    rules = {q.instrument.key: q.instrument for q in (usdt, euro)}
    assert currencies(Market(0, NOW_US, complete=True, instruments=rules)) == ("EUR", "USDT")
