import pytest
from hypothesis import given
from hypothesis import strategies as st

from trimtab.domain.errors import IllegalTransitionError
from trimtab.domain.orders import TRANSITIONS, OrderState, step

FINAL = {OrderState.FILLED, OrderState.CANCELED, OrderState.REJECTED, OrderState.EXPIRED}


def test_exactly_the_final_states_lead_nowhere() -> None:
    assert {state for state in OrderState if state.terminal} == FINAL


@given(st.lists(st.sampled_from(OrderState), max_size=12))
def test_no_sequence_of_reports_leaves_a_final_state_or_moves_backwards(reports: list[OrderState]) -> None:
    state, visited = OrderState.INITIALIZED, [OrderState.INITIALIZED]
    for report in reports:
        try:
            state = step(state, report)
        except IllegalTransitionError:
            continue
        if state is not visited[-1]:
            assert visited[-1] not in FINAL
            assert state not in visited
            visited.append(state)


@given(st.sampled_from(OrderState))
def test_a_repeated_report_changes_nothing(state: OrderState) -> None:
    assert step(state, state) is state


@pytest.mark.parametrize(
    ("current", "late"),
    [
        (OrderState.FILLED, OrderState.PARTIALLY_FILLED),
        (OrderState.FILLED, OrderState.ACCEPTED),
        (OrderState.PARTIALLY_FILLED, OrderState.ACCEPTED),
        (OrderState.CANCELED, OrderState.SUBMITTED),
        (OrderState.ACCEPTED, OrderState.UNKNOWN),
    ],
)
def test_old_news_is_ignored(current: OrderState, late: OrderState) -> None:
    assert step(current, late) is current


@pytest.mark.parametrize("reported", [OrderState.FILLED, OrderState.ACCEPTED, OrderState.CANCELED])
def test_a_rejected_order_cannot_come_to_life(reported: OrderState) -> None:
    with pytest.raises(IllegalTransitionError, match="rejected cannot become"):
        step(OrderState.REJECTED, reported)


def test_every_state_a_venue_can_be_in_is_reachable_while_its_word_is_awaited() -> None:
    for waiting in (OrderState.SUBMITTED, OrderState.UNKNOWN):
        assert TRANSITIONS[waiting] >= FINAL | {OrderState.ACCEPTED, OrderState.PARTIALLY_FILLED}
