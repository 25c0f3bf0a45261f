"""What `trimtab doctor` looks at: each check returns what it found, or raises what is wrong."""

import asyncio
from collections.abc import Callable, Sequence

import psycopg
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from trimtab.adapters.kafka.admin import check_topics
from trimtab.adapters.kafka.client import client_config
from trimtab.adapters.postgres.deploy import require_newest
from trimtab.adapters.postgres.failures import address_of, translated
from trimtab.adapters.postgres.reports import OpenBreak
from trimtab.adapters.registry import SchemaRegistry, subject_of
from trimtab.adapters.venues.registry import OpenAccount, accounts_of
from trimtab.cli.books import open_reports
from trimtab.domain.errors import InvalidValueError, TrimtabError, UnreachableError
from trimtab.ports.venue import Unknown
from trimtab.settings import Settings
from trimtab.topics import TOPICS

PATIENCE_SECONDS = 3
OUTBOX_SECONDS_MAX = 30  # they leave at once, and are swept up every second


class DifferenceError(TrimtabError):
    """Something is there, and not as it should be."""


def kafka(settings: Settings) -> str:
    """The brokers answer."""
    address = settings.kafka.bootstrap_servers
    reasons: list[str] = []  # what the client says of the connection: a password that is refused, a certificate
    client = AdminClient(client_config(settings.kafka, "trimtab-doctor", lambda error: reasons.append(error.str())))
    try:
        brokers = client.list_topics(timeout=PATIENCE_SECONDS).brokers
    except KafkaException as error:
        client.poll(0)
        raise UnreachableError("Kafka", address, reasons[0] if reasons else error.args[0].str()) from None
    return f"{len(brokers)} broker(s) at {address}"


def registry(settings: Settings) -> str:
    """The schema registry answers."""
    found = SchemaRegistry(settings.registry.url)
    subjects = sum(found.exists(subject_of(topic.name, settings.kafka.topic_prefix)) for topic in TOPICS)
    return f"{subjects} of {len(TOPICS)} subjects at {found.address}"


def topics(settings: Settings) -> str:
    """Topics and schemas are as the manifest says."""
    rows = check_topics(settings)
    if rows:
        more = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
        raise DifferenceError(f"{rows[0].subject}: {rows[0].what}{more}; run trimtab topics apply")
    return "as the manifest says"


def postgres(settings: Settings) -> str:
    """The ledger's database lets this process in."""
    dsn = settings.postgres.dsn.get_secret_value()
    with translated(address_of(dsn)), psycopg.connect(dsn, connect_timeout=PATIENCE_SECONDS) as connection:
        return f"role {connection.info.user} at {address_of(dsn)}"


def migrations(settings: Settings) -> str:
    """The database is at this version's migration."""
    require_newest(settings.postgres.dsn.get_secret_value())
    return "newest"


def outbox(settings: Settings) -> str:
    """What the ledger tells others leaves it soon."""
    waiting, allowed = asyncio.run(_outbox_lag(settings)), f"allowed: at most {OUTBOX_SECONDS_MAX} s"
    if waiting > OUTBOX_SECONDS_MAX:
        raise DifferenceError(
            f"the oldest message has waited {waiting:.0f} s to leave; {allowed}. Executor and reconciler send them: do "
            "they run, and reach Kafka?"
        )
    return f"the oldest message has waited {waiting:.1f} s to leave; {allowed}"


async def _outbox_lag(settings: Settings) -> float:
    async with open_reports(settings) as reports:
        return await reports.outbox_lag_seconds()


def breaks(settings: Settings) -> str:
    """Ledger and venue agree, and no portfolio is still halted because they did not."""
    standing, halted = asyncio.run(_breaks(settings))
    found = [f"{each.account}: {each.kind} {each.detail or each.asset}" for each in standing]
    found += [f"{portfolio} is halted: {reason}" for portfolio, reason in halted.items()]
    if found:
        more = f" and {len(found) - 1} more" if len(found) > 1 else ""
        raise DifferenceError(f"{found[0]}{more}; trimtab status shows all of it")
    return "none"


async def _breaks(settings: Settings) -> tuple[Sequence[OpenBreak], dict[str, str]]:
    async with open_reports(settings) as reports:
        return await reports.breaks(), await reports.halted_by_difference()


def accounts(settings: Settings) -> str:
    """Every venue account answers, with a key that may trade and not withdraw."""
    if not settings.accounts:
        raise InvalidValueError("accounts", {}, "at least one venue account")
    return asyncio.run(_accounts(settings))


async def _accounts(settings: Settings) -> str:
    async with accounts_of(settings) as venues:
        return "; ".join([f"{name}: {await _account(name, venue)}" for name, venue in venues.items()])


async def _account(name: str, venue: OpenAccount) -> str:
    balances = await venue.balances()
    if isinstance(balances, Unknown):
        raise UnreachableError(f"venue account {name}", venue.name, balances.reason)
    return f"{len(balances)} assets"


CHECKS: dict[str, Callable[[Settings], str]] = {
    "Kafka": kafka,
    "schema registry": registry,
    "topics": topics,
    "PostgreSQL": postgres,
    "migrations": migrations,
    "outbox": outbox,
    "breaks": breaks,
    "venue accounts": accounts,
}
