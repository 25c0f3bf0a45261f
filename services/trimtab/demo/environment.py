"""What the caller's environment may not hold when everything is started on this machine."""

import os

from trimtab.configuration import HIDDEN, ConfigurationError, Problem
from trimtab.settings import FILE_VARIABLE, load_settings

# The processes inherit the environment, and it wins over the file that is written for them.
_OF_ITS_OWN = ("TRIMTAB_KAFKA", "TRIMTAB_REGISTRY", "TRIMTAB_POSTGRES", "TRIMTAB_VENUES", "TRIMTAB_ACCOUNTS")


def require_own_environment() -> None:
    """Find out before anything is started whether a variable would lead a process elsewhere, or stop it.

    Raises:
        ConfigurationError: with every such variable.

    """
    problems = [
        Problem(name, HIDDEN, "nothing: a stack, a venue and accounts of its own are used")
        for name in sorted(os.environ)
        if name.upper().split("__")[0] in _OF_ITS_OWN
    ]
    if problems:
        raise ConfigurationError("environment", problems)
    os.environ.pop(FILE_VARIABLE, None)  # another installation's; every process here gets its own
    load_settings()
