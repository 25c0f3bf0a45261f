"""A log for worlds in which nothing may be passed over: what a service would only say of a failure ends the world."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.typing import FilteringBoundLogger

from trimtab.backtest.errors import WorldError


def strict_log() -> FilteringBoundLogger:
    """Return a log that raises WorldError for an error, and says nothing of anything less."""
    found: FilteringBoundLogger = structlog.wrap_logger(
        None, processors=[_raise], wrapper_class=structlog.make_filtering_bound_logger(logging.ERROR)
    )
    return found


def _raise(logger: Any, method: str, event: MutableMapping[str, Any]) -> str:
    del logger, method
    what = event.pop("event")
    event.pop("exc_info", None)
    details = ", ".join(f"{name} {value}" for name, value in event.items())
    raise WorldError(f"{what} ({details})") from sys.exc_info()[1]
