"""What can go wrong with the embedded stack; each message is one line for a person."""

from trimtab.domain.errors import TrimtabError


class StackError(TrimtabError):
    """The stack cannot do what was asked; `exit_code` is what a command line should end with."""

    exit_code = 3


class FolderInUseError(StackError):
    """Another stack runs on this data folder."""

    exit_code = 2


class DownloadError(StackError):
    """An artifact could not be fetched, or what came is not what the lock file says."""


class PartError(StackError):
    """Kafka, the registry or PostgreSQL did not start, or does not answer."""
