"""A trace goes from a record's headers into a handler and out again with whatever it sends."""

import asyncio

import pytest

from trimtab.adapters import tracing


def test_outside_of_any_trace_there_is_nothing_to_send() -> None:
    assert tracing.inject() == []
    assert tracing.trace_id() == ""
    assert tracing.tick_us() is None


def test_a_trace_goes_through_headers_unchanged() -> None:
    with tracing.using(tracing.root_context(1_790_000_000_000_123)):
        sent, trace = tracing.inject(), tracing.trace_id()
    assert dict(sent).keys() == {"traceparent", "baggage"}
    assert len(trace) == 32
    with tracing.attached(sent):
        assert tracing.trace_id() == trace
        assert tracing.tick_us() == 1_790_000_000_000_123
        assert dict(tracing.inject()) == dict(sent)
    assert tracing.trace_id() == ""


def test_every_root_is_a_new_trace() -> None:
    ids = set()
    for _ in range(100):
        with tracing.using(tracing.root_context(1)):
            ids.add(tracing.trace_id())
    assert len(ids) == 100


def test_baggage_travels_with_what_is_sent_inside() -> None:
    with tracing.using(tracing.root_context(5)):
        with tracing.BaggageTrail().stamped("trimtab.answered_us", 7):
            inside = tracing.inject()
        assert b"answered_us" not in dict(tracing.inject())["baggage"]
    assert b"trimtab.answered_us=7" in dict(inside)["baggage"]
    with tracing.attached(inside):
        assert tracing.BaggageTrail().tick_us() == 5


@pytest.mark.parametrize(
    "headers",
    [
        None,
        [],
        [("traceparent", None)],
        [("traceparent", b"\xff\xfe"), ("baggage", b"\xff")],
        [("traceparent", b"00-zz-zz-01"), ("baggage", b"trimtab.tick_us=soon")],
        [("baggage", b"trimtab.tick_us=-5")],
    ],
)
def test_headers_that_make_no_sense_are_no_trace(headers: tracing.Headers) -> None:
    with tracing.attached(headers):
        assert tracing.trace_id() == ""
        assert tracing.tick_us() is None


async def test_concurrent_handlers_keep_their_traces_apart() -> None:
    async def handle(tick: int) -> int | None:
        with tracing.using(tracing.root_context(tick)):
            await asyncio.sleep(0)
            return tracing.tick_us()

    assert await asyncio.gather(*(handle(tick) for tick in range(1, 20))) == list(range(1, 20))
