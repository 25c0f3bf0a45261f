"""What can go wrong, in words a person can act on. An exception's message is the whole report."""

_FOUND_CHARACTERS_MAX = 500  # so that one line stays one: a value from outside may be of any length


class TrimtabError(Exception):
    """Base of every error that trimtab raises on purpose; `str(error)` is one clear line."""


class InvalidValueError(TrimtabError):
    """A value from outside does not hold: where it stands, what was found, what is allowed."""

    def __init__(self, path: str, value: object, allowed: str) -> None:
        found = repr(value)
        if len(found) > _FOUND_CHARACTERS_MAX:
            found = f"{found[:_FOUND_CHARACTERS_MAX]}..."
        super().__init__(f"{path}: found {found}; allowed: {allowed}")
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


class UncoveredFeeError(InsufficientFundsError):
    """A fee was paid in an asset of which the ledger has too little, in the portfolio and in the account as a whole.

    The venue took it from somewhere, so a deposit is missing in the ledger: book that, then settle the fill again.
    """


class LedgerRefusedError(TrimtabError):
    """The ledger's database refused a write that would break one of its rules."""


class LedgerConflictError(TrimtabError):
    """Two transactions stood in each other's way and this one gave in: nothing of it happened, it may be run again."""
