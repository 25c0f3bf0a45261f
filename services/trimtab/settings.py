"""Every setting of trimtab, read once, checked, frozen.

Values come from a YAML file (named by `TRIMTAB_SETTINGS`) and from the environment, which wins:
`TRIMTAB_KAFKA__BOOTSTRAP_SERVERS` sets `kafka.bootstrap_servers`. Unknown keys are errors.
"""

import os
import re
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from trimtab.configuration import (
    HIDDEN,
    HTTP_URL,
    TOPIC_PREFIX,
    WEBSOCKET_URL,
    ConfigurationError,
    Described,
    Problem,
    meant,
    one_of,
    problems_of,
    refuse,
)
from trimtab.domain.errors import InvalidValueError
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

Port = Annotated[int, Field(ge=0, le=65535)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class _Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class KafkaSettings(_Section):
    """The broker, and how this installation's topics are named."""

    bootstrap_servers: str = Field("127.0.0.1:9092", min_length=1)
    topic_prefix: str = Field("", pattern=TOPIC_PREFIX)
    session_timeout_seconds: Seconds = 6.0


class RegistrySettings(_Section):
    """A Confluent-compatible schema registry."""

    url: str = Field("http://127.0.0.1:8081", pattern=HTTP_URL)


def _secret(path: str, file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").strip()
    except OSError as error:
        raise refuse(Problem(path, str(file), f"a readable file ({error.strerror})")) from None


def _with_password(dsn: str, password: str) -> str:
    """Return a connection string with a password, in libpq's two forms: an address, or keys and values."""
    if "://" in dsn:
        return f"{dsn}{'&' if '?' in dsn else '?'}password={quote(password, safe='')}"
    escaped = password.replace("\\", r"\\").replace("'", r"\'")
    return f"{dsn} password='{escaped}'"


class PostgresSettings(_Section):
    """The shadow ledger's database. `dsn` is this process's own role; `admin_dsn` is for migrations only.

    A password may stand in a file of its own (a mounted secret); it is added to the address when the settings are read.
    """

    dsn: SecretStr = SecretStr("postgresql://trimtab@127.0.0.1:5432/trimtab")
    password_file: Path | None = None
    admin_dsn: SecretStr | None = None
    admin_password_file: Path | None = None

    @model_validator(mode="before")
    @classmethod
    def _with_passwords(cls, given: object) -> object:
        if not isinstance(given, dict):
            return given
        values = {"dsn": cls.model_fields["dsn"].default.get_secret_value()} | given
        for prefix in ("", "admin_"):
            dsn, file = values.get(f"{prefix}dsn"), values.get(f"{prefix}password_file")
            if isinstance(dsn, str) and isinstance(file, str):
                values[f"{prefix}dsn"] = _with_password(dsn, _secret(f"{prefix}password_file", Path(file)))
        return values


class LogSettings(_Section):
    """Structured logs on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class MetricsSettings(_Section):
    """Prometheus endpoint of a service; port 0 takes a free one, None switches it off."""

    host: str = "127.0.0.1"
    port: Port | None = None


class VenueSettings(_Section):
    """One venue: which ccxt class speaks to it, and where (None means the venue's own address)."""

    kind: Literal["binance"] = "binance"
    rest_url: str | None = Field(None, pattern=HTTP_URL)
    websocket_url: str | None = Field(None, pattern=WEBSOCKET_URL)
    instruments: tuple[str, ...] = ()
    requests_per_second: float = Field(20.0, gt=0)  # 80 % of the venue's limit
    recv_window_ms: int = Field(2_000, ge=100, le=60_000)
    clock_skew_ms: int = Field(500, ge=0, le=10_000)
    request_timeout_ms: int = Field(5_000, ge=100, le=60_000)


class AccountSettings(_Section):
    """One account at a venue. Keys come from files (a mounted secret) or, for the simulated exchange, directly."""

    venue: str
    api_key: SecretStr | None = None
    secret: SecretStr | None = None
    api_key_file: Path | None = None
    secret_file: Path | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "AccountSettings":
        problems = []
        for name in ("api_key", "secret"):
            direct, file = getattr(self, name) is not None, getattr(self, f"{name}_file") is not None
            if direct == file:
                found = "both" if direct else None
                problems.append(Problem(name, found, f"exactly one of {name} and {name}_file"))
        if problems:
            raise refuse(*problems)
        return self

    def credentials(self) -> tuple[str, str]:
        """Return (key, secret), read now.

        Raises:
            InvalidValueError: if a named file cannot be read.

        """
        return self._read("api_key"), self._read("secret")

    def _read(self, name: str) -> str:
        value: SecretStr | None = getattr(self, name)
        if value is not None:
            return value.get_secret_value()
        path: Path = getattr(self, f"{name}_file")
        try:
            return path.read_text().strip()
        except OSError as error:
            raise InvalidValueError(
                f"accounts.*.{name}_file", str(path), f"a readable file ({error.strerror})"
            ) from None


class IngestSettings(_Section):
    """How market data become frames."""

    frame_interval_ms: int = Field(10, ge=1, le=10_000)
    frames_saved_max: int = Field(5, ge=1, le=1_000)  # so many may follow at once after a quiet moment
    full_frame_interval_ms: int = Field(1_000, ge=10, le=600_000)
    ladder_levels: int = Field(10, ge=1, le=100)


class DriftSettings(_Section):
    """How decisions are made; everything here is part of what a replay needs."""

    signal_lifetime_seconds: int = Field(60, ge=1, le=86_400)
    quote_age_max_seconds: float = Field(10.0, gt=0)
    region_scale: Decimal = Decimal("0.8")  # k of the band's formula
    trigger: Decimal = Decimal("1.25")
    landing: Decimal = Decimal("0.75")
    safety_factor: Decimal = Decimal(1)
    impact_coefficient: Decimal = Decimal("0.7")  # Y of the square-root law, 0.5 to 1
    risk_half_life_seconds: float = Field(3_600.0, gt=0)
    risk_sample_seconds: float = Field(1.0, gt=0)
    risk_observations_min: int = Field(10, ge=2)
    risk_publish_seconds: float = Field(5.0, gt=0)
    dlq_records_per_minute_max: int = Field(60, ge=1)


class ExecutorSettings(_Section):
    """How orders are worked."""

    depth_share_max: Decimal = Field(Decimal("0.01"), gt=0, le=1)
    rest_seconds_min: float = Field(2.0, gt=0)  # event time a child rests before it is re-priced
    patience_seconds: float = Field(15.0, gt=0)  # event time the passive fill probability looks ahead
    lookup_interval_seconds: Seconds = 0.25
    lookup_after_ms: int = Field(500, ge=0)  # age at which an unanswered order is looked up
    lookups_for_absence: int = Field(3, ge=1)
    outbox_sweep_seconds: Seconds = 1.0
    lease_seconds: Seconds = 6.0


class ReconcilerSettings(_Section):
    """How ledger and venue are compared."""

    compare_interval_seconds: Seconds = 5.0
    missed_fill_after_ms: int = Field(3_000, ge=0)  # age at which an open order is asked for fills not heard of
    tolerance: Decimal = Field(Decimal("0.00000001"), ge=0)


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
    if isinstance(value, dict | list):
        value = Described("a mapping" if isinstance(value, dict) else "a list")
    elif value is not None and secret:
        value = HIDDEN
    elif isinstance(value, str):
        value = re.sub(r"//[^/@\s]+@", "//…@", value)
    return Problem(variable if variable in names else problem.path, value, problem.allowed)
