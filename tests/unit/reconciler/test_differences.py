from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from trimtab.reconciler.differences import confirmed, differences

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


def test_a_difference_that_goes_away_is_forgotten() -> None:
    once = differences({}, {"BTC": Decimal(1)}, TOLERANCE)
    seen, _ = confirmed({}, once, 1)
    seen, standing = confirmed(seen, (), 2)
    assert (seen, standing) == ({}, ())
