"""The second fifty thousand; the first are in a file of their own, so that two workers share them."""

import pytest

from oracle.cases import HALF, assert_half


@pytest.mark.timeout(900)
def test_fifty_thousand_decisions_are_the_oracles() -> None:
    assert_half(first=HALF)
