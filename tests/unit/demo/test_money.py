from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trimtab.demo.money import deposits, displaced, holdings
from trimtab.domain.portfolio import Portfolio

EQUITY = Decimal(250_000)
weights = st.lists(st.integers(1, 100), min_size=2, max_size=10).map(
    lambda parts: tuple((f"A{i}", Decimal(part) / sum(parts)) for i, part in enumerate(parts))
)


@given(weights)
def test_a_start_is_off_target_and_worth_the_same(targets: tuple[tuple[str, Decimal], ...]) -> None:
    start = displaced(targets)
    assert abs(sum(start.values()) - sum(weight for _, weight in targets)) < Decimal("1e-20")
    assert max(abs(start[asset] - weight) for asset, weight in targets) > 0
    assert min(start.values()) > 0


def test_an_account_receives_what_all_its_portfolios_start_with() -> None:
    targets = (("BTC", Decimal("0.5")), ("USDT", Decimal("0.5")))
    one, two = (Portfolio(name, "USDT", targets, accounts=("shared",)) for name in ("one", "two"))
    prices = {"BTC": Decimal(60_000)}
    start = holdings(one, prices, EQUITY)
    assert deposits([one, two], prices, EQUITY) == {"shared": {asset: 2 * amount for asset, amount in start.items()}}
    worth = start["BTC"] * prices["BTC"] + start["USDT"]
    assert abs(worth - EQUITY) < Decimal("0.01")
