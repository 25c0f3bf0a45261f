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
    configure_logs(settings.log, "cli")
    return settings
