"""What a look back can fail with."""

from trimtab.domain.errors import TrimtabError


class GoneError(TrimtabError):
    """What a decision stands on is not on its topic: not any more, not yet, or never; the message says what."""
