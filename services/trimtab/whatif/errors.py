"""What keeps a question from an answer."""

from trimtab.domain.errors import TrimtabError
from trimtab.exits import MISCONFIGURED


class UnanswerableError(TrimtabError):
    """What is recorded cannot answer: what was asked for, what was found, what is needed."""

    exit_code = MISCONFIGURED
