"""What keeps a backtest from a result that could be believed."""

from trimtab.domain.errors import TrimtabError
from trimtab.exits import MISCONFIGURED


class WorldError(TrimtabError):
    """A part failed inside a backtest, or its books do not agree in the end: a fault of trimtab, not of the tape."""


class UnplayableError(TrimtabError):
    """A tape that cannot be played: which file, what was found, what is needed."""

    exit_code = MISCONFIGURED
