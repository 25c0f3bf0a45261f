"""What a process ends with, so that scripts can tell why: the same for every command and every service."""

from trimtab.domain.errors import InvalidValueError, UnreachableError

DOES_NOT_HOLD = 1  # it was checked, or tried, and it is not so
MISCONFIGURED = 2  # usage or configuration
ABSENT = 3  # a part that is needed is not there or does not answer
INTERRUPTED = 130


def exit_code(error: Exception) -> int:
    """Return what a process that failed with this error exits with."""
    match error:
        case UnreachableError():
            return ABSENT
        case InvalidValueError():
            return MISCONFIGURED
        case _:
            return int(getattr(error, "exit_code", DOES_NOT_HOLD))
