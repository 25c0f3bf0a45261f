from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.amounts import ceil_to, floor_to, plain, quantise

amounts = st.decimals("0", "1000000000", places=18)
grids = st.sampled_from([Decimal("0.01"), Decimal("0.00001"), Decimal("0.12"), Decimal(10), Decimal("1e-8")])


@given(amounts, grids)
def test_rounding_to_a_grid_keeps_its_side_and_stays_within_one_step(value: Decimal, grid: Decimal) -> None:
    down, up = floor_to(value, grid), ceil_to(value, grid)
    assert down <= value <= up
    assert value - down < grid
    assert up - value < grid
    assert down % grid == 0


@pytest.mark.parametrize("grid", [Decimal(0), Decimal("-0.01")])
def test_a_grid_must_be_positive(grid: Decimal) -> None:
    with pytest.raises(ValueError, match="must be positive"):
        floor_to(Decimal(1), grid)


@given(amounts)
def test_plain_text_means_the_same_number_without_an_exponent(value: Decimal) -> None:
    assert Decimal(plain(value)) == value
    assert "e" not in plain(value).lower()


def test_quantise_rounds_ties_to_even_at_eighteen_decimals() -> None:
    assert quantise(Decimal("0.0000000000000000005")) == 0
    assert quantise(Decimal("0.0000000000000000015")) == Decimal("0.000000000000000002")
