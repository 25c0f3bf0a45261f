"""Which signals of two sides are of one occasion, and in what they differ."""

from decimal import Decimal

from trimtab.domain.orders import Side
from trimtab.whatif.differences import Sent, compared

BUY = ("BTC/USDT", Side.BUY)
SELL = ("BTC/USDT", Side.SELL)


def at(time_us: int, way: tuple[str, Side] = BUY, quantity: str = "1") -> Sent:
    return Sent(time_us, f"{time_us}", "threshold_reached", {way: Decimal(quantity)}, {way: Decimal(0)})


def kinds(ones: list[Sent], others: list[Sent]) -> list[tuple[str, int]]:
    return [(each.kind, each.time_us) for each in compared(ones, others, 60)]


def test_equal_trades_are_no_difference_and_others_are() -> None:
    assert kinds([at(0), at(100)], [at(40), at(100, quantity="2")]) == [("same", 0), ("otherwise", 100)]


def test_too_far_apart_or_the_other_way_round_is_another_occasion() -> None:
    assert kinds([at(0)], [at(60)]) == [("only_one", 0), ("only_other", 60)]
    assert kinds([at(10, SELL)], [at(0)]) == [("only_other", 0), ("only_one", 10)]
    assert kinds([at(0)], []) == [("only_one", 0)]
    assert kinds([], [at(0)]) == [("only_other", 0)]


def test_of_several_the_nearest_is_meant() -> None:
    assert kinds([at(0), at(50)], [at(49)]) == [("only_one", 0), ("same", 49)]
    assert kinds([at(49)], [at(0), at(50)]) == [("only_other", 0), ("same", 49)]
    assert kinds([at(0), at(50, SELL)], [at(49)]) == [("same", 0), ("only_one", 50)]
