from drift_worlds import SETTINGS, D, market, portfolio, risk, state, weights_to_positions

from trimtab.drift.decision import decide
from trimtab.drift.explanation import explain


def rows(btc: str) -> dict[str, tuple[str, str]]:
    held = state(weights_to_positions({"BTC": D(btc), "ETH": D("0.2")}))
    found = explain(decide(market(), risk(), held, portfolio(), SETTINGS))
    assert all(row.meaning for row in found)
    assert len({row.term for row in found}) == len(found)
    return {row.term: (row.value, row.unit) for row in found}


def test_a_trade_is_explained_with_its_terms_and_orders() -> None:
    found = rows("0.7")
    assert found["decision"] == ("trade", "")
    assert found["reason"] == ("band_exceeded", "")
    assert found["BTC w"] == ("0.7", "of equity")
    assert found["BTC x"] == ("0.1", "of equity")
    assert {"sell BTC/USDT", "buy ETH/USDT"} <= set(found)
    assert set(found) >= {f"{a} {t}" for a in ("BTC", "ETH", "USDT") for t in ("w", "w*", "x", "y", "h", "e", "T")}


def test_a_hold_is_explained_with_the_same_terms() -> None:
    found = rows("0.6")
    held = state(weights_to_positions({"BTC": D("0.6"), "ETH": D("0.3")}))
    quiet = explain(decide(market(), risk(), held, portfolio(), SETTINGS))
    assert quiet[0].value == "hold"
    assert {row.term for row in quiet if " " in row.term} <= set(found)


def test_what_stands_in_the_way_is_named() -> None:
    held = state(weights_to_positions({"BTC": D("0.7"), "ETH": D("0.2")}))
    found = explain(decide(market({"BTC": D(60_000)}), risk(), held, portfolio(), SETTINGS))
    assert {row.term: row.value for row in found}["detail"] == "binance:ETH/USDT"
