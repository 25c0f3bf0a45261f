"""The estimator against numpy and against truth: gaps, silences, bad prints, new assets, takeovers."""

from collections.abc import Iterator, Mapping
from decimal import Decimal
from fractions import Fraction

import hypothesis
import numpy as np
import pytest
from drift_worlds import NOW_US, instrument, quote
from hypothesis import strategies as st

from trimtab.domain.market import Market, Quote
from trimtab.drift.costs import YEAR_SECONDS
from trimtab.drift.estimator import Estimator, currencies
from trimtab.messages import Risk
from trimtab.settings import DriftSettings

SECOND_US = 1_000_000
LONG = {"risk_half_life_seconds": 1e9, "risk_correlation_half_life_seconds": 1e9}
QUICK = {"risk_observations_min": 2, "risk_publish_seconds": 1.0}
# No forgetting to speak of and returns from one point to the next: the exponential average is then the plain one.
FLAT = DriftSettings.model_validate(LONG | QUICK | {"risk_span_points": 2})
USUAL = DriftSettings.model_validate(QUICK)


def book(
    mids: Mapping[str, float], offset: int, *, seconds: float, complete: bool = True, venue: str = "binance"
) -> Market:
    found: dict[str, Quote] = {}
    for name, mid in mids.items():
        shown = quote(instrument(name, venue=venue), Decimal(str(round(mid, 6))))
        found[shown.instrument.key] = shown
    rules = {key: shown.instrument for key, shown in found.items()}
    return Market(offset, NOW_US + int(seconds * SECOND_US), complete, rules, found)


def walk(
    count: int, *, seed: int = 1, step: float = 1.0, names: tuple[str, ...] = ("BTC", "ETH")
) -> tuple[np.ndarray, list[Market]]:
    """Correlated random walks, one market a grid step; the prices as floats and the markets."""
    rng = np.random.default_rng(seed)
    covariance = np.full((len(names), len(names)), 6e-9) + np.diag(np.linspace(4e-9, 14e-9, len(names)))
    shocks = rng.multivariate_normal(np.zeros(len(names)), covariance, size=count)
    prices = np.round(np.linspace(60_000.0, 3_000.0, len(names)) * np.exp(np.cumsum(shocks, axis=0)), 6)
    markets = [book(dict(zip(names, p, strict=True)), i, seconds=i * step) for i, p in enumerate(prices)]
    return prices, markets


def run(estimator: Estimator, markets: list[Market]) -> Iterator[Risk]:
    for market in markets:
        found = estimator.observe(market)
        if found is not None:
            yield found


def last(markets: list[Market], settings: DriftSettings = FLAT) -> Risk:
    return list(run(Estimator("USDT", settings), markets))[-1]


def matrix(risk: Risk) -> np.ndarray:
    size = len(risk.assets)
    full = np.zeros((size, size))
    entries = iter(risk.covariance)
    for i in range(size):
        for j in range(i, size):
            full[i, j] = full[j, i] = float(next(entries))
    return full


def variance(risk: Risk, asset: str = "BTC") -> float:
    return float(matrix(risk)[risk.assets.index(asset), risk.assets.index(asset)])


def correlation(risk: Risk, first: str, second: str) -> float:
    full, i, j = matrix(risk), risk.assets.index(first), risk.assets.index(second)
    return float(full[i, j] / np.sqrt(full[i, i] * full[j, j]))


def covariance(returns: np.ndarray) -> np.ndarray:
    return returns.T @ returns / len(returns) * float(YEAR_SECONDS)


def test_it_equals_numpy_on_a_regular_grid() -> None:
    prices, markets = walk(400)
    found = last(markets)
    # The first price waits for the second to confirm it; the last is not on the grid yet when the last frame comes.
    expected = covariance(np.diff(np.log(prices[1:-1]), axis=0))
    assert found.assets == ("BTC", "ETH")
    assert found.observations == len(prices) - 3
    np.testing.assert_allclose(np.diag(matrix(found)), np.diag(expected), rtol=1e-5)
    np.testing.assert_allclose([float(v) for v in found.long_run_variance], np.diag(expected), rtol=1e-5)
    assert correlation(found, "BTC", "ETH") == pytest.approx(
        expected[0, 1] / np.sqrt(expected[0, 0] * expected[1, 1]), abs=0.03
    )  # of standardised returns, so not quite the same


