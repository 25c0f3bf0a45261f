"""Runs the embedded stack's commands; an error is one line and its own exit code."""

import sys

from trimtab.embedded.commands import app
from trimtab.embedded.errors import StackError


def main() -> None:
    """Run one command."""
    try:
        app(prog_name="python -m trimtab.embedded")
    except StackError as error:
        sys.stderr.write(f"error: {error}\n")
        sys.exit(error.exit_code)


if __name__ == "__main__":
    main()
