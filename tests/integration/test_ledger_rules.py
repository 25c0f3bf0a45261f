"""Every rule of the ledger, attacked with plain SQL: the database itself refuses, whoever writes."""

from decimal import Decimal

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from ledger_fixtures import named
from ledger_worlds import ACCOUNT, NOW_US, PORTFOLIO, LedgerWorld, child_of, execution_of, parent_of
from trimtab.adapters.postgres.deploy import ROLES
from trimtab.domain.errors import LedgerRefusedError
from trimtab.domain.orders import TRANSITIONS, OrderState
from trimtab.ledger.events import order_event


def entry(kind: str) -> str:
    return f"INSERT INTO ledger.entry (entry_id, kind, holder, event_time_us) VALUES ('e', '{kind}', 'core', 1);"


def posting(line: int, holder: str, amount: str, entry_id: str = "e") -> str:
    return (
        "INSERT INTO ledger.posting (entry_id, line, holder, account, asset, amount)"
        f" VALUES ('{entry_id}', {line}, '{holder}', 'main', 'BTC', {amount});"
    )


EXPLAIN = "UPDATE ledger.break SET explained_by = 'core';"


def found_break(change: str) -> str:
    """An open break of account main that lacks 1 BTC, changed so."""
    return (
        "INSERT INTO ledger.break (event_id, portfolio_id, venue, account, kind, asset, ledger, at_venue, difference,"
        " first_seen_us, event_time_us, resolution, detail)"
        " VALUES ('b', '', 'binance', 'main', 'unexplained', 'BTC', 2, 1, -1, 1, 1, '', '');"
        f"UPDATE ledger.break SET {change};"
    )


# As the database's owner, whom no right holds back: one attack, then what the database says.
ATTACKS = {
    "an entry without postings": (entry("deposit"), "has no postings"),
    "one side only": (entry("deposit") + posting(1, "core", "1"), "sum to 1.0+, not zero"),
    "sides that differ": (
        entry("deposit") + posting(1, "core", "1") + posting(2, "~external", "-0.999999999999999999"),
        "not zero",
    ),
    "a posting to a finished entry": (posting(9, "core", "1", "{deposit}"), "is finished"),
    "money from an allocation": (entry("allocation") + posting(1, "~external", "-1"), "may not touch ~external"),
    "a holder that is nobody": (
        entry("deposit") + posting(1, "nobody", "1") + posting(2, "~external", "-1"),
        "foreign key",
    ),
    "a balance below zero": (
        entry("withdrawal") + posting(1, "~external", "7") + posting(2, "core", "-7"),
        "balance_covers_reserved",
    ),
    "a kind that nobody knows": (entry("gift"), "entry_kind_check"),
    "an entry changed": ("UPDATE ledger.entry SET kind = 'fee'", "is never changed"),
    "an entry deleted": ("DELETE FROM ledger.entry", "is never changed"),
    "a posting changed": ("UPDATE ledger.posting SET amount = amount * 2", "is never changed"),
    "a posting deleted": ("DELETE FROM ledger.posting", "is never changed"),
    "a signal changed": ("UPDATE ledger.signal SET outcome = 'refused'", "is never changed"),
    "a fill changed": ("UPDATE ledger.fill SET quantity = 5", "settled once"),
    "a fill deleted": ("DELETE FROM ledger.fill", "settled once"),
    "a reservation grown": ("UPDATE ledger.reservation SET remaining = remaining + 1", "only shrinks"),
    "a reservation deleted": ("DELETE FROM ledger.reservation", "never deleted"),
    "a void reservation that still holds": ("UPDATE ledger.reservation SET state = 'voided'", "check constraint"),
    "a version taken back": ("UPDATE ledger.portfolio SET ledger_version = 0", "only rise"),
    "a sequence taken back": ("UPDATE ledger.portfolio SET ledger_sequence = 0", "only rise"),
    "an epoch taken back": ("UPDATE ledger.owner SET epoch = 1", "takes a newer epoch"),
    "an order back to life": ("UPDATE ledger.child_order SET state = 'submitted'", "cannot become submitted"),
    "fills forgotten": ("UPDATE ledger.child_order SET recorded = 0, filled = 0", "never shrinks"),
    "more recorded than filled": ("UPDATE ledger.child_order SET recorded = 9", "recorded_within_filled"),
    "a parent grown": ("UPDATE ledger.parent_order SET quantity = 99", "only shrinks"),
    "a parent released early": (
        "UPDATE ledger.parent_order SET state = 'closed'; UPDATE ledger.parent_order SET state = 'released'",
        "cannot be released",
    ),
    "a message changed": ("UPDATE ledger.outbox SET payload = ''", "marked sent, once"),
    "a message half sent": ("UPDATE ledger.outbox SET sent_at = now()", "check constraint"),
    "an account moved to another venue": ("UPDATE ledger.venue_account SET venue = 'kraken'", "is never changed"),
    "a surplus explained": (found_break("difference = 1") + EXPLAIN, "none that lacks something"),
    "a closed break explained": (found_break("resolution = 'gone'") + EXPLAIN, "none that lacks something"),
    "another kind explained": (found_break("kind = 'missed_fill'") + EXPLAIN, "none that lacks something"),
    "an order of another portfolio said to be unfilled": (
        found_break("kind = 'unknown_order', portfolio_id = 'other', detail = 'order x'") + EXPLAIN,
        "order x is not of portfolio core",
    ),
    "an order said to be unfilled past what the venue told": (
        "UPDATE ledger.child_order SET filled = recorded + 0.001;"
        + found_break(
            "kind = 'unknown_order', portfolio_id = 'core', detail = 'order ' ||"
            " (SELECT client_order_id FROM ledger.child_order LIMIT 1)"
        )
        + EXPLAIN,
        "the venue itself told of executions",
    ),
    "a break explained by who has nothing there": (found_break("account = 'other'") + EXPLAIN, "does not use account"),
}

