"""Fixtures for every suite. (This folder is on the path, so suites can import what stands beside this file.)"""

import logging
import os
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import hypothesis
import pytest
import structlog
from xdist.scheduler import LoadScopeScheduling

from simulated_exchange import SimulatedExchange, simulated_exchange

# No test is about time: an example may take long on a busy machine.
hypothesis.settings.register_profile("trimtab", deadline=None)
hypothesis.settings.load_profile("trimtab")

pytest_plugins = ["stack", "ledger_fixtures", "ledger_worlds"]


@pytest.fixture
async def exchange(tmp_path: Path) -> AsyncIterator[SimulatedExchange]:
    """A simulated exchange of its own, on a synthetic market that runs in real time."""
    async with simulated_exchange(tmp_path, "--synthetic", "7") as running:
        yield running


def pytest_addoption(parser: pytest.Parser) -> None:
    """How much of what a seed stands for is run; more than by default is a matter of patience."""
    parser.addoption("--fuzz-requests", type=int, default=1_500, help="Seeded requests to the simulated exchange.")
    parser.addoption("--fuzz-seed", type=int, default=1, help="Their seed.")


@pytest.fixture
def fuzz(request: pytest.FixtureRequest) -> tuple[int, int]:
    """Seed and number of the requests to ask."""
    return request.config.getoption("--fuzz-seed"), request.config.getoption("--fuzz-requests")


@pytest.fixture(autouse=True)
def _logs_as_imported() -> Iterator[None]:
    """Undo what a command under test says about logs: it holds for the whole process, the next tests included."""
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    logging.captureWarnings(capture=False)
    structlog.reset_defaults()


@pytest.fixture
def unset(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what trimtab would read from the environment."""
    for name in list(os.environ):
        if name.startswith("TRIMTAB_"):
            monkeypatch.delenv(name)


class Rooms(LoadScopeScheduling):  # type: ignore[misc]  # xdist's schedulers are not typed as a base
    """What stays on one worker: a file, and all that runs whole pipelines: two at once are a load no test is about."""

    def _split_scope(self, nodeid: str) -> str:
        file = nodeid.split("::", 1)[0]
        return "pipelines" if "e2e" in Path(file).parts else file


def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Rooms:
    """Share the suites between the workers room by room."""
    return Rooms(config, log)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what runs on the shared Kafka, registry and PostgreSQL, so that it can be run on another provider's too."""
    for item in items:
        found = getattr(item, "_fixtureinfo", None)
        definitions = found.name2fixturedefs.get("stack", ()) if found is not None else ()
        if definitions and definitions[-1].scope == "session":  # the last is the one it gets
            item.add_marker(pytest.mark.stack)
