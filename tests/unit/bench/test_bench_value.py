"""The value benchmark: its books, its classic rules, and that its region is the product's own."""

from decimal import localcontext
from pathlib import Path

import numpy as np
import pytest

from trimtab.bench.value import chatter, history, simulated
from trimtab.bench.value.book import COST, RISK_AVERSION, Book
from trimtab.bench.value.candles import ASSETS, CANDLE_SECONDS, Candles, CandlesError
from trimtab.bench.value.classic import GRIDS, Absolute, Calendar, Relative, best, family
from trimtab.bench.value.measure import Inputs, measure
from trimtab.bench.value.region import POLICY, SETTINGS, Region, estimated, quoted, viewed
from trimtab.bench.value.score import Score, live
from trimtab.domain.amounts import CONTEXT
from trimtab.drift.costs import touch_cost
from trimtab.drift.region import RegionRule

RECORDED = Path(__file__).resolve().parents[4] / "shared" / "data" / "genetrader"
NAMES = ("A", "B", "C")
VOLATILITIES = np.array([0.5, 0.8, 1.1])
COVARIANCE = np.outer(VOLATILITIES, VOLATILITIES) * (0.6 + 0.4 * np.eye(3))
TARGETS = np.array([[0.4, 0.3, 0.2]])


# --- books ------------------------------------------------------------------------------------------------------------


def test_a_book_moves_with_the_market_and_counts_the_risk_of_its_drift() -> None:
    book = Book(np.array([[0.5, 0.25]]))
    book.move(np.array([0.1, 0.0]))
    assert book.weights[0] == pytest.approx([0.55 / 1.05, 0.25 / 1.05])
    assert book.cash[0] == pytest.approx(0.25 / 1.05)
    assert book.risk[0] == 0  # there was no drift yet
    drift = 0.55 / 1.05 - 0.5
    book.move(np.array([-0.2, 0.0]))
    assert book.risk[0] == pytest.approx(RISK_AVERSION / 2 * (drift * 0.2) ** 2)


def test_a_trade_costs_its_notional_and_counts_an_order_an_asset() -> None:
    book = Book(np.array([[0.5, 0.25], [0.5, 0.25]]))
    book.trade(np.array([[0.1, -0.02], [0.0, 0.0]]))
    assert book.cost.tolist() == pytest.approx([COST * 0.12, 0])
    assert book.orders.tolist() == [2, 0]
    assert (book.weights.sum(axis=1) + book.cash).tolist() == pytest.approx([1, 1])
    assert book.weights[0, 0] == pytest.approx(0.6 / (1 - COST * 0.12))


def test_a_score_is_of_a_year() -> None:
    market = [np.array([[0.1]])] * 2
    score = live(market, Calendar(np.array([1.0])), np.array([[0.5]]), 0.5)
    assert score.orders.tolist() == [4]
    assert score.part(slice(0, 1)).total == score.total > 0


# --- classic rules ----------------------------------------------------------------------------------------------------


def drifted(*drifts: float) -> Book:
    book = Book(np.repeat(TARGETS, len(drifts), axis=0))
    book.weights[:, 0] += drifts
    book.cash -= drifts
    return book


def test_a_calendar_brings_everybody_back_whose_turn_it_is() -> None:
    rule = Calendar(np.array([2.0, 3.0]))
    assert rule.changes(1, drifted(0.01, 0.01)) is None
    changes = rule.changes(3, drifted(0.01, 0.02))
    assert changes is not None
    assert changes[:, 0].tolist() == pytest.approx([0, -0.02])


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (Absolute(np.array([0.03, 0.03])), [0, -0.031]),
        (Relative(np.array([0.08, 0.08])), [-0.03, -0.031]),  # 0.032 of the asset, but 0.008 of cash
        (Relative(np.array([0.4, 0.29])), [0, -0.031]),
    ],
)
def test_a_threshold_brings_back_whoever_is_past_it_cash_included(
    rule: Absolute | Relative, expected: list[float]
) -> None:
    changes = rule.changes(1, drifted(0.0299999 if isinstance(rule, Absolute) else 0.03, 0.031))
    assert changes is not None
    assert changes[:, 0].tolist() == pytest.approx(expected)


def test_nobody_past_a_threshold_nobody_trades() -> None:
    assert Absolute(np.array([0.05])).changes(1, drifted(0.04)) is None


def test_the_best_of_a_grid_has_the_least_risk_and_cost() -> None:
    grid = GRIDS["absolute"]
    costs = np.repeat(np.abs(np.arange(len(grid)) - 4.0), 3)
    score = Score(np.zeros(costs.size), costs, np.zeros(costs.size))
    assert best("absolute", score) == grid[4]


def test_calendars_count_in_hours_whatever_a_step_is() -> None:
    rule = family("calendar", np.array([24.0]), 12.0)
    assert isinstance(rule, Calendar)
    assert rule.steps.tolist() == [288]


# --- the region -------------------------------------------------------------------------------------------------------


