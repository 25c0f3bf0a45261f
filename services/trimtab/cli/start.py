"""How a command starts that needs more than its arguments."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from trimtab.settings import Settings


def started() -> "Settings":
    """Read the settings and send this process's logs to standard error.

    Raises:
        ConfigurationError: with every problem of the settings.

    """
    from trimtab.adapters.logs import configure_logs
    from trimtab.settings import load_settings

    settings = load_settings()
    # A command says what it did itself; the services' running commentary would only hide it.
    level = "warning" if settings.log.level == "info" else settings.log.level
    configure_logs(settings.log.model_copy(update={"level": level, "format": "console"}), "cli")
    return settings
