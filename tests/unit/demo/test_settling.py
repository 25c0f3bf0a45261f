"""The end of a run: it is waited for, and not for ever."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from trimtab.adapters.postgres.opening import PublishingLedger
from trimtab.demo import settling
from trimtab.demo.settling import come_to_rest
from trimtab.demo.sim import Sim
from trimtab.domain.errors import UnreachableError


class Gone:
    """A ledger whose database is gone."""

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Any]:
        raise UnreachableError("PostgreSQL", "here", "it is gone")
        yield


async def test_a_line_that_cannot_be_stopped_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    now, waited = [0.0], list[str]()
    monkeypatch.setattr(settling, "time", SimpleNamespace(monotonic=lambda: now[0]))

    async def pause(what: str) -> None:
        waited.append(what)
        now[0] += 25
        assert len(waited) < 10, "it waits for ever"

    with pytest.raises(UnreachableError, match="it could not be stopped: PostgreSQL at here does"):
        await come_to_rest(cast("PublishingLedger", Gone()), cast("Sim", None), (), pause)

    assert waited == ["stopping"] * 3