def test_a_longer_span_finds_the_same_in_the_long_run() -> None:
    prices, markets = walk(3_000, seed=4)
    settings = DriftSettings.model_validate(LONG | QUICK | {"risk_publish_seconds": 60.0})
    found = last(markets, settings)
    expected = covariance(np.diff(np.log(prices), axis=0))
    np.testing.assert_allclose(np.diag(matrix(found)), np.diag(expected), rtol=0.3)
    assert correlation(found, "BTC", "ETH") == pytest.approx(
        expected[0, 1] / np.sqrt(expected[0, 0] * expected[1, 1]), abs=0.15
    )


def test_recent_returns_weigh_more() -> None:
    settings = DriftSettings.model_validate(QUICK | {"risk_half_life_seconds": 20, "risk_span_points": 2})
    _, calm = walk(100)
    rng = np.random.default_rng(3)
    wild = np.cumsum(rng.normal(0, 1e-3, size=100))
    stormy = [book({"BTC": 60_000 * np.exp(w), "ETH": 3_000.0}, 100 + i, seconds=100 + i) for i, w in enumerate(wild)]
    found = list(run(Estimator("USDT", settings), [*calm, *stormy]))
    assert found[-1].covariance[0] > 5 * found[95].covariance[0]
    assert found[-1].covariance[0] > found[-1].long_run_variance[0]


def test_two_runs_are_equal_to_the_last_digit() -> None:
    _, markets = walk(80)
    assert list(run(Estimator("USDT", USUAL), markets)) == list(run(Estimator("USDT", USUAL), markets))


def test_estimates_come_every_so_many_seconds_of_event_time_and_cite_their_frame() -> None:
    settings = DriftSettings(risk_observations_min=2, risk_publish_seconds=5.0)
    found = list(run(Estimator("USDT", settings), walk(25)[1]))
    first = found[0].frame_offset
    assert first <= 7  # usable within seconds
    assert [risk.frame_offset for risk in found] == list(range(first, 25, 5))
    assert len({risk.event_id for risk in found}) == len(found)


def test_nothing_is_published_before_enough_observations() -> None:
    settings = DriftSettings(risk_observations_min=10, risk_publish_seconds=1.0)
    found = list(run(Estimator("USDT", settings), walk(20)[1]))
    assert found[0].observations == 10


def test_the_default_is_usable_within_a_quarter_of_a_minute() -> None:
    found = list(run(Estimator("USDT", DriftSettings()), walk(20)[1]))
    assert found[0].frame_offset <= 15


def test_nothing_is_published_when_there_is_nothing_new() -> None:
    _, markets = walk(30)
    estimator = Estimator("USDT", FLAT)
    assert list(run(estimator, markets))
    still = [book({"BTC": 60_000.0, "ETH": 3_000.0}, 100 + i, seconds=3_600 + i * 0.01) for i in range(90)]
    # The first frame after the gap tells of the time before it; the others pass no grid point.
    assert [risk.frame_offset for risk in run(estimator, still)] == [100]


def test_several_frames_between_two_grid_points_are_one_sample() -> None:
    prices, markets = walk(200, step=0.25)
    # The grid point is passed by every fourth frame; what stood before it counts.
    sampled = np.log(prices[3::4][1:-1])
    expected = covariance(np.diff(sampled, axis=0))
    np.testing.assert_allclose(np.diag(matrix(last(markets))), np.diag(expected), rtol=1e-5)


def test_a_short_silence_is_bridged() -> None:
    mids = [100.0, 100.01, 100.02, 100.05, 100.06]
    times = [0, 1, 2, 6, 7]
    found = last([book({"BTC": mid}, i, seconds=at) for i, (mid, at) in enumerate(zip(mids, times, strict=True))])
    # On the grid 100 (doubted), 100.01, 100.02 four times; 100.05 comes when 100.06 does.
    assert found.observations == 5
    moves = np.log(100.02 / 100.01) ** 2 + np.log(100.05 / 100.02) ** 2
    assert variance(found) == pytest.approx(moves / 5 * float(YEAR_SECONDS), rel=1e-4)


