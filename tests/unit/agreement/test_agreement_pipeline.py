"""What the pipeline did, as its topics have it: which of its signals the executor took up."""

from dataclasses import replace

import pytest
from agreed_courses import D, inputs, signalled

from frame_tapes import Writer
from recorded_topics import Topics
from trimtab.agreement.pipeline import Pipeline
from trimtab.agreement.places import Places
from trimtab.domain.orders import ParentState
from trimtab.exchange.journal import JournalContents
from trimtab.messages import ParentEvent


@pytest.mark.parametrize(
    ("reason", "accepted", "dropped"),
    [
        ("released", False, "decided on version 5; version 6 was 'released'"),
        ("halted: the demo is over", False, "decided on version 5; version 6 was 'halted: the demo is over'"),
        ("signal", True, ""),
        ("deadline", False, ""),  # the executor refused it: nothing of that follows from a newer state
    ],
)
def test_a_signal_was_dropped_if_a_newer_state_was_there_and_it_came_to_nothing(
    reason: str, *, accepted: bool, dropped: str
) -> None:
    topics, stood_on = Topics(), inputs(version=5)
    made = replace(signalled(stood_on), frame_offset=0)
    Writer(topics.keep, "BTC").prices(BTC=6_000_000)
    for state in (stood_on.state, replace(stood_on.state, ledger_version=6, reason=reason)):
        topics.keep(state, 0)
    topics.keep(made, 0)
    if accepted:
        (trade,) = made.trades
        event = ParentEvent(
            "p", "core", 1, made.signal_id, trade.trade_id, ParentState.WORKING, D(1), D(0), "", 0, dry_run=False
        )
        topics.keep(event, 0)

    (found,) = Pipeline(topics, JournalContents(), Places((), {}), "core").course

    assert (found.signal, found.dropped) == (made, dropped)
