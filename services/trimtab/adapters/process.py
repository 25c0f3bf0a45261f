"""A service as a process: settings, logs, metrics and Kafka ready; an orderly end; clear words when one is missing."""

import asyncio
import functools
import gc
import os
import signal
import socket
import sys
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TypeVar

import stamina
import structlog
import uvloop
from structlog.typing import FilteringBoundLogger

from trimtab.adapters.avro import Codec, load_codec
from trimtab.adapters.clock import SystemClock
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.adapters.logs import configure_logs
from trimtab.adapters.metrics import PrometheusMeter, serve_metrics
from trimtab.adapters.redaction import hide, said
from trimtab.domain.errors import TrimtabError, UnreachableError
from trimtab.exits import DOES_NOT_HOLD, exit_code
from trimtab.settings import Settings, load_settings
from trimtab.settings.secret_values import secret_values

_RETRY_SECONDS_MAX = 10.0
_COLLECTOR_THRESHOLDS = (10_000, 20, 50)
_SWITCH_SECONDS = 0.0005

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Process:
    """What every service stands on. `instance` names this process among all others of its kind, at each start anew."""

    name: str
    instance: str
    settings: Settings
    log: FilteringBoundLogger
    meter: PrometheusMeter
    clock: SystemClock
    codec: Codec
    publisher: KafkaPublisher


def run_service(name: str, flow: Callable[[Process], Awaitable[None]]) -> None:
    """Run a service until SIGTERM or SIGINT, or until its flow ends.

    Exits with 2 on a configuration error, with 3 when a part is gone for good and with 1 when the flow gives up, and
    says why in one line. What does not answer at the start is waited for, with growing pauses.
    """
    try:
        settings = load_settings()
        secrets = secret_values(settings)
        hide(secrets)
        configure_logs(settings.log, name, secrets)
        threading.excepthook = _thread_failed
        meter = PrometheusMeter()
        serve_metrics(settings.metrics, meter)
        _quicken()
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_run(name, settings, meter, flow))
    except TrimtabError as error:
        _exit(error)
    except Exception:  # noqa: BLE001 - nobody's fault but ours: the logs say where, without secrets
        structlog.get_logger(f"trimtab.{name}").exception("failed")
        sys.exit(DOES_NOT_HOLD)


def _thread_failed(failure: threading.ExceptHookArgs) -> None:
    """Log what ended a thread: the interpreter's own words would show secrets."""
    structlog.get_logger("trimtab.thread").error(
        "thread failed",
        thread=failure.thread.name if failure.thread else "",
        exc_info=(failure.exc_type, failure.exc_value, failure.exc_traceback),
    )


def _quicken() -> None:
    """Set the interpreter up for short waits rather than for throughput."""
    # What was imported stays: the collector need not look at it again, and the other collections become rare.
    gc.collect()
    gc.freeze()
    gc.set_threshold(*_COLLECTOR_THRESHOLDS)
    # An event loop that wants to run waits at most this long for a thread that decodes.
    sys.setswitchinterval(_SWITCH_SECONDS)


def _exit(error: TrimtabError) -> None:
    for line in said(str(error)).splitlines():
        print(f"error: {line}", file=sys.stderr)  # noqa: T201 - the last word of a process, whatever its logs look like
    sys.exit(exit_code(error))


async def _run(
    name: str, settings: Settings, meter: PrometheusMeter, flow: Callable[[Process], Awaitable[None]]
) -> None:
    task = asyncio.current_task()
    assert task is not None
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, task.cancel)
    try:
        async with open_process(name, settings, meter) as process:
            process.log.info("started", instance=process.instance)
            await flow(process)
    except asyncio.CancelledError:
        structlog.get_logger(f"trimtab.{name}").info("stopped")
    except BaseExceptionGroup as group:
        raise _first(group) from group


@asynccontextmanager
async def open_process(name: str, settings: Settings, meter: PrometheusMeter) -> AsyncIterator[Process]:
    """Open what a process stands on; a registry that does not answer is waited for."""
    ask = functools.partial(load_codec, settings.registry.url, settings.kafka.topic_prefix, wait_seconds=0.1)
    codec = await patiently(lambda: asyncio.to_thread(ask))
    clock = SystemClock()
    instance = f"{name}@{socket.gethostname()}:{os.getpid()}:{clock.now_us()}"
    publisher = KafkaPublisher(settings.kafka, codec, client_id=f"trimtab-{name}", meter=meter)
    try:
        log = structlog.get_logger(f"trimtab.{name}")
        yield Process(name, instance, settings, log, meter, clock, codec, publisher)
    finally:
        await publisher.close()


def _first(group: BaseExceptionGroup[BaseException]) -> BaseException:
    """Return what a group of loops failed with: the first error, however deep."""
    first = group.exceptions[0]
    return _first(first) if isinstance(first, BaseExceptionGroup) else first


async def patiently(call: Callable[[], Awaitable[T]]) -> T:
    """Call until it works: a part that does not answer is said once a try, and waited for with growing pauses."""
    log = structlog.get_logger("trimtab.start")
    async for attempt in stamina.retry_context(
        on=UnreachableError, attempts=None, timeout=None, wait_max=_RETRY_SECONDS_MAX
    ):
        with attempt:
            try:
                return await call()
            except UnreachableError as error:
                log.warning("not there yet, trying again", reason=str(error), attempt=attempt.num)
                raise
    raise AssertionError("retries without a limit do not end")
