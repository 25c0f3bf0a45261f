"""`trimtab ingest|drift|executor|reconciler`: one process each, until it is told to stop."""

import importlib
from collections.abc import Callable

SERVICES = {
    "ingest": "Turn a venue's market data into ticks, books and frames.",
    "drift": "Decide on every frame which portfolios should trade.",
    "executor": "Turn signals into orders and work them.",
    "reconciler": "Settle fills in the ledger and compare it with the venues.",
}


def service(name: str) -> Callable[[], None]:
    """Return the command that runs a service in this process."""

    def run() -> None:
        importlib.import_module(f"trimtab.{name}.__main__").main()

    run.__doc__ = SERVICES[name]
    return run
