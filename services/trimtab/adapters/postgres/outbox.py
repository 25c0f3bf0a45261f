"""The outbox inside a transaction: messages that leave once it has committed."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from trimtab.adapters.postgres.statements import Statements
from trimtab.domain.errors import LedgerRefusedError
from trimtab.messages import Message
from trimtab.topics import topic_of

EVENT_ID_HEADER = "event-id"
# Less than a broker takes by default, headers included: what is written must be able to leave.
PAYLOAD_BYTES_MAX = 900_000

Headers = Sequence[tuple[str, bytes]]


class Encoder(Protocol):
    """Turns a message into the bytes of its record's value."""

    def encode(self, message: Message) -> bytes: ...


def no_headers() -> Headers:
    """No trace context: what a ledger without tracing writes."""
    return ()


@dataclass(frozen=True, slots=True)
class Desk:
    """What one process writes messages with. `writer` names the process, differently at each start."""

    writer: str
    encoder: Encoder
    headers: Callable[[], Headers] = no_headers


class Outbox:
    """Writes messages into the outbox of one transaction."""

    def __init__(self, statements: Statements, desk: Desk) -> None:
        self._statements = statements
        self._desk = desk
        self.written = 0

    async def emit(self, message: Message) -> None:
        """Put a message into the outbox; one with the id of an earlier one of its topic is dropped.

        Raises LedgerRefusedError for a message without an event id or a key (others could not tell it from its copy),
        or one that no broker would take.
        """
        topic = topic_of(message)
        key = topic.key(message)
        event_id = getattr(message, "event_id", "")
        if not event_id or key is None:
            raise LedgerRefusedError(f"outbox: a message of {topic.name} needs an event id and a key")
        payload = self._desk.encoder.encode(message)
        if len(payload) > PAYLOAD_BYTES_MAX:
            raise LedgerRefusedError(
                f"outbox: a message of {topic.name} has {len(payload)} bytes; allowed: {PAYLOAD_BYTES_MAX}"
            )
        headers = [*self._desk.headers(), (EVENT_ID_HEADER, event_id.encode())]
        await self._statements.send(
            "add_message",
            {
                "writer": self._desk.writer,
                "topic": topic.name,
                "key": key,
                "event_id": event_id,
                "payload": payload,
                "header_names": [name for name, _ in headers],
                "header_values": [value for _, value in headers],
            },
        )
        self.written += 1
