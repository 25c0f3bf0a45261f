from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.orders import Side
from trimtab.ports.ledger import FillRow
from trimtab.reconciler.differences import confirmed, differences, lacking, ripe, with_fills

sums = st.dictionaries(st.sampled_from(["BTC", "ETH", "USDT", "BNB"]), st.decimals("0", "100", places=8))
TOLERANCE = Decimal("0.00000001")


@given(sums, sums)
def test_every_asset_that_differs_is_found_and_no_other(ledger: dict[str, Decimal], venue: dict[str, Decimal]) -> None:
    found = {item.asset: item.size for item in differences(ledger, venue, TOLERANCE)}
    for asset in ledger.keys() | venue.keys():
        size = venue.get(asset, Decimal(0)) - ledger.get(asset, Decimal(0))
        assert (asset in found) == (abs(size) > TOLERANCE)
        assert found.get(asset, size) == size


def test_a_difference_must_stand_unchanged_over_two_comparisons() -> None:
    first = differences({"BTC": Decimal(1)}, {"BTC": Decimal(2)}, TOLERANCE)
    seen, standing = confirmed({}, first, 10)
    assert standing == ()
    moved = differences({"BTC": Decimal(1)}, {"BTC": Decimal(3)}, TOLERANCE)
    seen, standing = confirmed(seen, moved, 20)
    assert standing == ()
    seen, standing = confirmed(seen, moved, 30)
    assert [(sighting.difference.size, sighting.since_us) for sighting in standing] == [(Decimal(2), 20)]


def test_a_difference_is_the_same_while_both_sides_move_together() -> None:
    seen, _ = confirmed({}, differences({"BTC": Decimal(1)}, {"BTC": Decimal(3)}, TOLERANCE), 10)
    moved = differences({"BTC": Decimal(5)}, {"BTC": Decimal(7)}, TOLERANCE)
    _, (standing,) = confirmed(seen, moved, 20)
    assert (standing.difference, standing.since_us) == (moved[0], 10)


def test_a_difference_is_ripe_once_it_has_stood_for_so_long() -> None:
    found = differences({"BTC": Decimal(1)}, {"ETH": Decimal(1)}, TOLERANCE)
    seen, _ = confirmed({}, found[:1], 1_000_000)
    seen, _ = confirmed(seen, found, 2_000_000)
    _, standing = confirmed(seen, found, 3_000_000)
    assert [s.difference.asset for s in ripe(standing, 3_000_000, 2.0)] == ["BTC"]
    assert ripe(standing, 2_999_999, 2.0) == ()
    assert ripe(standing, 3_000_000, 0) == standing
    assert lacking(standing) == {"BTC"}


def test_a_difference_that_goes_away_is_forgotten() -> None:
    once = differences({}, {"BTC": Decimal(1)}, TOLERANCE)
    seen, _ = confirmed({}, once, 1)
    seen, standing = confirmed(seen, (), 2)
    assert (seen, standing) == ({}, ())


def fill(side: Side, price: str, quantity: str, fee: str, fee_asset: str) -> FillRow:
    return FillRow(
        venue="binance",
        account="main",
        trade_id="t",
        portfolio_id="core",
        parent_id="p",
        client_order_id="c",
        side=side,
        base="BTC",
        quote="USDT",
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        fee_asset=fee_asset,
        event_time_us=0,
        settled=False,
    )  # fmt: skip - a row of the ledger


def test_a_fill_that_is_not_booked_yet_counts_as_the_venue_counts_it() -> None:
    booked = {"BTC": Decimal(1), "USDT": Decimal(1_000)}
    bought = fill(Side.BUY, "100", "2", "0.01", "BNB")
    assert with_fills(booked, [bought]) == {"BTC": Decimal(3), "USDT": Decimal(800), "BNB": Decimal("-0.01")}
    sold = fill(Side.SELL, "100", "1", "0.1", "USDT")
    assert with_fills(booked, [sold]) == {"USDT": Decimal("1099.9")}
    assert with_fills(booked, []) == booked


@given(sums, st.decimals("0.01", "1000", places=2), st.decimals("0.001", "10", places=3), st.sampled_from(Side))
def test_a_fill_and_its_reverse_leave_the_sums(
    booked: dict[str, Decimal], price: Decimal, quantity: Decimal, side: Side
) -> None:
    other = Side.SELL if side is Side.BUY else Side.BUY
    both = [fill(each, str(price), str(quantity), "0", "USDT") for each in (side, other)]
    assert with_fills(booked, both) == {asset: amount for asset, amount in booked.items() if amount}
