"""What `trimtab doctor` looks at: each check returns what it found, or raises what is wrong."""

import urllib.error
import urllib.request
from collections.abc import Callable

import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from trimtab.configuration import HIDDEN
from trimtab.domain.errors import InvalidValueError, UnreachableError
from trimtab.settings import Settings

PATIENCE_SECONDS = 3


def kafka(settings: Settings) -> str:
    """The brokers answer."""
    address = settings.kafka.bootstrap_servers
    client = AdminClient({"bootstrap.servers": address, "log_level": 0})
    try:
        cluster = client.list_topics(timeout=PATIENCE_SECONDS)
    except KafkaException as error:
        raise UnreachableError("Kafka", address, error.args[0].str()) from None
    return f"{len(cluster.brokers)} broker(s), {len(cluster.topics)} topics at {address}"


def registry(settings: Settings) -> str:
    """The schema registry answers."""
    url = settings.registry.url.rstrip("/")
    body = _get("schema registry", f"{url}/subjects")
    return f"{body.count(b'-value')} subjects at {url}"


def postgres(settings: Settings) -> str:
    """The ledger's database lets this process in."""
    try:
        with psycopg.connect(settings.postgres.dsn.get_secret_value(), connect_timeout=PATIENCE_SECONDS) as connection:
            return f"PostgreSQL {connection.info.server_version // 10_000} at {_address(connection.info)}"
    except psycopg.OperationalError as error:
        raise UnreachableError("PostgreSQL", "postgres.dsn", str(error).splitlines()[0]) from None
    except psycopg.ProgrammingError:  # its message shows the text, and with it the password
        raise InvalidValueError("postgres.dsn", HIDDEN, "postgresql://role:password@host:port/database") from None


def _address(info: psycopg.ConnectionInfo) -> str:
    return f"{info.host}:{info.port}, database {info.dbname}, role {info.user}"


def _get(part: str, url: str) -> bytes:
    try:
        with urllib.request.urlopen(url, timeout=PATIENCE_SECONDS) as answer:  # noqa: S310 - the settings allow http alone
            return bytes(answer.read())
    except (urllib.error.URLError, OSError, ValueError) as error:
        raise UnreachableError(part, url, str(getattr(error, "reason", error))) from None


CHECKS: dict[str, Callable[[Settings], str]] = {"Kafka": kafka, "schema registry": registry, "PostgreSQL": postgres}