def noisy(count: int, *, begin: int = 0, level: float = 100.0, seed: int = 1) -> list[Market]:
    """One asset that moves a little every second."""
    moves = np.random.default_rng(seed).normal(0, 1e-4, size=count)
    mids = level * np.exp(np.cumsum(moves))
    return [book({"BTC": mid}, begin + i, seconds=begin + i) for i, mid in enumerate(mids)]


def test_a_longer_silence_is_one_return_over_its_length() -> None:
    calm, after = noisy(200), noisy(30, begin=500, level=101, seed=2)
    before, through = last(calm), last([*calm, *after])
    # One per cent in 300 s: five times the usual, so not clipped by much, and worth ten points after ten of nothing.
    assert variance(through) == pytest.approx(variance(before) * (200 + 20 * 25) / 240, rel=0.4)


def test_a_silence_beyond_the_half_life_is_left_out() -> None:
    settings = DriftSettings.model_validate(QUICK | {"risk_span_points": 2, "risk_half_life_seconds": 100})
    calm, after = noisy(200), noisy(30, begin=3_600, level=500, seed=2)
    before, through = last(calm, settings), last([*calm, *after], settings)
    assert variance(through) == pytest.approx(variance(before), rel=0.5)


def test_an_incomplete_market_is_not_sampled() -> None:
    good = noisy(20)
    wrong = [book({"BTC": 900.0}, 20 + i, seconds=20 + i, complete=False) for i in range(3)]
    again = noisy(20, begin=23, level=100, seed=2)
    assert variance(last([*good, *wrong, *again])) < 2 * variance(last(good))


def test_one_bad_print_changes_next_to_nothing() -> None:
    _, markets = walk(900)
    _, spoilt = walk(900)
    for at in (2, 450, 700):
        mids = {"BTC": float(spoilt[at].quotes["binance:BTC/USDT"].mid) * 1.3, "ETH": 3_000.0}
        spoilt[at] = book(mids | {"ETH": float(spoilt[at].quotes["binance:ETH/USDT"].mid)}, at, seconds=at)
    clean, found = last(markets, USUAL), last(spoilt, USUAL)
    np.testing.assert_allclose(matrix(found), matrix(clean), rtol=0.02)


def test_a_jump_counts_but_not_for_everything() -> None:
    calm = noisy(2_000)
    level = float(calm[-1].quotes["binance:BTC/USDT"].mid) * 1.1
    jumped = [*calm, *noisy(300, begin=2_000, level=level, seed=3)]
    settings = DriftSettings.model_validate(QUICK | {"risk_publish_seconds": 60.0})
    before, after = variance(last(calm, settings)), variance(last(jumped, settings))
    assert 1.2 * before < after < 3 * before


def silent(count: int, *, quiet: range, extra: int = 0) -> list[Market]:
    """Three assets of which the last one's book stands still in `quiet` grid points."""
    _, markets = walk(count + extra, names=("BTC", "ETH", "SOL"), seed=6)
    held = markets[quiet.start - 1].quotes["binance:SOL/USDT"]
    for at in quiet:
        quotes = {**markets[at].quotes, "binance:SOL/USDT": held}
        markets[at] = Market(
            at, markets[at].event_time_us, complete=True, instruments=markets[at].instruments, quotes=quotes
        )
    return markets


def test_an_asset_that_falls_silent_keeps_its_variance_and_its_correlations() -> None:
    settings = DriftSettings.model_validate(QUICK | {"risk_half_life_seconds": 300, "risk_span_points": 20})
    markets = silent(1_800, quiet=range(900, 1_800))
    before, after = last(markets[:899], settings), last(markets, settings)
    assert after.assets == ("BTC", "ETH", "SOL")
    assert variance(after, "SOL") > 0.85 * variance(before, "SOL")
    for other in ("BTC", "ETH"):
        assert correlation(after, other, "SOL") == pytest.approx(correlation(before, other, "SOL"), abs=0.05)


