"""Structured logs on standard error: one JSON object a line, with trace and portfolio ids, and no secrets.

Libraries that use the standard library's logging (Faust, ccxt, aiokafka, confluent's client) are written the same way.
"""

import logging
import sys
from collections.abc import Iterable
from typing import TextIO

import orjson
import stamina
import structlog
from structlog.typing import EventDict, Processor

from trimtab.adapters import tracing
from trimtab.adapters.redaction import Redaction
from trimtab.settings import LogSettings

# Talkative at info; their warnings are still heard.
_QUIET = ("faust", "mode", "aiokafka", "kafka", "ccxt", "asyncio", "httpx2", "httpcore2", "urllib3", "aiohttp.access")


def configure_logs(
    settings: LogSettings, service: str, secrets: Iterable[str] = (), stream: TextIO | None = None
) -> None:
    """Set the process's logging up, once, at start. `secrets` never appear, whoever logs them.

    `stream` is standard error unless given.
    """
    stream = stream or sys.stderr
    stamina.instrumentation.set_on_retry_hooks([])  # what is waited for is said where it is waited for
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True, key="time"),
        _Stamp(service),
    ]
    final: list[Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
        _Redacted(Redaction(secrets)),
        _json
        if settings.format == "json"
        else structlog.dev.ConsoleRenderer(colors=stream.isatty(), timestamp_key="time"),
    ]
    level = logging.getLevelName(settings.level.upper())
    handler = logging.StreamHandler(stream)
    handler.setFormatter(structlog.stdlib.ProcessorFormatter(processors=final, foreign_pre_chain=shared))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(level, logging.WARNING) if level > logging.DEBUG else level)
    logging.captureWarnings(capture=True)
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *shared,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,  # modules hold their loggers before this is called
    )


class _Stamp:
    """Adds the service's name and the current trace's id."""

    def __init__(self, service: str) -> None:
        self._service = service

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        event["service"] = self._service
        trace = tracing.trace_id()
        if trace:
            event.setdefault("trace_id", trace)
        return event


class _Redacted:
    def __init__(self, redaction: Redaction) -> None:
        self._redaction = redaction

    def __call__(self, _logger: object, _method: str, event: EventDict) -> EventDict:
        return {name: self._redaction.of(value, name) for name, value in event.items()}


def _json(_logger: object, _method: str, event: EventDict) -> str:
    return orjson.dumps(event, default=str, option=orjson.OPT_NON_STR_KEYS).decode()
