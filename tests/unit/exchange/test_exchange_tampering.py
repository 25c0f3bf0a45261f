"""What becomes of a stream's messages under faults: missing, twice, in the wrong order, late rather than never."""

import asyncio

from trimtab.exchange.faults import Audience, Fault, Faults
from trimtab.exchange.tampering import Silence, Tampering

DEPTH, TRADES = "ltcusdt@depth@100ms", "ltcusdt@trade"


class Stream:
    """Passes messages through and keeps what came out."""

    def __init__(self, *armed: Fault) -> None:
        self.faults = Faults()
        for fault in armed:
            self.faults.arm(fault)
        self.noted: list[tuple[str, str]] = []
        self.heard: list[bytes] = []
        self._tampering = Tampering(self.faults, lambda fault, struck: self.noted.append((fault.kind, struck)))

    def say(self, *messages: bytes, name: str = DEPTH, audience: Audience = "market") -> list[bytes]:
        for message in messages:
            self.heard += self._tampering.passed(audience, name, message, lambda _, late: self.heard.append(late))
        return self.heard


def test_without_a_fault_everything_passes() -> None:
    assert Stream(Fault("lost_answer")).say(b"1", b"2") == [b"1", b"2"]


def test_a_gap_is_silent_and_written_down_message_by_message() -> None:
    stream = Stream(Fault("stream_gap", count=2))
    assert stream.say(b"1", b"2", b"3") == [b"3"]
    assert stream.noted == [("stream_gap", DEPTH)] * 2


def test_a_duplicate_comes_twice_in_a_row() -> None:
    assert Stream(Fault("stream_duplicate")).say(b"1", b"2") == [b"1", b"1", b"2"]


async def test_a_reordered_message_comes_after_the_next_one_of_its_stream() -> None:
    stream = Stream(Fault("stream_reorder", latency_ms=60_000))
    stream.say(b"1")
    stream.say(b"a", name=TRADES)
    assert stream.say(b"2", b"3") == [b"a", b"2", b"1", b"3"]
    assert stream.noted == [("stream_reorder", DEPTH)]


async def test_a_reordered_message_that_nothing_follows_comes_late() -> None:
    stream = Stream(Fault("stream_reorder", latency_ms=10))
    assert stream.say(b"1") == []
    await asyncio.sleep(0.05)
    assert stream.heard == [b"1"]
    assert stream.say(b"2") == [b"1", b"2"]


def test_a_fault_strikes_the_streams_it_was_armed_for() -> None:
    stream = Stream(Fault("stream_gap", "@trade", streams="market"), Fault("stream_gap", streams="user"))
    assert stream.say(b"1") == [b"1"]
    assert stream.say(b"2", name=TRADES) == [b"1"]
    assert stream.say(b"3", name="ann@executionReport", audience="user") == [b"1"]
    assert stream.faults.armed() == []


def test_faults_of_streams_never_strike_requests() -> None:
    faults = Faults()
    faults.arm(Fault("stream_gap"))
    assert faults.strike("POST /api/v3/order") == []
    assert faults.strike_message("market", DEPTH) is not None


def test_silence_swallows_what_it_is_about_and_counts_it() -> None:
    silence = Silence("@depth")
    assert [silence.swallows(name) for name in (DEPTH, TRADES, DEPTH)] == [True, False, True]
    assert silence.swallowed == 2