def test_the_region_is_the_products_rule_on_every_account() -> None:
    rng = np.random.default_rng(3)
    count = 300
    targets = np.repeat(TARGETS, count, axis=0)
    risk = estimated(NAMES, COVARIANCE)
    region = Region(targets, NAMES, risk)
    book = Book(targets)
    book.weights += rng.normal(0, 0.02, book.weights.shape)
    book.cash = 1 - book.weights.sum(axis=1)
    found = region.changes(1, book)
    assert found is not None
    traded = 0
    with localcontext(CONTEXT):
        rule = region._rule(region._portfolios[0])
        assert isinstance(rule, RegionRule)
        assert (rule.policy, rule.settings) == (POLICY, SETTINGS)
        for account in range(count):
            quotes = tuple(map(quoted, NAMES))
            view = viewed(region._portfolios[0], NAMES, quotes, book.weights[account], book.cash[account])
            corrections = {c.asset: float(c.change) for c in rule.assess(view).corrections}
            expected = [corrections.get(asset, 0.0) for asset in NAMES]
            assert found[account].tolist() == expected
            traded += bool(corrections)
    assert 20 < traded < count - 20


def test_a_trade_costs_what_the_books_count() -> None:
    assert float(touch_cost(quoted("A"))) == pytest.approx(COST, rel=1e-15)


def test_without_an_estimate_the_region_waits() -> None:
    book = Book(TARGETS)
    book.weights[0, 0] += 0.3
    assert Region(TARGETS, NAMES, None).changes(1, book) is None


# --- simulated years --------------------------------------------------------------------------------------------------


def test_a_market_is_its_seeds_and_every_copy_sees_the_same() -> None:
    setting = simulated.SETTINGS[0]
    first = next(setting.market(4, 11, copies=2))
    assert first.shape == (8, 3)
    assert np.array_equal(first[:4], first[4:])
    assert np.array_equal(first, next(setting.market(4, 11, copies=2)))
    assert not np.array_equal(first, next(setting.market(4, 12, copies=2)))


def test_a_market_moves_as_its_setting_says() -> None:
    setting = simulated.SETTINGS[1]
    logs = np.log1p(np.array([step for _, step in zip(range(2_000), setting.market(8, 1), strict=False)]))
    found = np.cov(logs.reshape(-1, logs.shape[2]).T) * 365 * 24
    assert found == pytest.approx(setting.covariance, rel=0.05)
    assert sum(setting.targets) < 1


@pytest.mark.parametrize("setting", simulated.SETTINGS, ids=lambda setting: setting.name)
def test_the_region_costs_less_than_weekly_rebalancing(setting: simulated.Setting) -> None:
    region = simulated.regional(setting, 3, 5)
    weekly = simulated.run(setting, family("weekly", np.full(3, 168.0), 1.0), 3, 5)
    assert region.total < 0.6 * weekly.total
    assert weekly.orders.tolist() == [52 * len(setting.targets)] * 3


def test_in_a_market_that_chatters_the_region_hardly_trades_at_no_more_risk() -> None:
    orders, risk = chatter.measure(2)
    assert orders.against is not None
    assert orders.against.value > 100
    assert (orders.met, risk.met) == (True, True)


# --- candles ----------------------------------------------------------------------------------------------------------


def walk(count: int) -> Candles:
    rng = np.random.default_rng(1)
    closes = 100 * np.exp(np.cumsum(rng.normal(0, 0.002, (count, len(ASSETS))), axis=0))
    return Candles(closes, tuple((i + 1) * CANDLE_SECONDS * 1_000_000 for i in range(count)))


def test_no_estimate_knows_what_comes_after_it() -> None:
    whole, cut = walk(700), 500
    changed = Candles(np.vstack([whole.closes[:cut], whole.closes[cut:] * 3]), whole.ends_us)
    one, other = list(whole.estimates()), list(changed.estimates())
    assert one[:cut] == other[:cut]
    assert one[-1] != other[-1]
    assert one[0] is None
    assert one[cut - 1] is not None


def test_an_estimate_finds_the_volatility_of_the_candles() -> None:
    risk = list(walk(1_500).estimates())[-1]
    assert risk is not None
    yearly = 0.002**2 * 365 * 86_400 / CANDLE_SECONDS
    assert float(risk.covariance[0]) == pytest.approx(yearly, rel=0.25)


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(CandlesError, match=r"AVAX_USDT-5m\.parquet, which is not there"):
        Candles.read(tmp_path)


def test_without_candles_their_rows_have_no_value_and_a_note_says_why(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(simulated, "measure", lambda paths, seed: [])
    monkeypatch.setattr(chatter, "measure", lambda seed: [])
    found = measure(Inputs(candles=tmp_path))
    assert [(row.value, row.met) for row in found.rows] == [(None, False)] * 2
    assert "which is not there" in found.notes[0]


def test_unreadable_candles_are_one_clear_error(tmp_path: Path) -> None:
    for asset in ASSETS:
        (tmp_path / f"{asset}_USDT-5m.parquet").write_text("no candles")
    with pytest.raises(CandlesError, match="real candles"):
        Candles.read(tmp_path)


def test_recorded_candles_are_read_as_they_are() -> None:
    missing = [asset for asset in ASSETS if not (RECORDED / f"{asset}_USDT-5m.parquet").exists()]
    if missing:
        pytest.skip(f"needs ../shared/data/genetrader/{missing[0]}_USDT-5m.parquet, which is not there")
    candles = Candles.read(RECORDED)
    assert candles.closes.shape == (26_208, len(ASSETS))
    assert candles.ends_us[0] == 1_704_067_500_000_000  # 2024-01-01 00:05 UTC
    assert candles.before(history._JUDGED_FROM_US) == 60 * 288
    assert np.isfinite(candles.returns).all()


def test_portfolios_are_their_seeds_and_keep_some_cash() -> None:
    found = history.portfolios(20, 4)
    assert np.array_equal(found, history.portfolios(20, 4))
    cash = 1 - found.sum(axis=1)
    assert (cash >= 0.05).all()
    assert (cash <= 0.3).all()
