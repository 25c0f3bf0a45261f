"""Trace contexts from a tick to its fill: W3C traceparent and baggage in the headers of every record.

The baggage names the tick that a chain of events began with, so that any service can tell how long ago that was.
"""

import time
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager

from opentelemetry import baggage, context, trace
from opentelemetry.baggage.propagation import W3CBaggagePropagator
from opentelemetry.context import Context
from opentelemetry.propagators.composite import CompositePropagator
from opentelemetry.propagators.textmap import Getter
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

TICK_US = "trimtab.tick_us"
SENT_US = "trimtab.sent_us."  # and the topic

Headers = Iterable[tuple[str, bytes | str | None]] | None

_IDS = RandomIdGenerator()
_PROPAGATOR = CompositePropagator([TraceContextTextMapPropagator(), W3CBaggagePropagator()])


class _HeaderGetter(Getter[dict[str, str]]):
    def get(self, carrier: dict[str, str], key: str) -> list[str] | None:
        value = carrier.get(key)
        return None if value is None else [value]

    def keys(self, carrier: dict[str, str]) -> list[str]:
        return list(carrier)


_GETTER = _HeaderGetter()


def root_context(tick_us: int) -> Context:
    """Return the context of a new trace that begins with a tick received at this wall clock time (microseconds)."""
    span = trace.SpanContext(
        trace_id=_IDS.generate_trace_id(),
        span_id=_IDS.generate_span_id(),
        is_remote=False,
        trace_flags=trace.TraceFlags(trace.TraceFlags.SAMPLED),
    )
    fresh = trace.set_span_in_context(trace.NonRecordingSpan(span), Context())
    return baggage.set_baggage(TICK_US, str(tick_us), fresh)


def context_of(headers: Headers) -> Context:
    """Return the context that a record's headers carry; an empty one if they carry none that can be read."""
    carrier = {
        name.lower(): value.decode("ascii", "replace") if isinstance(value, bytes) else value
        for name, value in headers or ()
        if value is not None
    }
    return _PROPAGATOR.extract(carrier, Context(), _GETTER)


def inject(current: Context | None = None) -> list[tuple[str, bytes]]:
    """Return a context, the current one unless given, as headers of a record."""
    carrier: dict[str, str] = {}
    _PROPAGATOR.inject(carrier, current)
    return [(name, value.encode("ascii")) for name, value in carrier.items()]


def inject_sent(topic: str) -> list[tuple[str, bytes]]:
    """Return the current context as headers, and what began with a tick also with the time it leaves for this topic."""
    if tick_us() is None:
        return inject()
    return inject(baggage.set_baggage(f"{SENT_US}{topic}", str(time.time_ns() // 1_000)))


@contextmanager
def using(current: Context) -> Iterator[None]:
    """Make a context the current one."""
    token = context.attach(current)
    try:
        yield
    finally:
        context.detach(token)


@contextmanager
def attached(headers: Headers) -> Iterator[None]:
    """Make the context in a record's headers the current one."""
    with using(context_of(headers)):
        yield


@contextmanager
def with_baggage(name: str, value: str) -> Iterator[None]:
    """Add a name and a value that travel with every record sent within."""
    with using(baggage.set_baggage(name, value)):
        yield


def tick_us() -> int | None:
    """Return when the tick behind the current trace was received (wall clock, microseconds), if that is known."""
    value = baggage.get_baggage(TICK_US)
    return int(value) if isinstance(value, str) and value.isascii() and value.isdigit() else None


def trace_id() -> str:
    """Return the current trace's id, 32 hexadecimal characters; empty outside of any trace."""
    span = trace.get_current_span().get_span_context()
    return trace.format_trace_id(span.trace_id) if span.is_valid else ""


class BaggageTrail:
    """Implements ports.trail.Trail on the current context's baggage."""

    def tick_us(self) -> int | None:
        return tick_us()

    def stamped(self, name: str, time_us: int) -> AbstractContextManager[None]:
        return with_baggage(name, str(time_us))
