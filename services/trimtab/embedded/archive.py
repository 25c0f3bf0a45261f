"""Ahead-of-time archives of the Java parts: what a run loaded and linked, kept for faster starts.

Halves a part's start and the processor time it takes. Java checks an archive against its class path and runs without
it when they do not fit, so an archive can only help.
"""

import hashlib
from pathlib import Path
from typing import Literal

from trimtab.embedded.cache import cache_folder

Use = Literal["use", "make"]

MAKING_SECONDS_MAX = 120.0  # a part that makes its archive does so while it stops
ARCHIVES_KEPT = 8  # about 80 MB each; clones of different versions share one cache

# Java 25 confuses some stubs of machine code in an archive, notices, and complains at every start.
CLASSES_ONLY = ("-XX:+UnlockDiagnosticVMOptions", "-XX:-AOTAdapterCaching", "-XX:-AOTStubCaching")


class Archive:
    """The archive of one part, for one `identity` of all software and one set of options."""

    def __init__(self, part: str, identity: str, options: tuple[str, ...], scratch: Path, use: Use) -> None:
        folder = cache_folder()
        # an archived object may hold the path of a jar, and reads there whatever class path it is loaded with
        key = hashlib.sha256("\n".join((str(folder), identity, *options)).encode()).hexdigest()[:16]
        self.path = folder / "archives" / f"{part}-{key}.aot"
        self._made = scratch / f"{part}.aot"
        self._use = use

    def options(self) -> tuple[str, ...]:
        """Java options: make the archive, use it, or nothing while there is none."""
        if self._use == "make":
            return (f"-XX:AOTCacheOutput={self._made}", *CLASSES_ONLY)
        return self.reading()

    def reading(self) -> tuple[str, ...]:
        """Java options to use the archive, if there is one."""
        return (f"-XX:AOTCache={self.path}", *CLASSES_ONLY) if self.path.is_file() else ()

    @property
    def stop_seconds(self) -> float:
        """How long the part may take to stop."""
        return MAKING_SECONDS_MAX if self._use == "make" else 10.0

    def keep(self) -> bool:
        """Move an archive just made to the cache; False if there is none."""
        if not self._made.is_file():
            return False
        self.path.parent.mkdir(exist_ok=True)
        self._made.replace(self.path)
        newest_first = sorted(self.path.parent.glob("*.aot"), key=lambda p: p.stat().st_mtime, reverse=True)
        for old in newest_first[ARCHIVES_KEPT:]:
            old.unlink(missing_ok=True)
        return True