def test_an_asset_that_is_heard_of_again_is_as_variable_as_it_was() -> None:
    settings = DriftSettings.model_validate(
        QUICK | {"risk_half_life_seconds": 2_000, "risk_span_points": 20, "risk_publish_seconds": 60.0}
    )
    found = last(silent(2_000, quiet=range(1_500, 1_900)), settings)
    through = last(walk(2_000, names=("BTC", "ETH", "SOL"), seed=6)[1], settings)
    assert variance(found, "SOL") == pytest.approx(variance(through, "SOL"), rel=0.35)


@pytest.mark.parametrize("factor", [0.9, 1.1, 10.0])
def test_a_single_print_however_wrong_changes_next_to_nothing(factor: float) -> None:
    clean = noisy(600)
    spoilt = list(clean)
    for at in (1, 30, 599, 400):
        wrong = float(clean[at].quotes["binance:BTC/USDT"].mid) * factor
        spoilt[at] = book({"BTC": wrong}, at, seconds=at)
    assert variance(last(spoilt, USUAL)) == pytest.approx(variance(last(clean, USUAL)), rel=0.02)


def test_a_jump_has_entered_when_half_a_span_has_passed_and_a_book_has_confirmed_it() -> None:
    calm = noisy(1_200)
    level = float(calm[-1].quotes["binance:BTC/USDT"].mid) * 1.02
    jumped = [*calm, *noisy(31, begin=1_200, level=level, seed=3)]
    on = [*calm, *noisy(31, begin=1_200, level=level / 1.02, seed=3)]
    assert variance(last(jumped, USUAL)) > 1.1 * variance(last(on, USUAL))


def test_an_asset_that_never_moved_may_begin_to_after_an_outage() -> None:
    still = [book({"BTC": mid, "USDC": 1.0}, i, seconds=i) for i, mid in enumerate(100 + np.arange(30) % 3 / 100)]
    after = [book({"BTC": 100.2, "USDC": 1.001 + i % 2 * 1e-6}, 400 + i, seconds=400 + i) for i in range(5)]
    found = last([*still, *after])
    assert found.assets == ("BTC", "USDC")
    assert variance(found, "USDC") > 0
    assert semidefinite(exact(found))


def rows(moves: list[list[int]]) -> np.ndarray:
    """Log prices out of moves in hundredths of a basis point, or so: no sum is just what is doubted."""
    return np.cumsum(np.array(moves, dtype=float) * 1.0001e-6, axis=0)


points = st.tuples(st.lists(st.integers(-900, 900), min_size=3, max_size=3), st.sampled_from((0, 1, 1, 1, 3, 25)))


def scenes(scene: list[tuple[list[int], int]], names: tuple[str, ...], levels: tuple[float, ...]) -> list[Market]:
    """One market after so many seconds each; the first asset is also quoted wrongly, the last one seldom."""
    logs, times = rows([moves for moves, _ in scene]), np.cumsum([pause for _, pause in scene])
    markets = []
    for i, (log, at) in enumerate(zip(logs, times, strict=True)):
        wrong = 1.2 if i % 17 == 9 else 1.0
        shown = np.exp([log[0], log[1], logs[i - i % 4][2]]) * (wrong, 1.0, 1.0) * levels
        markets.append(book(dict(zip(names, shown, strict=True)), i, seconds=int(at)))
    return markets


@hypothesis.settings(max_examples=60)
@hypothesis.given(st.lists(points, min_size=20, max_size=60))
def test_whatever_the_market_does_the_matrix_is_positive_semidefinite(scene: list[tuple[list[int], int]]) -> None:
    for risk in run(Estimator("USDT", FLAT), scenes(scene, ("BTC", "ETH", "SOL"), (1e5, 1e5, 1e5))):
        assert semidefinite(exact(risk))


