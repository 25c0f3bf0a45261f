"""Lots, first in first out, by hand."""

from dataclasses import replace
from decimal import Decimal

from trimtab.backtest.arrival import Arrival
from trimtab.backtest.costs import Costs
from trimtab.domain.orders import Liquidity, Side
from trimtab.messages import Fill
from trimtab.whatif.gains import realised

D = Decimal


def traded(
    time_us: int,
    side: Side,
    quantity: str,
    price: str,
    fee: str = "0",
    fee_asset: str = "USDT",
    pair: str = "BTC/USDT",
    rate: str = "1",
) -> tuple[Fill, Costs]:
    """A fill and what it cost; `rate` is what a unit of the pair's quote, and of the fee, is worth."""
    base, quote = pair.split("/")
    notional = D(quantity) * D(price)
    fill = Fill(
        f"{time_us}", "core", time_us, "binance", "main", f"{time_us}", pair, base, quote, side, D(price), D(quantity),
        notional, D(fee), fee_asset, Liquidity.TAKER, D(0), "s", "p", "c", "v", time_us, dry_run=False,
    )  # fmt: skip
    worth = D(fee) * (D(price) * D(rate) if fee_asset == base else D(1))
    return fill, Costs(traded=notional * D(rate), fees=worth)


BEGIN = Arrival(0, "BTC", D(2), D(100))


def test_the_oldest_is_sold_first_and_fees_count() -> None:
    fills = [
        traded(1, Side.BUY, "1", "110", fee="1"),
        traded(2, Side.SELL, "1", "120", fee="2"),  # of the two held at the begin: 20 less the fee
        traded(3, Side.SELL, "2", "130", fee="4"),  # the other one, 30, and the one bought for 111, 19; less the fee
    ]

    assert realised("USDT", [BEGIN], fills[:2]) == 18
    assert realised("USDT", [BEGIN], fills) == 18 + 30 + 19 - 4


def test_a_fee_in_what_is_bought_makes_it_fewer_and_dearer() -> None:
    fills = [traded(1, Side.BUY, "10", "100", fee="0.1", fee_asset="BTC"), traded(2, Side.SELL, "9.9", "110")]

    assert realised("USDT", [], fills) == D("9.9") * 110 - 1_000


def test_what_is_taken_out_realises_nothing_and_takes_its_lots_along() -> None:
    arrivals = [
        BEGIN,
        Arrival(1, "BTC", D(1), D(200)),
        Arrival(2, "BTC", D(-2), D(300)),
        Arrival(2, "USDT", D(5), D(1)),
    ]

    assert realised("USDT", arrivals, []) == 0
    assert realised("USDT", arrivals, [traded(3, Side.SELL, "1", "250")]) == 50


def test_one_asset_for_another_is_a_sale_at_what_was_traded() -> None:
    """Two BTC at 150 buy six ETH of 50, which are sold at 60."""
    fills = [
        traded(1, Side.BUY, "6", "0.333", pair="ETH/BTC", rate="150"),
        traded(2, Side.SELL, "6", "60", pair="ETH/USDT"),
    ]

    value = D("6") * D("0.333") * 150
    assert realised("USDT", [BEGIN], fills[:1]) == value - D("6") * D("0.333") * 100
    assert realised("USDT", [BEGIN], fills) == 360 - D("6") * D("0.333") * 100


def test_what_a_fee_is_paid_with_is_sold_for_it() -> None:
    """Of three BNB bought at 100, one pays a fee of 120 and two are sold at 130; BTC is sold along with its fee."""
    brought = [Arrival(0, "BNB", D(1), D(100)), Arrival(0, "BNB", D(2), D(110))]
    fill, cost = traded(1, Side.BUY, "1", "1000", fee="1", fee_asset="BNB")
    bought = fill, replace(cost, fees=D(120))
    sold = [traded(2, Side.SELL, "1", "1500"), traded(3, Side.SELL, "2", "130", pair="BNB/USDT")]

    assert realised("USDT", brought, [bought]) == 120 - 100
    assert realised("USDT", brought, [bought, *sold]) == 20 + (1500 - 1120) + 2 * (130 - 110)

    in_kind = traded(1, Side.SELL, "1", "200", fee="0.5", fee_asset="BTC")
    # Two of 100: one is sold at 200 less a fee of 100, for which half of the other went, with a gain of 50.
    assert realised("USDT", [BEGIN], [in_kind]) == (200 - 100 - 100) + 50
    # What is left of them is half a BTC: no more than that has cost anything.
    assert realised("USDT", [BEGIN], [in_kind, traded(2, Side.SELL, "1", "200")]) == 50 + 200 - 50


def test_all_that_was_made_is_realised_once_everything_is_sold() -> None:
    """Money in the end is what was worth something at the begin, and what was realised."""
    fills = [
        traded(1, Side.BUY, "3", "110", fee="0.03", fee_asset="BTC"),
        traded(2, Side.SELL, "1.5", "130", fee="2"),
        traded(3, Side.BUY, "4", "90", fee="3"),
        traded(4, Side.SELL, "2", "95", fee="0.02", fee_asset="BTC"),
        traded(5, Side.SELL, "5.45", "100"),
    ]
    bought, sold = ([each for each, _ in fills if each.side is side] for side in (Side.BUY, Side.SELL))
    money = sum((each.notional for each in sold), D(0)) - sum((each.notional for each in bought), D(0)) - 2 - 3

    assert round(realised("USDT", [BEGIN], fills), 18) == money - 2 * 100
