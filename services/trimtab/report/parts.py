"""What drawing a report needs beside trimtab itself: the extra `report`."""

from importlib.util import find_spec

from trimtab.domain.errors import TrimtabError
from trimtab.exits import ABSENT

_PACKAGES = ("jinja2", "matplotlib")


class MissingPartError(TrimtabError):
    """A package that reports are made with is not installed."""

    exit_code = ABSENT


def require_parts() -> None:
    """Raise MissingPartError unless everything that a report is made with is installed."""
    missing = [name for name in _PACKAGES if find_spec(name) is None]
    if missing:
        raise MissingPartError(f"--report: needs {' and '.join(missing)} (pip install 'trimtab[report]')")