# What a role may not do; the contract suite does what it may, as that role.
FORBIDDEN = {
    "trimtab_executor": (
        entry("deposit"),
        posting(1, "core", "1"),
        "UPDATE ledger.reservation SET remaining = 0, state = 'voided'",
        "UPDATE ledger.fill SET entry_id = 'e'",
        "UPDATE ledger.parent_order SET filled = 0",
        "UPDATE ledger.child_order SET recorded = 0",
        "UPDATE ledger.portfolio SET document = ''",
        "UPDATE ledger.break SET explained_by = 'core'",
        "INSERT INTO ledger.kill_switch (scope, name, reason) VALUES ('all', '', 'x')",
        "SELECT ledger.prune_outbox(1, 1)",
    ),
    "trimtab_reconciler": (
        "INSERT INTO ledger.signal (signal_id) VALUES ('s')",
        "INSERT INTO ledger.parent_order (parent_id) VALUES ('p')",
        "INSERT INTO ledger.child_order (client_order_id) VALUES ('c')",
        "INSERT INTO ledger.reservation (parent_id) VALUES ('p')",
        "UPDATE ledger.portfolio SET document = ''",
        "INSERT INTO ledger.portfolio (portfolio_id) VALUES ('x')",
        "UPDATE ledger.break SET explained_by = 'core'",
    ),
    "trimtab_cli": (
        entry("deposit"),
        "INSERT INTO ledger.signal (signal_id) VALUES ('s')",
        "INSERT INTO ledger.child_order (client_order_id) VALUES ('c')",
        "INSERT INTO ledger.fill (trade_id) VALUES ('t')",
        "UPDATE ledger.parent_order SET state = 'closed'",
        "UPDATE ledger.owner SET epoch = 99",
        "SELECT ledger.make_partitions(1)",
        "INSERT INTO ledger.break (event_id) VALUES ('b')",
        "UPDATE ledger.break SET resolution = 'booked'",
        "UPDATE ledger.break SET difference = 0",
        "INSERT INTO ledger.watermark (account) VALUES ('main')",
    ),
}
FORBIDDEN_TO_ALL = (
    "UPDATE ledger.entry SET kind = 'fee'",
    "DELETE FROM ledger.entry",
    "UPDATE ledger.posting SET amount = 1",
    "DELETE FROM ledger.posting",
    "TRUNCATE ledger.posting",
    "UPDATE ledger.balance SET posted = 1",
    "INSERT INTO ledger.balance (holder, account, asset, posted) VALUES ('core', 'main', 'ETH', 1)",
    "DELETE FROM ledger.fill",
    "DELETE FROM ledger.outbox",
    "UPDATE ledger.outbox SET payload = ''",
    "INSERT INTO ledger.posting_default (entry_id) VALUES ('e')",
    "CREATE TABLE ledger.mine (x int)",
    "UPDATE public.alembic_version SET version_num = '0'",
    "ALTER TABLE ledger.entry DISABLE TRIGGER ALL",
    "DROP TABLE ledger.entry",
)


