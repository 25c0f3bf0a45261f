"""Downloads one artifact: resumable, verified, in place only when whole."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path

import requests

from trimtab.embedded.artifact import Artifact
from trimtab.embedded.errors import DownloadError

CHUNK_BYTES = 256 * 1024
TIMEOUTS_S = (10, 60)  # to connect, and between two pieces of an answer
PAUSES_S = (0.2, 0.5, 1.0)  # between attempts

OnSize = Callable[[int], None]  # how many bytes of the artifact are here now


class BrokenTransferError(Exception):
    """The transfer ended early or the server is busy; worth another try."""


RETRIED = (
    requests.ConnectionError,
    requests.Timeout,
    requests.exceptions.ChunkedEncodingError,
    BrokenTransferError,
)


def fetch(artifact: Artifact, target: Path, repositories: tuple[str, ...], on_size: OnSize) -> None:
    """Put `artifact` at `target`; `on_size` hears how much of it is here.

    Raises DownloadError when no repository is reachable, has it, or has what the lock file says.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    reasons = []
    for repository in repositories:
        try:
            _transfer(f"{repository}/{artifact.path}", part, artifact.size, on_size)
        except (requests.RequestException, BrokenTransferError) as error:
            reasons.append(_reason(error))
            continue
        if artifact.matches(part):
            part.replace(target)
            return
        reasons.append("its sha256 is not the one in the lock file")
        part.unlink()
    raise DownloadError(f"cannot download {artifact.path.name}: {'; '.join(reasons)}")


def take_local(artifact: Artifact, target: Path, local: Path, on_size: OnSize) -> bool:
    """Copy the artifact from Maven's local repository if it is there and has the right hash."""
    source = local / artifact.path
    if not artifact.matches(source):
        return False
    target.parent.mkdir(parents=True, exist_ok=True)
    part = target.with_name(target.name + ".part")
    shutil.copyfile(source, part)
    part.replace(target)
    on_size(artifact.size)
    return True


def _transfer(url: str, part: Path, size: int, on_size: OnSize) -> None:
    # Not stamina: it logs every retry, by default to standard output, which here belongs to the command's result.
    for pause_s in PAUSES_S:
        try:
            _continue(url, part, size, on_size)
        except RETRIED:
            time.sleep(pause_s)
        else:
            return
    _continue(url, part, size, on_size)


def _continue(url: str, part: Path, size: int, on_size: OnSize) -> None:
    have = part.stat().st_size if part.is_file() else 0
    if have >= size:
        part.unlink()
        have = 0
    # identity: a repository that compresses on the fly would break ranges and sizes
    headers = {"Accept-Encoding": "identity"} | ({"Range": f"bytes={have}-"} if have else {})
    with requests.get(url, headers=headers, stream=True, timeout=TIMEOUTS_S) as answer:
        if answer.status_code >= 500 or answer.status_code == 429:
            raise BrokenTransferError(f"the repository answers {answer.status_code}")
        answer.raise_for_status()
        resumed = answer.status_code == 206
        here = have if resumed else 0
        with part.open("ab" if resumed else "wb") as file:
            for chunk in answer.iter_content(CHUNK_BYTES):
                here += file.write(chunk)
                on_size(here)
    if here < size:
        raise BrokenTransferError("the transfer ended early")


def _reason(error: Exception) -> str:
    if isinstance(error, requests.HTTPError) and error.response is not None:
        return f"the repository answers {error.response.status_code}"
    if isinstance(error, requests.Timeout):
        return "the repository does not answer in time"
    if isinstance(error, requests.ConnectionError):
        return "no connection to the Maven repository (is the network there?)"
    return str(error)
