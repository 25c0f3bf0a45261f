"""A real Kafka, registry and PostgreSQL for suites that need them, and fixtures bound to it.

`TRIMTAB_TEST_STACK` chooses who provides it: `embedded` (child processes), `containers` (a Docker engine), or `auto`,
the default: containers where an engine answers, else embedded. The suites are the same. `TRIMTAB_TEST_ADDRESSES` names
the `addresses.json` in the folder of an embedded stack that runs already (or a JSON file of the four addresses of any
other); it is left running.
"""

import json
import os
import shutil
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from confluent_kafka.admin import AdminClient
from psycopg import conninfo, sql

from trimtab.adapters.avro import Codec, load_codec
from trimtab.adapters.kafka.admin import apply_topics
from trimtab.adapters.postgres.deploy import migrate
from trimtab.settings import KafkaSettings, PostgresSettings, RegistrySettings, Settings

KAFKA_IMAGE = "confluentinc/cp-kafka:8.3.1"
REGISTRY_IMAGE = "apicurio/apicurio-registry:3.3.3"
POSTGRES_IMAGE = "postgres:18"
START_SECONDS_MAX = 120


@dataclass(frozen=True)
class Addresses:
    """Where the parts are reached; `postgres_admin` may make databases, `postgres` owns those made for tests."""

    kafka: str
    registry: str
    postgres: str
    postgres_admin: str


@contextmanager
def embedded_stack() -> Iterator[Addresses]:
    """Run the parts as child processes, in a folder that is removed."""
    from trimtab.embedded.supervisor import Stack  # noqa: PLC0415 - only this provider needs it
    from trimtab.embedded.warm import prepare  # noqa: PLC0415 - as above

    folder = Path(tempfile.mkdtemp(prefix="trimtab-test-"))
    try:
        prepare()
        with Stack(folder):
            yield read_addresses(folder / "addresses.json")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_addresses(file: Path) -> Addresses:
    """Return the addresses in a file; beside an embedded stack's lie the passwords, the administrator's too."""
    found = json.loads(file.read_text())
    passwords = file.with_name("secrets.json")
    if passwords.exists():
        password = json.loads(passwords.read_text())["postgres"]
        admin = conninfo.make_conninfo(found["postgres"], user="postgres", password=password, dbname="postgres")
        found["postgres_admin"] = admin
    return Addresses(**found)


@contextmanager
def container_stack() -> Iterator[Addresses]:
    """Run the parts as containers."""
    os.environ.setdefault("TESTCONTAINERS_RYUK_DISABLED", "true")  # the fixture itself removes what it started
    from testcontainers.community.kafka import KafkaContainer  # noqa: PLC0415 - only this provider needs it
    from testcontainers.community.postgres import PostgresContainer  # noqa: PLC0415 - only this provider needs it
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415 - only this provider needs it

    kafka = (
        KafkaContainer(KAFKA_IMAGE)
        .with_kraft()
        .with_env("KAFKA_GROUP_INITIAL_REBALANCE_DELAY_MS", "0")
        .with_env("KAFKA_AUTO_CREATE_TOPICS_ENABLE", "false")
        .with_env("KAFKA_OFFSETS_TOPIC_NUM_PARTITIONS", "4")
        .with_kwargs(user="root")  # an image's configuration may be unwritable for its own user
    )
    registry = DockerContainer(REGISTRY_IMAGE).with_exposed_ports(8080, 9000)
    postgres = PostgresContainer(POSTGRES_IMAGE, driver=None)
    with ExitStack() as running:
        for container in (registry, postgres):  # the registry starts while the others are waited for
            running.enter_context(container)
        running.callback(kafka.stop)
        kafka.start(timeout=START_SECONDS_MAX)
        host = registry.get_container_host_ip()
        wait_for(f"http://{host}:{registry.get_exposed_port(9000)}/health/ready")
        yield Addresses(
            kafka=kafka.get_bootstrap_server().removeprefix("PLAINTEXT://"),
            registry=f"http://{host}:{registry.get_exposed_port(8080)}/apis/ccompat/v7",
            postgres=postgres.get_connection_url(),
            postgres_admin=postgres.get_connection_url(),
        )


