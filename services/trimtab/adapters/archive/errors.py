"""What can be wrong with an archive."""

from trimtab.domain.errors import InvalidValueError


class DamagedError(InvalidValueError):
    """An archive does not hold what was written into it: which file and where in it, what was found, what is needed."""
