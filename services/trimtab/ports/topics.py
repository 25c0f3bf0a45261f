"""Topics as the services see them: typed records in, typed messages out."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Generic, Protocol, TypeVar

from trimtab.messages import Message

M = TypeVar("M", bound=Message)


@dataclass(frozen=True, slots=True)
class Record(Generic[M]):
    """A decoded message and where it stands; its trace context is current while a handler runs."""

    message: M
    topic: str
    partition: int
    offset: int


@dataclass(frozen=True, slots=True)
class Stretch(Generic[M]):
    """Part of a topic: its records in no particular order, and where each partition goes on after them."""

    records: tuple[Record[M], ...]
    offsets: tuple[int, ...]


Handler = Callable[[Record[M]], Awaitable[None]]


class Publisher(Protocol):
    """Sends messages to their topic, keyed as the manifest says, with the current trace context in the headers."""

    async def publish(self, message: Message) -> None:
        """Return once the broker has acknowledged."""