@hypothesis.settings(max_examples=30)
@hypothesis.given(st.lists(points, min_size=30, max_size=60))
def test_names_and_units_of_price_do_not_matter(scene: list[tuple[list[int], int]]) -> None:
    usual, renamed, scaled = (
        list(run(Estimator("USDT", FLAT), scenes(scene, names, levels)))
        for names, levels in (
            (("A", "B", "C"), (1e5, 1e5, 1e5)),
            (("C", "A", "B"), (1e5, 1e5, 1e5)),
            (("A", "B", "C"), (1e6, 1e5, 1e7)),
        )
    )
    assert len(usual) == len(renamed) == len(scaled)
    for plain, other, larger in zip(usual, renamed, scaled, strict=True):
        if plain.assets == ("A", "B", "C"):
            turned = matrix(other)[np.ix_([2, 0, 1], [2, 0, 1])]
            np.testing.assert_allclose(turned, matrix(plain), rtol=1e-12, atol=1e-17)
            np.testing.assert_allclose(matrix(larger), matrix(plain), rtol=1e-3, atol=1e-6)  # prices are rounded


def exact(risk: Risk) -> list[list[Fraction]]:
    size = len(risk.assets)
    entries = iter(risk.covariance)
    full = [[Fraction(0)] * size for _ in range(size)]
    for i in range(size):
        for j in range(i, size):
            full[i][j] = full[j][i] = Fraction(next(entries))
    return full


def semidefinite(rows: list[list[Fraction]]) -> bool:
    """L D L' in rational numbers: what is published counts to the last digit."""
    while rows:
        pivot = rows[0][0]
        if pivot < 0 or (pivot == 0 and any(rows[0])):
            return False
        factors = [row[0] / pivot if pivot else Fraction(0) for row in rows[1:]]
        rows = [
            [value - factor * top for value, top in zip(row[1:], rows[0][1:], strict=True)]
            for row, factor in zip(rows[1:], factors, strict=True)
        ]
    return True


def test_the_matrix_is_positive_semidefinite_while_assets_come_and_go() -> None:
    rng = np.random.default_rng(5)
    logs = np.cumsum(rng.normal(0, 1e-4, size=(160, 3)), axis=0)
    logs[:, 1] = logs[:, 0] + 1e-6 * logs[:, 1]  # all but the same asset
    markets = []
    for i, row in enumerate(logs):
        names = ("BTC", "ETH", "SOL") if 30 <= i < 130 else ("BTC", "ETH")
        prices = dict(zip(names, 1_000 * np.exp(row), strict=False))
        if 60 <= i < 90:
            prices["ETH"] = 1_000.0  # silent for a while
        markets.append(book(prices | {"USDC": 1.0}, i, seconds=i))
    found = list(run(Estimator("USDT", FLAT), markets))
    assert {"BTC", "ETH", "SOL", "USDC"} in [set(risk.assets) for risk in found]
    assert "SOL" not in found[-1].assets
    for risk in found:
        assert semidefinite(exact(risk))


def test_an_asset_that_never_moves_has_no_variance() -> None:
    markets = [book({"BTC": 100.0 + i % 3 / 100, "USDC": 1.0}, i, seconds=i) for i in range(40)]
    found = last(markets)
    assert found.assets == ("BTC", "USDC")
    assert found.covariance[1:] == (0, 0)


def test_a_new_asset_joins_when_it_has_enough_returns_of_its_own() -> None:
    _, markets = walk(700, names=("BTC", "ETH"))
    for at in range(500):
        prices = {"BTC": float(markets[at].quotes["binance:BTC/USDT"].mid)}
        markets[at] = book(prices, at, seconds=at)
    settings = DriftSettings.model_validate(LONG | {"risk_observations_min": 10, "risk_publish_seconds": 1.0})
    found = list(run(Estimator("USDT", settings), markets))
    joined = next(risk for risk in found if "ETH" in risk.assets)
    half = 22  # the root of 500
    assert 500 + 2 * half + 8 <= joined.frame_offset <= 500 + 2 * half + 15
    assert abs(variance(joined) / variance(found[found.index(joined) - 1]) - 1) < 0.05


