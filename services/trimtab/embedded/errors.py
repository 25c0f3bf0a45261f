"""What can go wrong with the embedded stack; each message is one line for a person."""

from trimtab.domain.errors import TrimtabError
from trimtab.exits import ABSENT, MISCONFIGURED


class StackError(TrimtabError):
    """The stack cannot do what was asked; `exit_code` is what a command line should end with."""

    exit_code = ABSENT


class FolderInUseError(StackError):
    """Another stack runs on this data folder."""

    exit_code = MISCONFIGURED


class DownloadError(StackError):
    """An artifact could not be fetched, or what came is not what the lock file says."""


class PartError(StackError):
    """Kafka, the registry or PostgreSQL did not start, or does not answer; `code` is what a part ended with."""

    def __init__(self, message: str, code: int | None = None) -> None:
        super().__init__(message)
        self.code = code


class RefusedConfigurationError(StackError):
    """One of trimtab's own processes does not accept what it was configured with; the message is its own."""

    exit_code = MISCONFIGURED
