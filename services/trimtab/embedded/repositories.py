"""Which Maven repositories to ask: the user's mirrors first, as Maven itself would."""

import os
from pathlib import Path
from xml.etree import ElementTree

from jgo.constants import MAVEN_CENTRAL_URL, default_maven_repo

from trimtab.embedded.errors import StackError

CENTRAL_ID = "central"
OVERRIDE = "TRIMTAB_MAVEN_REPOSITORY"


def repositories() -> tuple[str, ...]:
    """Base addresses, best first: the environment's override, or the user's mirror of central, or central."""
    override = os.environ.get(OVERRIDE, "").strip()
    if override:
        return (override.rstrip("/"),)
    mirror = mirror_of_central(Path.home() / ".m2" / "settings.xml")
    return (mirror or MAVEN_CENTRAL_URL,)


def local_repository() -> Path:
    """Maven's own folder of downloaded artifacts; what is there and has the right hash is not downloaded."""
    return Path(default_maven_repo())


def mirror_of_central(settings: Path) -> str | None:
    """The address of the first mirror in a Maven `settings.xml` that stands in for central, if any.

    Raises StackError when the file is not XML.
    """
    if not settings.is_file():
        return None
    try:
        root = ElementTree.parse(settings).getroot()  # noqa: S314  the user's own file, as Maven reads it
    except ElementTree.ParseError as error:
        raise StackError(f"{settings}: not readable as XML ({error})") from error
    for mirror in root.findall("./{*}mirrors/{*}mirror"):
        url = (mirror.findtext("{*}url") or "").strip()
        if url and _covers_central(mirror.findtext("{*}mirrorOf") or ""):
            return url.rstrip("/")
    return None


def _covers_central(pattern: str) -> bool:
    names = [name.strip() for name in pattern.split(",")]
    if f"!{CENTRAL_ID}" in names:
        return False
    return any(name in {CENTRAL_ID, "*", "external:*"} for name in names)
