from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.amounts import CONTEXT
from trimtab.drift.roots import cube_root

ULP = Decimal("1e-18")


@given(st.decimals(min_value=0, max_value=10**9, places=18))
def test_it_is_the_largest_root_on_the_scale(value: Decimal) -> None:
    root = cube_root(value)
    assert CONTEXT.power(root, 3) <= value < CONTEXT.power(root + ULP, 3)


@given(st.integers(min_value=0, max_value=10**6))
def test_perfect_cubes_are_exact(number: int) -> None:
    assert cube_root(Decimal(number) ** 3) == number


def test_it_keeps_its_precision_for_small_numbers() -> None:
    assert cube_root(Decimal("1e-30")) == Decimal("1e-10")


def test_a_negative_number_has_none_here() -> None:
    with pytest.raises(ValueError, match="negative"):
        cube_root(Decimal(-1))
