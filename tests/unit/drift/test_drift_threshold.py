import pytest
from drift_worlds import SETTINGS, WIDE_LIMITS, D, market, portfolio, state, weights_to_positions

from trimtab.domain.orders import Side
from trimtab.domain.portfolio import Threshold
from trimtab.drift.decision import Decision, Hold, decide
from trimtab.drift.reasons import Reason
from trimtab.messages import Signal

ABSOLUTE = Threshold(absolute=D("0.05"))
RELATIVE = Threshold(relative=D("0.25"))


def at_weights(policy: Threshold, **weights: str) -> Decision:
    held = state(weights_to_positions({asset: D(weight) for asset, weight in weights.items()}))
    return decide(market(), None, held, portfolio(policy=policy, limits=WIDE_LIMITS), SETTINGS)


@pytest.mark.parametrize(
    ("policy", "weights", "trades"),
    [
        (ABSOLUTE, {"BTC": "0.6499", "ETH": "0.3"}, False),
        (ABSOLUTE, {"BTC": "0.65", "ETH": "0.3"}, True),
        (ABSOLUTE, {"BTC": "0.55", "ETH": "0.3"}, True),
        (ABSOLUTE, {"BTC": "0.57", "ETH": "0.28"}, True),  # cash is 0.05 over
        (RELATIVE, {"BTC": "0.6", "ETH": "0.32"}, False),
        (RELATIVE, {"BTC": "0.6", "ETH": "0.325"}, True),  # cash is a quarter under
        (RELATIVE, {"BTC": "0.52", "ETH": "0.375"}, True),
        (Threshold(absolute=D("0.2"), relative=D("0.1")), {"BTC": "0.6", "ETH": "0.309"}, False),
        (Threshold(absolute=D("0.2"), relative=D("0.1")), {"BTC": "0.6", "ETH": "0.31"}, True),
        (RELATIVE, {"BTC": "0.6", "ETH": "0.3", "SOL": "0.02"}, False),  # a share of nothing is no bound
        (ABSOLUTE, {"BTC": "0.6", "ETH": "0.3", "SOL": "0.05"}, True),
    ],
)
def test_it_trades_at_or_past_its_bound(policy: Threshold, weights: dict[str, str], trades: bool) -> None:  # noqa: FBT001 - a parameter of the table above
    found = at_weights(policy, **weights)
    assert isinstance(found, Signal) is trades
    assert found.reason == (Reason.THRESHOLD_REACHED if trades else Reason.WITHIN_BAND)


def test_everything_goes_back_to_its_target() -> None:
    found = at_weights(ABSOLUTE, BTC="0.67", ETH="0.27")
    assert isinstance(found, Signal)
    after = {term.asset: term.weight for term in found.terms}
    for trade in found.trades:
        after[trade.base] += trade.side.sign * trade.quantity * trade.decision_price / found.equity
    assert abs(after["BTC"] - D("0.6")) < D("1e-5")
    assert abs(after["ETH"] - D("0.3")) < D("1e-5")
    assert [trade.side for trade in found.trades] == [Side.SELL, Side.BUY]


def test_its_terms_say_the_bound() -> None:
    found = at_weights(Threshold(absolute=D("0.2"), relative=D("0.1")), BTC="0.6", ETH="0.3")
    assert isinstance(found, Hold)
    assert {term.asset: term.half_band for term in found.terms[:-1]} == {"BTC": D("0.06"), "ETH": D("0.03")}


def test_urgency_grows_with_the_distance() -> None:
    near, far = at_weights(ABSOLUTE, BTC="0.65", ETH="0.3"), at_weights(ABSOLUTE, BTC="0.8", ETH="0.15")
    assert isinstance(near, Signal)
    assert isinstance(far, Signal)
    assert near.urgency == 0
    assert far.urgency == D("0.75")
