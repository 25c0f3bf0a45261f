"""`python -m trimtab.cli.resident`: the embedded stack, a simulated exchange and all services, until told to stop.

`trimtab up` starts it detached; it writes `ready.json` when everything works and removes it at the end.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from decimal import Decimal
from pathlib import Path

import yaml

from trimtab.adapters.redaction import said
from trimtab.cli.books import open_books, open_reports
from trimtab.demo.stage import MarketChoice, Stage
from trimtab.domain.errors import TrimtabError
from trimtab.embedded.cache import write_whole
from trimtab.embedded.errors import RefusedConfigurationError
from trimtab.embedded.events import Journal, ignore
from trimtab.exits import exit_code
from trimtab.settings import Settings

ACCOUNT = "binance-main"
# What the account has at the first start, on the venue's side; later, what the ledger says it has.
BALANCES = {"USDT": Decimal(50_000), "BTC": Decimal("0.5"), "ETH": Decimal(5)}
READY = "ready.json"
EVENTS = "events.log"
STOPPED = "trimtab down"
_REST_SECONDS_MAX = 30.0
_POLL_SECONDS = 0.25


class KeptMarket(MarketChoice):
    """A market whose exchange may be started again beside a ledger that was kept."""

    def arguments(self) -> tuple[str, ...]:
        """Return the exchange's command line."""
        return (*super().arguments(), "--ids-from-clock")


def live(folder: Path, market: MarketChoice) -> None:
    """Run everything until SIGTERM or SIGINT. Call it from the main thread.

    Raises:
        TrimtabError: if something does not come up.

    """
    stop = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    ready = folder / READY
    journal = Journal(folder / EVENTS, ignore)
    stage = Stage(folder, market, on_event=lambda event: journal.tell(event.part, event.kind, event.text))
    try:
        _start(stage)
        write_whole(ready, json.dumps(_description(stage)))
        stop.wait()
        asyncio.run(_rest(stage.settings()))
    finally:
        ready.unlink(missing_ok=True)
        stage.stop()


def _start(stage: Stage) -> None:
    sim = stage.start_exchange()  # first: a tape that does not hold is said at once
    symbols = sorted(sim.prices())
    instruments = [f"{symbol.removesuffix('USDT')}/USDT" for symbol in symbols if symbol.endswith("USDT")]
    if not instruments:
        raise RefusedConfigurationError(f"--tape: found markets {', '.join(symbols)}; allowed: some in USDT")
    stage.start_stack()
    kept = asyncio.run(_kept_balances(stage.settings()))
    stage.open_accounts({ACCOUNT: kept or BALANCES}, {})
    stage.write_settings(instruments)
    stage.start_services()
    sim.resume()
    asyncio.run(_go_on(stage.settings()))


async def _kept_balances(settings: Settings) -> dict[str, Decimal]:
    """Return what the ledger has in the account, over all holders: the exchange itself remembers nothing."""
    balances: dict[str, Decimal] = {}
    async with open_reports(settings) as reports:
        for held in await reports.positions():
            if held.account == ACCOUNT:
                balances[held.asset] = balances.get(held.asset, Decimal(0)) + held.posted
    return balances


async def _rest(settings: Settings) -> None:
    """Halt everything and wait until open orders are taken back: the exchange will not remember them."""
    async with open_books(settings) as ledger:
        if any(each.kill_reason for each in await ledger.reports.status()):
            return
        async with ledger.transaction() as book:
            await book.throw_switch("all", "", STOPPED, 0)
        await ledger.relay.drain()
        deadline = time.monotonic() + _REST_SECONDS_MAX
        while any(each.open_parents for each in await ledger.reports.status()) and time.monotonic() < deadline:  # noqa: ASYNC110 - other processes take them back
            await asyncio.sleep(_POLL_SECONDS)


async def _go_on(settings: Settings) -> None:
    """Lift the halt of the last stop, and no other."""
    async with open_books(settings) as ledger:
        if any(each.kill_reason == STOPPED for each in await ledger.reports.status()):
            async with ledger.transaction() as book:
                await book.clear_switch("all", "", 0)


def _description(stage: Stage) -> dict[str, object]:
    """Write the settings that the command line needs, and say where everything is."""
    document = yaml.safe_load(stage.settings_file.read_text())
    document["postgres"] = {"dsn": stage.dsn("cli")}
    settings = stage.folder / "cli.yaml"
    write_whole(settings, yaml.safe_dump(document))
    addresses = stage.stack.addresses
    return {
        "pid": os.getpid(),
        "settings": str(settings),
        "kafka": addresses.kafka,
        "registry": addresses.registry,
        "postgres": addresses.postgres_without_password,
        "exchange": stage.sim.base,
        "account": ACCOUNT,
        "logs": str(stage.folder / "logs"),
    }


def main(arguments: Sequence[str]) -> None:
    """Run with a folder and the market's options as JSON."""
    folder, options = arguments
    try:
        wanted = json.loads(options)
        tapes = tuple(Path(tape) for tape in wanted.pop("tapes"))
        live(Path(folder), KeptMarket(tapes=tapes, **wanted))
    except TrimtabError as error:
        sys.stderr.writelines(f"error: {line}\n" for line in said(str(error)).splitlines())
        sys.exit(exit_code(error))


if __name__ == "__main__":
    main(sys.argv[1:])
