import re
from uuid import UUID

from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.ids import client_order_id, derive


def test_the_same_causes_give_the_same_id_in_every_process() -> None:
    assert derive("signal", "core", 7) == "135d72c2173fddf30ec63f180a1685a9"


@given(st.text(), st.text(), st.text(), st.text())
def test_different_causes_give_different_ids(a: str, b: str, c: str, d: str) -> None:
    assert ((a, b) == (c, d)) == (derive("k", a, b) == derive("k", c, d)) or "\x1f" in a + b + c + d


@given(st.text(min_size=1), st.integers(0, 10_000))
def test_client_ids_fit_the_strictest_venue(parent: str, attempt: int) -> None:
    name = client_order_id(parent, attempt)
    assert re.fullmatch(r"[a-z0-9-]{1,36}", name)
    assert UUID(name.removeprefix("tt-")).version == 4


@given(st.integers(0, 1000), st.integers(0, 1000))
def test_each_attempt_has_an_id_of_its_own(first: int, second: int) -> None:
    assert (first == second) == (client_order_id("p", first) == client_order_id("p", second))