@pytest.fixture
async def busy(funded: LedgerWorld) -> LedgerWorld:
    """An accepted buy, partly filled and settled, its child live; 6 BTC are there then."""
    await funded.executor.own("signals/3", "a")
    await funded.executor.own("signals/3", "b")
    parent, child = parent_of(), child_of(parent_of())
    await funded.accept(parent)
    await funded.submit(child)
    await funded.record(parent, child, execution_of(), state=OrderState.PARTIALLY_FILLED)
    await funded.settle("t1")
    async with funded.executor.transaction() as book:
        await book.emit(order_event(parent, child, "", NOW_US, dry_run=False))
    return funded


def commit(dsn: str, statement: str) -> None:
    with psycopg.connect(dsn) as session:
        session.execute(statement.encode())


@pytest.mark.parametrize("attack", ATTACKS)
async def test_no_rule_can_be_broken_with_plain_sql(busy: LedgerWorld, attack: str) -> None:
    statement, answer = ATTACKS[attack]
    (deposit,) = busy.ask("SELECT entry_id FROM ledger.entry WHERE kind = 'deposit' LIMIT 1")
    before = busy.balances()
    with pytest.raises(psycopg.Error, match=answer):
        commit(busy.dsn, statement.replace("{deposit}", str(deposit["entry_id"])))
    assert busy.balances() == before


async def test_balances_are_the_sum_of_their_postings(busy: LedgerWorld) -> None:
    rows = busy.ask(
        "SELECT b.posted, (SELECT sum(amount) FROM ledger.posting p WHERE p.holder = b.holder"
        " AND p.account = b.account AND p.asset = b.asset) AS total FROM ledger.balance b"
    )
    assert rows
    assert all(row["posted"] == row["total"] for row in rows)


async def test_legal_steps_are_those_of_the_domain(ledger_world: LedgerWorld) -> None:
    rows = ledger_world.ask("SELECT before, after FROM ledger.child_step")
    steps = {(str(before), str(after)) for before, afters in TRANSITIONS.items() for after in afters}
    assert {(row["before"], row["after"]) for row in rows} == steps


@pytest.mark.parametrize("role", ROLES)
async def test_a_role_may_do_its_own_job_only(busy: LedgerWorld, role: str) -> None:
    dsn = named(busy.dsn, str(conninfo_to_dict(busy.dsn)["dbname"]), role)
    for statement in (*FORBIDDEN[role], *FORBIDDEN_TO_ALL):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            commit(dsn, statement)


async def test_the_command_line_cannot_make_money(funded: LedgerWorld) -> None:
    async def receive(kind: str) -> None:
        async with funded.cli.transaction() as book:
            await book.transfer("e9", kind, PORTFOLIO, ACCOUNT, "BTC", Decimal(1), 1)

    with pytest.raises(LedgerRefusedError, match="row-level security"):
        await receive("deposit")
    with pytest.raises(LedgerRefusedError, match="allocation may not touch ~external"):
        await receive("allocation")
