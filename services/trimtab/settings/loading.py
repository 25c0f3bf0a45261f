"""All settings together: where they come from, and what is wrong with them."""

import os
import re
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from trimtab.configuration import (
    HIDDEN,
    ConfigurationError,
    Described,
    Problem,
    meant,
    one_of,
    problems_of,
    refuse,
)
from trimtab.settings.addresses import without_password
from trimtab.settings.kafka import KafkaSettings, RegistrySettings
from trimtab.settings.postgres import PostgresSettings
from trimtab.settings.services import (
    DriftSettings,
    ExecutorSettings,
    IngestSettings,
    LogSettings,
    MetricsSettings,
    ReconcilerSettings,
)
from trimtab.settings.venues import AccountSettings, VenueSettings
from trimtab.yaml_text import read_yaml

PREFIX = "TRIMTAB_"
FILE_VARIABLE = "TRIMTAB_SETTINGS"
# a value under such a path may be a secret, or one that was put in the wrong place
_SECRET = re.compile(r"^(accounts|postgres)\b|key|secret|token|passw|dsn", re.IGNORECASE)
# variables that are no settings of the services
OTHER_VARIABLES = frozenset(
    {
        FILE_VARIABLE,
        "TRIMTAB_MAVEN_REPOSITORY",  # the embedded stack's downloads
        "TRIMTAB_TEST_ADDRESSES",  # the test suites' stack
        "TRIMTAB_TEST_POSTGRES",
        "TRIMTAB_TEST_STACK",
        "TRIMTAB_EXCHANGE_PORT",  # docker-compose.yml's
        "TRIMTAB_GRAFANA_PORT",
        "TRIMTAB_PORTFOLIOS",
        "TRIMTAB_PROMETHEUS_PORT",
        "TRIMTAB_REGISTRY_PASSWORD",
        "TRIMTAB_SECRETS",
        "TRIMTAB_VERSION",
    }
)


class Settings(BaseSettings):
    """All of it."""

    model_config = SettingsConfigDict(
        env_prefix="TRIMTAB_",
        env_nested_delimiter="__",
        extra="forbid",
        frozen=True,
        nested_model_default_partial_update=True,
    )

    kafka: KafkaSettings = KafkaSettings()
    registry: RegistrySettings = RegistrySettings()
    postgres: PostgresSettings = PostgresSettings()
    log: LogSettings = LogSettings()
    metrics: MetricsSettings = MetricsSettings()
    venues: dict[str, VenueSettings] = {}
    accounts: dict[str, AccountSettings] = {}
    ingest: IngestSettings = IngestSettings()
    drift: DriftSettings = DriftSettings()
    executor: ExecutorSettings = ExecutorSettings()
    reconciler: ReconcilerSettings = ReconcilerSettings()

    @model_validator(mode="after")
    def _accounts_name_venues(self) -> "Settings":
        unknown = [(name, account.venue) for name, account in self.accounts.items() if account.venue not in self.venues]
        if unknown:
            raise refuse(
                *(Problem(f"accounts.{name}.venue", venue, one_of(self.venues, venue)) for name, venue in unknown)
            )
        lacking = [
            name
            for name, account in self.accounts.items()
            if self.venues[account.venue].kind == "coinbase" and not account.has_passphrase
        ]
        if lacking:
            allowed = "one of passphrase and passphrase_file: Coinbase's keys have one"
            raise refuse(*(Problem(f"accounts.{name}.passphrase", None, allowed) for name in lacking))
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - the signature is pydantic-settings'
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Environment over file over defaults."""
        path = os.environ.get(FILE_VARIABLE)
        file = (InitSettingsSource(settings_cls, _file(path)[0]),) if path else ()
        return (init_settings, env_settings, *file)


def load_settings() -> Settings:
    """Read every setting.

    Raises:
        ConfigurationError: with every problem of the file and of the environment; secrets' values are not shown.

    """
    path = os.environ.get(FILE_VARIABLE)
    problems = [*(_file(path)[1] if path else ()), *_unknown_variables()]
    settings = None
    try:
        settings = Settings()
    except ValidationError as error:
        problems += problems_of(error, Settings)
    except SettingsError as error:
        field = re.findall(r'field "(\w+)"', str(error))
        problems.append(Problem(".".join(field), HIDDEN, "JSON, or one variable a key, joined by __"))
    if settings is None or problems:
        raise ConfigurationError(path or "settings", [_presentable(problem) for problem in problems]) from None
    return settings


def _file(path: str) -> tuple[dict[str, Any], list[Problem]]:
    """Return the settings file's data and its duplicate keys."""
    data, problems = read_yaml(Path(path))
    if data is None:
        data = {}
    if not isinstance(data, dict) or not all(isinstance(key, str) for key in data):
        raise ConfigurationError(path, [Problem("", data, "a mapping of keys to values")])
    return data, problems


def _unknown_variables() -> list[Problem]:
    """Return the TRIMTAB_ variables that set nothing; pydantic reads over those whose first part is no section."""
    known = {f"{PREFIX}{name}".upper(): field for name, field in Settings.model_fields.items()}
    names = {*OTHER_VARIABLES, *known} | {
        f"{variable}__{key}".upper()
        for variable, field in known.items()
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel)
        for key in field.annotation.model_fields
    }
    return [
        Problem(name, HIDDEN, f"names of settings, joined by __{meant(names, name.upper(), PREFIX)}")
        for name in sorted(os.environ)
        if name.upper().startswith(PREFIX)
        and name.upper() not in OTHER_VARIABLES
        and name.upper().split("__")[0] not in known
    ]


def _presentable(problem: Problem) -> Problem:
    """Name the environment variable where it set the value, and show nothing that may be secret."""
    variable = PREFIX + problem.path.replace(".", "__").upper()
    names = {name.upper() for name in os.environ}
    secret = _SECRET.search(problem.path) and not problem.path.endswith((".venue", "_file"))
    value = problem.value
    if isinstance(value, Described):
        pass
    elif isinstance(value, dict | list):
        value = Described("a mapping" if isinstance(value, dict) else "a list")
    elif value is not None and secret:
        value = HIDDEN
    elif isinstance(value, str):
        value = without_password(value)
    return Problem(variable if variable in names else problem.path, value, problem.allowed)
