"""Fixtures for every suite. (This folder is on the path, so suites can import what stands beside this file.)"""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from simulated_exchange import SimulatedExchange, simulated_exchange

pytest_plugins = ["stack", "ledger_fixtures", "ledger_worlds"]


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[SimulatedExchange]:
    """A simulated exchange of its own, on a synthetic market that runs in real time."""
    async with simulated_exchange(tmp_path, "--synthetic", "7") as running:
        yield running


@pytest.hookimpl(tryfirst=True)  # before the workers' plugin reads the groups
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs on the shared Kafka, registry and PostgreSQL, so that it can be run on another provider's too.

    Beside it, say what stays together when workers share the suites: a file, and everything that runs whole pipelines,
    two of which at once would be a load that no test is about.
    """
    for item in items:
        whole = "e2e" in item.path.parts
        item.add_marker(pytest.mark.xdist_group("pipelines" if whole else str(item.path)))
        found = getattr(item, "_fixtureinfo", None)
        definitions = found.name2fixturedefs.get("stack", ()) if found is not None else ()
        if definitions and definitions[-1].scope == "session":  # the last is the one it gets
            item.add_marker(pytest.mark.stack)