def test_a_takeover_goes_on_from_the_last_estimate() -> None:
    settings = DriftSettings.model_validate(
        QUICK | {"risk_half_life_seconds": 300, "risk_correlation_half_life_seconds": 300, "risk_span_points": 10}
    )
    _, markets = walk(900, names=("BTC", "ETH", "SOL"))
    unbroken = list(run(Estimator("USDT", settings), markets))
    heir = Estimator("USDT", settings)
    handed = unbroken[600]
    heir.resume(handed)
    resumed = list(run(heir, markets[handed.frame_offset + 1 :]))
    # It misses the returns of the first span, nothing else.
    assert resumed[0].event_time_us > handed.event_time_us
    assert resumed[0].observations > handed.observations
    np.testing.assert_allclose(matrix(resumed[0]), matrix(handed), rtol=0.1)
    np.testing.assert_allclose(matrix(resumed[-1]), matrix(unbroken[-1]), rtol=0.12)
    assert resumed[-1].observations == pytest.approx(unbroken[-1].observations, abs=25)


def test_a_takeover_right_after_the_start_and_of_an_asset_that_stands_still() -> None:
    markets = [book({"BTC": 100.0 + i % 3 / 100, "USDC": 1.0}, i, seconds=i) for i in range(80)]
    first = next(run(Estimator("USDT", USUAL), markets))
    heir = Estimator("USDT", USUAL)
    heir.resume(first)
    found = list(run(heir, markets[first.frame_offset + 1 :]))
    assert found[-1].assets == ("BTC", "USDC")
    assert found[-1].covariance[1:] == (0, 0)


def test_a_recording_that_begins_anew_is_estimated_from_again() -> None:
    estimator = Estimator("USDT", FLAT)
    first = list(run(estimator, noisy(20, begin=9_000)))
    again = list(run(estimator, noisy(20, begin=0, level=500.0)))
    assert again[-1].observations > first[-1].observations
    assert variance(again[-1]) < 2 * variance(first[-1])


def test_the_record_says_how_it_was_estimated() -> None:
    method = last(walk(20)[1], USUAL).method
    for part in ("pre-averaged", "60 points of 1 s", "half-life 3600 s", "correlations 21600 s"):
        assert part in method


def test_the_first_venue_in_order_of_name_speaks_for_an_asset() -> None:
    markets = []
    for i, found in enumerate(noisy(30)):
        other = book({"BTC": 500.0 + i}, i, seconds=i, venue="zebra")
        rules, quotes = {**found.instruments, **other.instruments}, {**found.quotes, **other.quotes}
        markets.append(Market(i, found.event_time_us, complete=True, instruments=rules, quotes=quotes))
    assert last(markets).covariance == last(noisy(30)).covariance


def test_every_quote_currency_has_an_estimate_of_its_own() -> None:
    usdt, euro = (
        quote(instrument("BTC"), Decimal(100)),
        quote(instrument("BTC", symbol="BTC/EUR", quote="EUR"), Decimal(90)),
    )
    rules = {q.instrument.key: q.instrument for q in (usdt, euro)}
    assert currencies(Market(0, NOW_US, complete=True, instruments=rules)) == ("EUR", "USDT")


def test_the_recent_returns_are_those_of_the_last_three_intervals() -> None:
    prices, markets = walk(40)
    for found in run(Estimator("USDT", FLAT), markets[:-1]):
        # The last point of the grid has the book of the frame before, and the first price is not believed at once.
        at = found.frame_offset - 1
        expected = np.log(prices[at] / prices[at - 3]) if at > 3 else np.zeros(2)
        assert [float(value) for value in found.recent_returns] == pytest.approx(list(expected), abs=1e-12)


def test_after_a_takeover_and_a_silence_nothing_is_known_of_recent_returns() -> None:
    _, markets = walk(60)
    first = last(markets[:50], USUAL)
    assert any(first.recent_returns)
    resumed = Estimator("USDT", USUAL)
    resumed.resume(first)
    seen = list(run(resumed, markets[50:53]))
    assert all(not any(found.recent_returns) for found in seen)
