import pytest
from drift_worlds import NOW_US, SETTINGS, D, market, portfolio, risk, state, unusual, weights_to_positions

from trimtab.domain.portfolio import (
    Calendar,
    CostAdjusted,
    Hybrid,
    Limits,
    NoTradeRegion,
    Policy,
    Threshold,
    VolatilityThreshold,
)
from trimtab.drift.decision import decide, policy_name
from trimtab.drift.explanation import Row, explain

POLICIES: tuple[Policy, ...] = (
    NoTradeRegion(max_deviation=D("0.2")),
    Calendar("0 0 * * *"),
    Threshold(absolute=D("0.05"), relative=D("0.2")),
    Hybrid("0 0 * * *", absolute=D("0.05")),
    VolatilityThreshold(absolute=D("0.05")),
    CostAdjusted(relative=D("0.1")),
)


def told(policy: Policy, btc: str = "0.7", eth: str = "0.2") -> tuple[Row, ...]:
    held, owned = state(weights_to_positions({"BTC": D(btc), "ETH": D(eth)})), portfolio(policy=policy)
    estimate = unusual(risk(), BTC=D("0.4"))
    found = explain(decide(market(), estimate, held, owned, SETTINGS), owned, estimate.message)
    assert all(row.meaning for row in found)
    assert len({row.term for row in found}) == len(found)
    return found


def rows(btc: str, policy: Policy = POLICIES[0]) -> dict[str, tuple[str, str]]:
    return {row.term: (row.value, row.unit) for row in told(policy, btc)}


@pytest.mark.parametrize("policy", POLICIES, ids=policy_name)
def test_every_policy_is_explained_with_all_that_its_file_says(policy: Policy) -> None:
    found = {row.term: row.value for row in told(policy)}
    assert found["policy"] == policy_name(policy)
    assert {name for name in policy.__slots__ if getattr(policy, name) is not None} <= set(found)


def test_a_calendar_says_its_times() -> None:
    found = rows("0.7", Calendar("0 0 * * *"))
    assert (found["decision"], found["reason"]) == (("hold", ""), ("not_due", ""))
    assert found["cron"] == ("0 0 * * *", "UTC")
    assert found["window_seconds"] == ("300", "seconds")
    assert found["last_due"] == ("2023-11-14T00:00:00+00:00", "UTC")
    assert found["next_due"] == ("2023-11-15T00:00:00+00:00", "UTC")
    assert NOW_US == 1_700_000_000_000_000  # 22:13:20 on the 14th


def test_what_volatility_makes_of_a_bound_is_told() -> None:
    found = rows("0.7", VolatilityThreshold(absolute=D("0.05")))
    assert found["BTC b"] == ("0.05", "of equity")
    assert found["BTC scale"] == ("1.25", "of b")
    assert found["BTC h"] == ("0.0625", "of equity")
    assert (found["BTC v"][0], found["BTC V"][0]) == ("0.5", "0.4")
    assert found["USDT b"] == ("0.05", "of equity")
    assert "USDT v" not in found


def test_a_trade_is_explained_with_its_terms_and_orders() -> None:
    found = rows("0.7")
    assert found["decision"] == ("trade", "")
    assert found["reason"] == ("band_exceeded", "")
    assert found["BTC w"] == ("0.7", "of equity")
    assert found["BTC x"] == ("0.1", "of equity")
    assert {"sell BTC/USDT", "buy ETH/USDT"} <= set(found)
    assert set(found) >= {f"{a} {t}" for a in ("BTC", "ETH", "USDT") for t in ("w", "w*", "x", "y", "h", "e", "T")}


def test_a_hold_is_explained_with_the_same_terms() -> None:
    found = rows("0.7")
    quiet = told(POLICIES[0], "0.6", "0.3")
    assert quiet[0].value == "hold"
    assert {row.term for row in quiet if " " in row.term} <= set(found)


def test_what_stands_in_the_way_is_named() -> None:
    held = state(weights_to_positions({"BTC": D("0.7"), "ETH": D("0.2")}))
    found = explain(decide(market({"BTC": D(60_000)}), risk(), held, portfolio(), SETTINGS), portfolio(), None)
    assert {row.term: row.value for row in found}["detail"] == "binance:ETH/USDT"


def test_what_the_trades_leave_undone_is_told_with_its_reason() -> None:
    owned = portfolio(limits=Limits(min_trade=D(1), max_trade_share=D("0.04")), policy=Threshold(absolute=D("0.05")))
    decision = decide(
        market(), risk(), state(weights_to_positions({"BTC": D("0.7"), "ETH": D("0.28")})), owned, SETTINGS
    )
    found = {row.term: row.value for row in explain(decision, owned, risk().message)}
    assert found["BTC deferred"] == "max_trade_share"
    assert "ETH deferred" not in found
