"""Ports for a stack: those it had before if they are still free, else new ones.

A port is bound seconds after it is chosen. So whoever chooses takes the next one of a count that all stacks of a user
share, and what one has just chosen no other does.
"""

import json
import secrets
import socket
from pathlib import Path

from trimtab.embedded.cache import cache_folder, only_one, write_whole
from trimtab.embedded.errors import StackError

NAMES = ("kafka", "kafka_controller", "registry", "registry_health", "postgres")
# Below the range that systems take outgoing connections' ports from, so none of those can come in between.
FIRST, LAST = 20_000, 32_000
TRIES = 500


def is_free(port: int) -> bool:
    """True if something could listen on this port of the loopback address now."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True


def choose_ports(memory: Path) -> dict[str, int]:
    """A free port for each name, remembered in the file `memory` for the next start.

    Raises StackError when no free port is found.
    """
    before = _remembered(memory)
    ports: dict[str, int] = {}
    for name in NAMES:
        kept = before.get(name)
        usable = kept is not None and kept not in ports.values() and is_free(kept)
        ports[name] = kept if usable and kept is not None else _new_port(set(ports.values()))
    write_whole(memory, json.dumps(ports))
    return ports


def free_ports(count: int) -> tuple[int, ...]:
    """Return ports that are free now, all different. Raises StackError when there are none."""
    taken: set[int] = set()
    while len(taken) < count:
        taken.add(_new_port(taken))
    return tuple(sorted(taken))


def _new_port(taken: set[int]) -> int:
    with only_one("ports", lambda: None):
        last = cache_folder() / "ports.last"
        before = _number(last)
        for step in range(1, TRIES + 1):
            port = FIRST + (before - FIRST + step) % (LAST - FIRST)
            if port not in taken and is_free(port):
                write_whole(last, str(port))
                return port
    raise StackError(f"no free port between {FIRST} and {LAST} on 127.0.0.1")


def _number(last: Path) -> int:
    """The port that was chosen last; any one the first time, as other users count from elsewhere."""
    try:
        return int(last.read_text(encoding="utf-8"))
    except (FileNotFoundError, ValueError):
        return FIRST + secrets.randbelow(LAST - FIRST)


def _remembered(memory: Path) -> dict[str, int]:
    try:
        found: dict[str, int] = json.loads(memory.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return {}
    return found
