"""Secrets that stand in files of their own: mounted, one secret a file."""

from pathlib import Path

from trimtab.configuration import Described, Problem

SECRET_BYTES_MAX = 65_536


def read_secret(path: str, file: Path) -> str | Problem:
    """Return the text in a file without the spaces around it, or what is wrong with it at `path` of the settings."""
    try:
        with file.open("rb") as opened:
            content = opened.read(SECRET_BYTES_MAX + 1)
    except (OSError, ValueError) as error:  # a name with a zero byte is a ValueError
        return Problem(path, str(file), f"a readable file ({getattr(error, 'strerror', None) or error})")
    try:
        text = content.decode("utf-8").strip()
    except UnicodeDecodeError:
        return Problem(path, Described(f"{str(file)!r}, which is not text"), "a file with a secret in UTF-8")
    if not text or len(content) > SECRET_BYTES_MAX:
        found = "holds nothing" if not text else f"has more than {SECRET_BYTES_MAX} bytes"
        return Problem(path, Described(f"{str(file)!r}, which {found}"), "a file with one secret in it")
    return text
