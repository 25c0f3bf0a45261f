"""Measures, as a port: services name them, the adapter's catalogue says what they are."""

from typing import Protocol


class Meter(Protocol):
    """Takes measures by the names they are published under.

    An unknown name or a wrong set of labels is a KeyError or ValueError at once: it is a mistake in the code.
    """

    def count(self, name: str, /, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        """Put a value into a histogram."""

    def set(self, name: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""


class Unmetered:
    """Takes every measure and keeps none: for tests and simulated worlds."""

    def count(self, name: str, /, amount: float = 1, **labels: str) -> None: ...

    def observe(self, name: str, value: float, /, **labels: str) -> None: ...

    def set(self, name: str, value: float, /, **labels: str) -> None: ...
