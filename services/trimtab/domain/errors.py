"""What can go wrong, in words a person can act on. An exception's message is the whole report."""


class TrimtabError(Exception):
    """Base of every error that trimtab raises on purpose; `str(error)` is one clear line."""


class InvalidValueError(TrimtabError):
    """A value from outside does not hold: where it stands, what was found, what is allowed."""

    def __init__(self, path: str, value: object, allowed: str) -> None:
        super().__init__(f"{path}: found {value!r}; allowed: {allowed}")
        self.path = path
        self.value = value
        self.allowed = allowed


class UnreachableError(TrimtabError):
    """A part that trimtab needs (Kafka, registry, PostgreSQL, a venue) does not answer."""

    def __init__(self, part: str, address: str, reason: str) -> None:
        super().__init__(f"{part} at {address} does not answer: {reason}")
        self.part = part
        self.address = address


class FencedError(TrimtabError):
    """The writer no longer owns what it tried to write: another one took a newer epoch."""


class InsufficientFundsError(TrimtabError):
    """A reservation asks for more than is available in the shadow ledger."""


class IllegalTransitionError(TrimtabError):
    """An order was told to take a step that its state does not allow."""