def wait_for(url: str) -> None:
    deadline = time.monotonic() + START_SECONDS_MAX
    while True:
        try:
            with urllib.request.urlopen(url, timeout=2):
                return
        except OSError as error:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{url}: {error}") from error
            time.sleep(0.2)


def engine_answers() -> bool:
    import docker  # noqa: PLC0415 - only this provider needs it
    from docker.errors import DockerException  # noqa: PLC0415 - only this provider needs it

    try:
        docker.from_env(timeout=5).ping()
    except DockerException:
        return False
    return True


def provider() -> str:
    """Return who provides the stack: attached, containers or embedded."""
    if os.environ.get("TRIMTAB_TEST_ADDRESSES"):
        return "attached"
    chosen = os.environ.get("TRIMTAB_TEST_STACK", "auto")
    if chosen not in {"auto", "embedded", "containers"}:
        raise pytest.UsageError(f"TRIMTAB_TEST_STACK: found {chosen!r}; allowed: auto, containers, embedded")
    if chosen == "auto":
        return "containers" if engine_answers() else "embedded"
    return chosen


@pytest.fixture(scope="session")
def stack() -> Iterator[Addresses]:
    """Addresses of a real Kafka, registry and PostgreSQL, one of each for the whole run."""
    match provider():
        case "attached":
            yield read_addresses(Path(os.environ["TRIMTAB_TEST_ADDRESSES"]))
        case "containers":
            with container_stack() as addresses:
                yield addresses
        case _:
            with embedded_stack() as addresses:
                yield addresses


@pytest.fixture
def topic_prefix() -> str:
    """Topics, groups and subjects of one test, apart from every other's."""
    return f"test-{uuid.uuid4().hex[:10]}."


@pytest.fixture
def bare_settings(stack: Addresses, topic_prefix: str) -> Iterator[Settings]:
    """Settings bound to the stack, under the test's own prefix; no topic is there yet. They are removed afterwards."""
    settings = Settings(
        kafka=KafkaSettings(bootstrap_servers=stack.kafka, topic_prefix=topic_prefix),
        registry=RegistrySettings(url=stack.registry),
        postgres=PostgresSettings(dsn=stack.postgres, admin_dsn=stack.postgres),
    )
    yield settings
    admin = AdminClient({"bootstrap.servers": stack.kafka})
    mine = [name for name in admin.list_topics(timeout=10).topics if name.startswith(topic_prefix)]
    for future in admin.delete_topics(mine).values() if mine else ():
        future.result()


@pytest.fixture
def settings(bare_settings: Settings) -> Settings:
    """Settings bound to the stack, with every topic and schema applied under the test's own prefix."""
    apply_topics(bare_settings)
    return bare_settings


@pytest.fixture
def codec(settings: Settings) -> Codec:
    """The codec of the applied schemas."""
    return load_codec(settings.registry.url, settings.kafka.topic_prefix)


@contextmanager
def fresh_database(stack: Addresses) -> Iterator[str]:
    """Make a migrated database and remove it afterwards; yields its owner's connection string."""
    name = sql.Identifier(f"test_{uuid.uuid4().hex[:12]}")
    owner = sql.Identifier(str(conninfo.conninfo_to_dict(stack.postgres)["user"]))
    with psycopg.connect(stack.postgres_admin, autocommit=True) as session:
        session.execute(sql.SQL("CREATE DATABASE {} OWNER {}").format(name, owner))
    dsn = conninfo.make_conninfo(stack.postgres, dbname=name.as_string().strip('"'))
    try:
        migrate(dsn)
        yield dsn
    finally:
        with psycopg.connect(stack.postgres_admin, autocommit=True) as session:
            session.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


@pytest.fixture
def database(stack: Addresses) -> Iterator[str]:
    """Connection string of a migrated database of one test's own."""
    with fresh_database(stack) as dsn:
        yield dsn


@pytest.fixture(scope="module")
def module_database(stack: Addresses) -> Iterator[str]:
    """Connection string of a migrated database that the tests of one module share."""
    with fresh_database(stack) as dsn:
        yield dsn
