"""`trimtab migrate`: the ledger's database at deploy time."""

from pathlib import Path
from typing import Annotated

import typer

from trimtab.cli.output import Json, result, say
from trimtab.cli.start import Wait, answered, started


def migrate(
    password_file: Annotated[
        list[str] | None,
        typer.Option(help="ROLE=FILE: a role's password, as trimtab_executor=/run/secrets/executor. May repeat."),
    ] = None,
    wait: Wait = 0,
    as_json: Json = False,
) -> None:
    """Make the services' roles and bring the database to the newest migration; needs postgres.admin_dsn."""
    from trimtab.adapters.postgres import deploy
    from trimtab.configuration import ConfigurationError, Problem

    settings = started()
    if settings.postgres.admin_dsn is None:
        raise ConfigurationError(
            "settings", [Problem("postgres.admin_dsn", None, "the address of the database's owner")]
        )
    dsn = settings.postgres.admin_dsn.get_secret_value()
    passwords = dict(_password(text) for text in password_file or ())
    answered(lambda: deploy.migrate(dsn, passwords), wait)
    state = deploy.migration_state(dsn)
    result(
        {"applied": state.applied, "newest": state.newest, "roles": list(deploy.ROLES)},
        as_json=as_json,
        readable=lambda: say(f"the database is at migration {state.applied}"),
    )


def _password(text: str) -> tuple[str, str]:
    role, _, file = text.partition("=")
    try:
        return role, Path(file).read_text(encoding="utf-8").strip()
    except OSError as error:
        raise typer.BadParameter(
            f"found {text!r}; allowed: ROLE=FILE with a readable file ({error.strerror})", param_hint="--password-file"
        ) from None
