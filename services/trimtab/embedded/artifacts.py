"""The downloads, ready to run: fetched once for all clones of a user, checked against the lock at every start."""

import os
import shutil
import tarfile
import tempfile
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from trimtab.embedded.artifact import Artifact, locked, sha256_of
from trimtab.embedded.cache import cache_folder, only_one, write_whole
from trimtab.embedded.errors import DownloadError
from trimtab.embedded.fetch import fetch, take_local
from trimtab.embedded.java import java, launcher
from trimtab.embedded.repositories import local_repository, repositories

OnProgress = Callable[[str, int, int], None]  # what is done, bytes so far, bytes in all

DOWNLOADS_AT_ONCE = 4
HASHES_AT_ONCE = 2
MANIFEST = "MANIFEST.sha256"
REGISTRY_JAR = "quarkus-run.jar"


@dataclass(frozen=True)
class Software:
    """What the Java parts run from."""

    java: Path  # the launcher
    kafka_jars: tuple[Path, ...]
    registry_jar: Path
    identity: str  # changes whenever any of the files changes


def ready(on_progress: OnProgress) -> Software:
    """Return the software, downloading first whatever is missing or damaged in the user's cache.

    Raises DownloadError when something is missing and cannot be fetched.
    """
    artifacts = locked()
    try:
        if missing(artifacts):
            waiting = "another process is downloading; waiting for it"
            with only_one("artifacts", lambda: on_progress(waiting, 0, 0)):
                _fill(missing(artifacts), on_progress)
    except OSError as error:
        raise DownloadError(f"the download cache cannot be used: {error}") from error
    registry = next(artifact for artifact in artifacts if artifact.part == "registry")
    jars = tuple(_stored(artifact) for artifact in artifacts if artifact.part == "kafka")
    home = java()
    identity = "\n".join((home.name, *(artifact.sha256 for artifact in artifacts)))
    return Software(launcher(home), jars, _unpacked(registry) / REGISTRY_JAR, identity)


def missing(artifacts: Iterable[Artifact]) -> list[Artifact]:
    """Those artifacts that are not in the cache, or are damaged there."""
    with ThreadPoolExecutor(HASHES_AT_ONCE) as pool:
        candidates = list(artifacts)
        return [a for a, whole in zip(candidates, pool.map(_is_whole, candidates), strict=True) if not whole]


def _is_whole(artifact: Artifact) -> bool:
    if artifact.part == "registry":
        return _tree_is_whole(_unpacked(artifact))
    return artifact.matches(_stored(artifact))


def _stored(artifact: Artifact) -> Path:
    return cache_folder() / "maven" / artifact.path


def _unpacked(artifact: Artifact) -> Path:
    return cache_folder() / f"{artifact.name}-{artifact.version}-{artifact.sha256[:12]}"


def _fill(wanted: list[Artifact], on_progress: OnProgress) -> None:
    if not wanted:
        return
    sizes = dict.fromkeys(wanted, 0)
    total = sum(artifact.size for artifact in wanted)
    guard = threading.Lock()
    cancelled = threading.Event()

    def obtain(artifact: Artifact) -> None:
        def on_size(size: int) -> None:
            if cancelled.is_set():
                raise DownloadError("the download was cancelled")
            with guard:
                sizes[artifact] = size
                on_progress("downloading Kafka and the registry", sum(sizes.values()), total)

        target = _stored(artifact)
        if not take_local(artifact, target, local_repository(), on_size):
            fetch(artifact, target, repositories(), on_size)
        if artifact.part == "registry":
            _unpack(artifact, target)

    with ThreadPoolExecutor(DOWNLOADS_AT_ONCE) as pool:
        # the largest first: it takes longest
        jobs = [pool.submit(obtain, a) for a in sorted(wanted, key=lambda a: -a.size)]
        try:
            for job in jobs:
                job.result()
        except BaseException:
            cancelled.set()
            pool.shutdown(cancel_futures=True)
            raise


def _unpack(artifact: Artifact, archive: Path) -> None:
    """Unpack the verified archive, note every file's hash, and drop the archive: the tree now is the cache."""
    target = _unpacked(artifact)
    with tempfile.TemporaryDirectory(dir=cache_folder()) as scratch:
        tree = Path(scratch) / "tree"
        with tarfile.open(archive) as tar:
            tar.extractall(tree, members=map(_ours, tar))  # noqa: S202  its hash is the locked one
        if not (tree / REGISTRY_JAR).is_file():
            raise DownloadError(f"{artifact.path.name} holds no {REGISTRY_JAR}")
        files = sorted(path for path in tree.rglob("*") if path.is_file())
        lines = [f"{sha256_of(path)} {path.relative_to(tree)}\n" for path in files]
        write_whole(tree / MANIFEST, "".join(lines), mode=0o644)
        if target.exists():
            shutil.rmtree(target)
        tree.rename(target)
    archive.unlink()


def _ours(member: tarfile.TarInfo) -> tarfile.TarInfo:
    """The member without its builder's user, whom root would otherwise make the owner."""
    member.uid, member.gid, member.uname, member.gname = os.getuid(), os.getgid(), "", ""
    return member


def _tree_is_whole(tree: Path) -> bool:
    manifest = tree / MANIFEST
    if not manifest.is_file():
        return False
    pairs = [line.split(" ", 1) for line in manifest.read_text(encoding="utf-8").splitlines()]
    return bool(pairs) and all((tree / name).is_file() and sha256_of(tree / name) == sha for sha, name in pairs)
