"""How a command starts that needs more than its arguments."""

from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from trimtab.cli.options import SECONDS_MAX
from trimtab.cli.output import say
from trimtab.domain.errors import UnreachableError

if TYPE_CHECKING:
    from trimtab.settings import Settings

T = TypeVar("T")
Wait = Annotated[
    float,
    typer.Option("--wait", min=0, max=SECONDS_MAX, help="Seconds to wait for a part that does not answer yet."),
]


def started() -> "Settings":
    """Read the settings and send this process's logs to standard error.

    Raises:
        ConfigurationError: with every problem of the settings.

    """
    from trimtab.adapters.logs import configure_logs
    from trimtab.adapters.redaction import hide
    from trimtab.settings import load_settings
    from trimtab.settings.secret_values import secret_values

    settings = load_settings()
    secrets = secret_values(settings)
    hide(secrets)
    # A command says what it did itself; the services' running commentary would only hide it.
    level = "warning" if settings.log.level == "info" else settings.log.level
    configure_logs(settings.log.model_copy(update={"level": level, "format": "console"}), "cli", secrets)
    return settings


def answered(call: Callable[[], T], seconds: float) -> T:
    """Return what `call` returns, called again for so long while a part does not answer.

    Raises:
        UnreachableError: if it still does not.

    """
    import stamina

    stamina.instrumentation.set_on_retry_hooks([])  # what is waited for is said here, in words
    if seconds > 0:
        for attempt in stamina.retry_context(on=UnreachableError, attempts=None, timeout=seconds, wait_max=2.0):
            with attempt:
                try:
                    return call()
                except UnreachableError as error:
                    say(f"waiting: {error}")
                    raise
    return call()
