"""The command line against a real Kafka, registry and PostgreSQL."""

import asyncio
import json
import os
import pty
import re
import subprocess
import sys
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from typer.testing import CliRunner, Result

from examples import messages
from stack import Addresses
from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.adapters.postgres.deploy import migration_state
from trimtab.cli import apply as applying
from trimtab.cli.__main__ import app
from trimtab.cli.reading import open_reading
from trimtab.domain.orders import Liquidity
from trimtab.messages import ChargedFee, Costs, Fill, Frame, FrameQuote, InstrumentRules, Targets
from trimtab.settings import Settings
from trimtab.topics import PORTFOLIO_STATE

pytestmark = pytest.mark.integration

SETTINGS = """
kafka: {{bootstrap_servers: "{kafka}", topic_prefix: "{prefix}"}}
registry: {{url: "{registry}"}}
postgres: {{dsn: "{dsn}"}}
venues: {{binance: {{rest_url: "http://127.0.0.1:1", instruments: [BTC/USDT]}}}}
accounts:
  main: {{venue: binance, api_key: key, secret: secret}}
  other: {{venue: binance, api_key: key2, secret: secret}}
"""
AT_US = 1_700_000_000_000_000
PORTFOLIO = "portfolio: core\nquote: USDT\naccounts: [main]\ntargets: {BTC: 0.6, USDT: 0.4}\n"


class Shell:
    """The command line with one settings file."""

    def __init__(self, settings: Path, folder: Path) -> None:
        self._settings = settings
        self.portfolio = folder / "core.yaml"
        self.portfolio.write_text(PORTFOLIO)

    def run(self, *words: str) -> Result:
        clean: dict[str, str | None] = {name: None for name in os.environ if name.startswith("TRIMTAB_")}
        return CliRunner().invoke(app, words, env=clean | {"TRIMTAB_SETTINGS": str(self._settings)})

    def elsewhere(self, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in a process of its own."""
        command = [sys.executable, "-m", "trimtab.cli", *words]
        return subprocess.run(command, env=self._environment(), capture_output=True, text=True, check=True)

    def at_a_terminal(self, answer: str, *words: str) -> "subprocess.CompletedProcess[str]":
        """Run a command whose standard input is a terminal where a person types this answer."""
        ours, theirs = pty.openpty()
        try:
            os.write(ours, f"{answer}\n".encode())
            command = [sys.executable, "-m", "trimtab.cli", *words]
            return subprocess.run(
                command, env=self._environment(), stdin=theirs, capture_output=True, text=True, check=False
            )
        finally:
            os.close(ours)
            os.close(theirs)

    def _environment(self) -> dict[str, str]:
        clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIMTAB_")}
        return clean | {"TRIMTAB_SETTINGS": str(self._settings)}

    def document(self, *words: str, exit_code: int = 0) -> dict[str, Any]:
        ended = self.run(*words, "--json")
        assert ended.exit_code == exit_code, ended.output
        found: dict[str, Any] = json.loads(ended.stdout)
        return found

    def apply(self, *words: str) -> dict[str, Any]:
        return self.document("apply", str(self.portfolio), *words)


@pytest.fixture
def shell(settings: Settings, database: str, tmp_path: Path) -> Shell:
    file = tmp_path / "settings.yaml"
    kafka = settings.kafka
    file.write_text(
        SETTINGS.format(
            kafka=kafka.bootstrap_servers, prefix=kafka.topic_prefix, registry=settings.registry.url, dsn=database
        )
    )
    return Shell(file, tmp_path)


def test_apply_shows_what_changes_and_counts_versions(shell: Shell) -> None:
    assert shell.apply("--dry-run")["version"] == 1
    assert shell.document("status")["portfolios"] == []

    first = shell.apply()
    assert (first["version_before"], first["version"], first["applied"]) == (0, 1, True)
    assert "+ targets.BTC: 0.6" in first["diff"]

    again = shell.apply()
    assert (again["version"], again["changed"], again["applied"]) == (1, False, False)

    shell.portfolio.write_text(PORTFOLIO.replace("0.6", "0.70").replace("0.4", "0.30"))
    second = shell.apply()
    assert second["version"] == 2
    assert second["diff"] == ["- targets.BTC: 0.6", "+ targets.BTC: 0.7", "- targets.USDT: 0.4", "+ targets.USDT: 0.3"]
    assert second["changes"] == [
        {"path": "targets.BTC", "old": "0.6", "new": "0.7"},
        {"path": "targets.USDT", "old": "0.4", "new": "0.3"},
    ]
    (kept,) = shell.document("status")["portfolios"]
    assert kept["version"] == 2
    assert kept["document"]["targets"] == {"BTC": "0.7", "USDT": "0.3"}


def test_a_change_of_policy_is_shown_key_by_key(shell: Shell) -> None:
    shell.apply()
    shell.portfolio.write_text(PORTFOLIO + 'policy: {kind: hybrid, cron: "0 0 * * *", absolute: 0.05}\n')

    ended = shell.run("apply", str(shell.portfolio))

    assert ended.exit_code == 0
    assert ended.stderr == "core: version 2 applied\n"
    rows = [[cell.strip() for cell in line.split("│")[1:-1]] for line in ended.stdout.splitlines() if "│" in line]
    assert rows == [
        ["policy.absolute", "", "0.05"],
        ["policy.cron", "", "0 0 * * *"],
        ["policy.kind", "no_trade_region", "hybrid"],
        ["policy.risk_aversion", "3", ""],
        ["policy.window_seconds", "", "300"],
    ]


@pytest.mark.parametrize(
    ("words", "answer", "exit_code", "version"),
    [((), "n", 1, 1), ((), "y", 0, 2), (("--yes",), "", 0, 2), (("--dry-run",), "", 0, 1)],
)
def test_who_sits_at_a_terminal_is_asked_first(
    shell: Shell, words: tuple[str, ...], answer: str, exit_code: int, version: int
) -> None:
    shell.apply()
    shell.portfolio.write_text(PORTFOLIO + "dry_run: true\n")

    ended = shell.at_a_terminal(answer, "apply", str(shell.portfolio), *words)

    assert ended.returncode == exit_code, ended.stderr
    assert ("Apply this as version 2?" in ended.stderr) is bool(answer)
    assert ("core: version 2 applied" in ended.stderr) is (version == 2)
    (kept,) = shell.document("status")["portfolios"]
    assert kept["version"] == version


def test_what_was_applied_meanwhile_is_not_written_over(shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    shell.apply()
    before = shell.portfolio.read_text()
    looked = applying._difference

    def interrupted(*documents: str) -> Any:
        monkeypatch.setattr(applying, "_difference", looked)
        shell.portfolio.write_text(PORTFOLIO + "limits: {min_trade: 25}\n")
        shell.elsewhere("apply", str(shell.portfolio))
        return looked(*documents)

    shell.portfolio.write_text(before + "dry_run: true\n")
    monkeypatch.setattr(applying, "_difference", interrupted)
    ended = shell.run("apply", str(shell.portfolio))

    assert ended.exit_code == 1
    assert "error: portfolio core: another file was applied meanwhile; look at the changes again" in ended.stderr
    (kept,) = shell.document("status")["portfolios"]
    assert (kept["version"], kept["document"]["limits"]["min_trade"]) == (2, "25")


def test_an_applied_portfolio_is_published_at_once(shell: Shell, settings: Settings) -> None:
    shell.apply()

    with open_reading(settings) as reading:
        states = [record.message for record in reading.tail(PORTFOLIO_STATE, 10)]

    assert [(state.portfolio_id, state.document_version) for state in states] == [("core", 1)]


def test_an_account_that_the_settings_do_not_have_is_refused(shell: Shell) -> None:
    shell.portfolio.write_text(PORTFOLIO.replace("[main]", "[mian]"))

    ended = shell.run("apply", str(shell.portfolio))

    assert ended.exit_code == 2
    assert "accounts[0]: found 'mian'; allowed: an account of the settings: one of main, other" in ended.stderr
    assert ended.stderr.count("\n") == 1


def test_halts_are_of_one_portfolio_or_of_everything(shell: Shell) -> None:
    shell.apply()

    assert shell.document("halt", "core", "--reason", "lunch") == {"halted": ["core"]}
    (kept,) = shell.document("status")["portfolios"]
    assert (kept["halted"], kept["halt_reason"]) == (True, "lunch")
    assert shell.document("halt", "--all") == {"halted": ["core"]}
    assert shell.document("resume", "core") == {"resumed": ["core"]}
    assert shell.document("status", "core")["portfolios"][0]["halted"]
    assert shell.document("resume", "--all") == {"resumed": ["core"]}
    assert not shell.document("status")["portfolios"][0]["halted"]
    assert shell.run("halt").exit_code == 2
    unknown = shell.run("halt", "--venue", "bnance")
    assert unknown.exit_code == 2
    assert "--venue: found 'bnance'; allowed: binance" in unknown.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("status", "cor"),
        ("halt", "cor"),
        ("resume", "cor"),
        ("explain", "cor"),
        ("fills", "cor"),
        ("fills", "cor", "--follow"),
        ("allocate", "cor", "main", "BTC", "1", "--reference", "x"),
        ("withdrawn", "main", "BTC", "--portfolio", "cor"),
        ("unfilled", "tt-1", "--portfolio", "cor"),
    ],
)
def test_an_unknown_portfolio_gets_the_same_answer_everywhere(words: tuple[str, ...], shell: Shell) -> None:
    before = shell.run(*words)
    shell.apply()
    after = shell.run(*words)

    assert (before.exit_code, before.stdout) == (2, "")
    assert before.stderr == "error: portfolio cor: not known; known: none yet\n"
    assert (after.exit_code, after.stdout) == (2, "")
    assert after.stderr == "error: portfolio cor: not known; known: core (did you mean core?)\n"
    assert not shell.document("status", "core")["portfolios"][0]["halted"]


def test_a_portfolio_that_has_not_traded_yet_is_known(shell: Shell) -> None:
    shell.apply()

    assert shell.document("fills", "core") == {"fills": []}


def test_an_unknown_account_cannot_be_allocated_from(shell: Shell) -> None:
    shell.apply()

    ended = shell.run("allocate", "core", "mian", "BTC", "1", "--reference", "x")

    assert ended.exit_code == 2
    assert ended.stderr == "error: account mian: not known; known: main (did you mean main?)\n"


def test_what_is_not_there_cannot_be_allocated(shell: Shell) -> None:
    shell.apply()

    ended = shell.run("allocate", "core", "main", "BTC", "0.5", "--reference", "first")

    assert ended.exit_code == 1
    assert ended.stderr == "error: ~unallocated has 0 BTC available in main, 0.5 is asked for\n"
    assert shell.run("allocate", "core", "main", "BTC", "zero", "--reference", "x").exit_code == 2


def _miss(database: str, asset: str, account: str = "main", kind: str = "unexplained") -> None:
    """Let the venue lack 2.5 of something, as the reconciler says so."""
    with psycopg.connect(database) as session:
        session.execute(
            "INSERT INTO ledger.break (event_id, portfolio_id, venue, account, kind, asset, ledger, at_venue,"
            " difference, first_seen_us, event_time_us, resolution, detail)"
            " VALUES (%s, '', 'binance', %s, %s, %s, 3, 0.5, -2.5, 1700000000000000, 1700000000000000, '', '')",
            (f"{account}-{asset}-{kind}", account, kind, asset),
        )


def test_what_an_account_lacks_is_explained_and_not_booked(shell: Shell, database: str) -> None:
    shell.apply()
    _miss(database, "BTC")
    (found,) = shell.document("status")["breaks"]
    assert (found["account"], found["asset"], found["difference"], found["explained_by"]) == ("main", "BTC", "-2.5", "")

    said = shell.document("withdrawn", "main", "BTC", "--portfolio", "core")

    assert said == {
        "account": "main",
        "asset": "BTC",
        "portfolio": "core",
        "amount": "2.5",
        "first_seen_us": 1_700_000_000_000_000,
    }
    assert found["to_do"] == "if a person took it out: trimtab withdrawn main BTC --portfolio NAME"
    to_do = "the reconciler books it if exactly that lacks and core has it; then trimtab resume"
    assert shell.document("status", "core")["breaks"] == [{**found, "explained_by": "core", "to_do": to_do}]
    assert shell.document("status", "core")["portfolios"][0]["holdings"] == []
    assert "Ledger and venue differ" in shell.run("status").stdout
    again = shell.run("withdrawn", "main", "BTC", "--portfolio", "core")
    assert (again.exit_code, again.stdout) == (0, "")
    assert again.stderr.splitlines()[0] == "2.5 BTC of main will be booked as taken out of core"


@pytest.mark.parametrize(
    ("words", "exit_code", "line"),
    [
        (("mian", "BTC", "--portfolio", "core"), 2, "account mian: not known; known: main, other (did you mean main?)"),
        (("other", "BTC", "--portfolio", "core"), 2, "on other, portfolio core: not known; known: second"),
        (("main", "ETH", "--portfolio", "core"), 1, "main lacks no ETH that is unexplained; it lacks BTC"),
        (("main", "USDT", "--portfolio", "core"), 1, "main lacks no USDT that is unexplained; it lacks BTC"),
        (("other", "BTC", "--portfolio", "second"), 1, "other lacks no BTC that is unexplained; it lacks nothing"),
    ],
)
def test_what_cannot_be_explained_gets_one_clear_line(
    shell: Shell, database: str, words: tuple[str, ...], exit_code: int, line: str
) -> None:
    shell.apply()
    shell.portfolio.write_text(PORTFOLIO.replace("core", "second").replace("main", "other"))
    shell.apply()
    _miss(database, "BTC")
    _miss(database, "USDT", kind="unknown_order")

    ended = shell.run("withdrawn", *words)

    assert (ended.exit_code, ended.stdout, ended.stderr) == (exit_code, "", f"error: {line}\n")
    assert [each["explained_by"] for each in shell.document("status")["breaks"]] == ["", ""]
    assert shell.run("withdrawn", "main", "BTC").exit_code == 2  # whose it was is part of it


def _deny(database: str, order: str, portfolio: str = "core") -> None:
    """Let the venue deny an order, as the reconciler says so, and halt its portfolio."""
    with psycopg.connect(database) as session:
        session.execute(
            "INSERT INTO ledger.break (event_id, portfolio_id, venue, account, kind, asset, ledger, at_venue,"
            " difference, first_seen_us, event_time_us, resolution, detail)"
            " VALUES (%s, %s, 'binance', 'main', 'unknown_order', 'BTC', 0.5, 0, -0.5, 1700000000000000,"
            " 1700000000000000, '', %s)",
            (order, portfolio, f"order {order}"),
        )
        session.execute(
            "UPDATE ledger.portfolio SET halted = true, halt_reason = %s WHERE portfolio_id = %s",
            (f"main does not know order {order}", portfolio),
        )


def test_an_order_that_is_denied_is_said_to_be_unfilled(shell: Shell, database: str) -> None:
    shell.apply()
    _deny(database, "tt-1")
    (found,) = shell.document("status")["breaks"]
    assert (found["kind"], found["client_order_id"], found["explained_by"]) == ("unknown_order", "tt-1", "")
    assert found["to_do"].endswith("if no more of it was executed: trimtab unfilled tt-1 --portfolio core")
    assert "trimtab unfilled tt-1 --portfolio core" in shell.run("status").stdout

    assert shell.document("unfilled", "tt-1", "--portfolio", "core") == {
        "order": "tt-1",
        "portfolio": "core",
        "account": "main",
        "asset": "BTC",
        "unfilled": "0.5",
        "first_seen_us": 1_700_000_000_000_000,
    }

    (kept,) = shell.document("status", "core")["breaks"]
    to_do = "the reconciler ends the order if the venue goes on denying it; then trimtab resume"
    assert kept == {**found, "explained_by": "core", "to_do": to_do}
    assert shell.document("status", "core")["portfolios"][0]["halted"]
    again = shell.run("unfilled", "tt-1", "--portfolio", "core")
    assert (again.exit_code, again.stdout) == (0, "")
    assert again.stderr.splitlines()[0] == (
        "order tt-1 will be ended with 0.5 BTC unfilled, if main goes on denying it"
    )


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (("tt-2", "--portfolio", "core"), "no venue denies an order tt-2 of core; denied: tt-1 of core"),
        (("tt-1", "--portfolio", "second"), "no venue denies an order tt-1 of second; denied: tt-1 of core"),
        (("BTC", "--portfolio", "core"), "no venue denies an order BTC of core; denied: tt-1 of core"),
    ],
)
def test_what_no_venue_denies_cannot_be_said_to_be_unfilled(
    shell: Shell, database: str, words: tuple[str, ...], line: str
) -> None:
    shell.apply()
    shell.portfolio.write_text(PORTFOLIO.replace("core", "second"))
    shell.apply()
    _deny(database, "tt-1")
    _miss(database, "BTC")

    ended = shell.run("unfilled", *words)

    assert (ended.exit_code, ended.stdout, ended.stderr) == (1, "", f"error: {line}\n")
    assert {each["explained_by"] for each in shell.document("status")["breaks"]} == {""}
    assert shell.run("unfilled", "tt-1").exit_code == 2  # whose it is is part of it


def test_a_halt_that_is_lifted_over_a_standing_break_is_called_that(shell: Shell, database: str) -> None:
    shell.apply()
    _deny(database, "tt-1")
    shell.run("halt", "--all")

    still_halted, lifted = shell.run("resume", "core"), shell.run("resume", "--all")

    differ = "resumed all the same: main and the ledger still differ (unknown_order order tt-1 of core)"
    assert (still_halted.exit_code, lifted.exit_code) == (0, 0)
    assert still_halted.stderr == "resumed: core\n"
    assert lifted.stderr == f"resumed: core\n{differ}; trimtab status shows what to do\n"


def test_doctor_tells_of_differences_and_of_halts_that_they_left(shell: Shell, database: str) -> None:
    def found() -> tuple[str, str]:
        checks = {check["name"]: check for check in shell.document("doctor", exit_code=3)["checks"]}
        return checks["breaks"]["state"], checks["breaks"]["detail"]

    shell.apply()
    assert found() == ("ok", "none")
    _deny(database, "tt-1")
    denied, halted = "main: unknown_order order tt-1", "core is halted: main does not know order tt-1"
    assert found() == ("wrong", f"{denied} and 1 more; trimtab status shows all of it")
    with psycopg.connect(database) as session:
        session.execute("UPDATE ledger.break SET resolution = 'unfilled'")
    assert found() == ("wrong", f"{halted}; trimtab status shows all of it")
    shell.run("resume", "core")
    assert found() == ("ok", "none")
    _miss(database, "ETH")
    assert found() == ("wrong", "main: unexplained ETH; trimtab status shows all of it")
    with psycopg.connect(database) as session:
        session.execute("UPDATE ledger.break SET resolution = 'gone'")
    shell.run("halt", "core", "--reason", "lunch")
    assert found() == ("ok", "none")  # a person's own halt is nothing that is wrong


def test_fills_are_those_of_the_topic(shell: Shell, settings: Settings, codec: Codec) -> None:
    sent = [message for message in messages("execution.fills") if isinstance(message, Fill)]

    async def publish() -> None:
        publisher = KafkaPublisher(settings.kafka, codec)
        for fill in sent:
            await publisher.publish(fill)
        await publisher.close()

    asyncio.run(publish())

    found = shell.document("fills")["fills"]
    assert {fill["event_id"] for fill in found} == {fill.event_id for fill in sent}
    assert {Decimal(fill["price"]) for fill in found} == {fill.price for fill in sent}
    one = sent[0].portfolio_id
    mine = shell.document("fills", one, "--limit", "1")["fills"]
    assert [fill["portfolio_id"] for fill in mine] == [one]
    assert sent[0].instrument in shell.run("fills").stdout


def test_topics_are_checked_and_applied(bare_settings: Settings, shell: Shell) -> None:
    assert shell.document("topics", "check") == {"holds": True, "rows": []}
    assert shell.document("topics", "apply")["rows"][0]["what"] == "unchanged"


def test_explain_says_what_is_missing(shell: Shell) -> None:
    assert shell.run("explain", "core").exit_code == 2
    shell.apply()

    ended = shell.run("explain", "core")

    assert ended.exit_code == 3
    assert "no full frame yet; is ingest running?" in ended.stderr


async def test_explain_tells_the_fees_in_use_and_what_they_stand_on(
    settings: Settings, codec: Codec, shell: Shell
) -> None:
    await asyncio.to_thread(shell.apply)
    tick, stated = Decimal("0.01"), Decimal("0.001")
    listed = InstrumentRules(
        "binance", "BTC/USDT", "BTC", "USDT", tick, tick, tick, Decimal(5), stated, stated, tradable=True
    )
    book = FrameQuote("binance", "BTC/USDT", AT_US, 1, (5_999_999, 100), (6_000_001, 100))
    amounts = (Decimal("0.0012"), Decimal(20), Decimal(1_000), Decimal("1.4"))
    fee = ChargedFee("binance", "BTC/USDT", Liquidity.TAKER, stated, *amounts)
    publisher = KafkaPublisher(settings.kafka, codec)
    await publisher.publish(Frame("a", 0, AT_US, full=True, rules=(listed,), quotes=(book,)))
    found = await asyncio.to_thread(shell.document, "explain", "core")
    assert {"costs": "-1", "binance:BTC/USDT fee": "0.001"}.items() <= _told(found).items()
    await publisher.publish(Costs("c1", 0, -1, AT_US, 0, (0,), (fee,)))
    await publisher.publish(Costs("c2", 0, -1, AT_US, 0, (0,), ()))  # the first of a number counts
    await publisher.close()
    found = await asyncio.to_thread(shell.document, "explain", "core")
    expected = {"costs": "0", "binance:BTC/USDT fee": "0.0012", "binance:BTC/USDT taker": "0.0012"}
    assert expected.items() <= _told(found).items()
    assert found["decision"]["costs_offset"] == 0
    (stands,) = (row for row in found["rows"] if row["term"] == "binance:BTC/USDT taker")
    assert stands["unit"] == "of the trade"
    assert "0.0014 over 20 fills" in stands["meaning"]


def _told(found: dict[str, Any]) -> dict[str, str]:
    return {row["term"]: row["value"] for row in found["rows"]}


async def test_computed_targets_are_shown_as_soon_as_they_count(settings: Settings, codec: Codec, shell: Shell) -> None:
    method = '{method: inverse_volatility, assets: [BTC], cash: 0.25, every: "0 0 * * *"}'
    shell.portfolio.write_text(PORTFOLIO.replace("{BTC: 0.6, USDT: 0.4}", method))
    await asyncio.to_thread(shell.apply)
    (waiting,) = (await asyncio.to_thread(shell.document, "status"))["portfolios"]
    assert (waiting["targets"], waiting["targets_offset"]) == ({}, -1)
    assert "none yet" in (await asyncio.to_thread(shell.run, "status")).stdout
    weights = (Decimal("0.75"), Decimal("0.25"))
    made = Targets(
        "t1",
        "core",
        1,
        AT_US,
        AT_US,
        1,
        1,
        -1,
        "inverse_volatility",
        ("BTC", "USDT"),
        weights=weights,
        computed=weights,
    )
    publisher = KafkaPublisher(settings.kafka, codec)
    await publisher.publish(made)
    await publisher.publish(replace(made, event_id="t2", document_version=2, due_us=AT_US + 1))
    await publisher.publish(replace(made, event_id="t3", portfolio_id="gone"))
    await publisher.close()
    (ahead,) = (await asyncio.to_thread(shell.document, "status"))["portfolios"]
    assert (ahead["targets"], ahead["targets_offset"]) == ({}, -1)  # those of a version that is not applied yet
    shell.portfolio.write_text(PORTFOLIO.replace("{BTC: 0.6, USDT: 0.4}", method) + "dry_run: true\n")
    await asyncio.to_thread(shell.apply)
    (counting,) = (await asyncio.to_thread(shell.document, "status", "core"))["portfolios"]
    assert (counting["targets"], counting["targets_offset"]) == ({"BTC": "0.75", "USDT": "0.25"}, 1)
    assert "0.75" in (await asyncio.to_thread(shell.run, "status")).stdout


def test_doctor_tells_what_is_absent_from_what_is_wrong(shell: Shell) -> None:
    found = shell.document("doctor", exit_code=3)

    states = {check["name"]: check["state"] for check in found["checks"]}
    assert states.pop("venue accounts") == "absent"
    assert set(states.values()) == {"ok"}
    assert not found["holds"]


def test_doctor_tells_of_messages_that_do_not_leave(shell: Shell, database: str) -> None:
    shell.apply()
    before = {check["name"]: check for check in shell.document("doctor", exit_code=3)["checks"]}["outbox"]
    with psycopg.connect(database) as session:
        session.execute(
            "INSERT INTO ledger.outbox (writer, topic, key, event_id, payload, header_names, header_values, created_at)"
            " SELECT writer, topic, key, 'late', payload, header_names, header_values, now() - interval '95 seconds'"
            " FROM ledger.outbox LIMIT 1"
        )

    after = {check["name"]: check for check in shell.document("doctor", exit_code=3)["checks"]}["outbox"]

    assert before["state"] == "ok"
    assert before["detail"] == "the oldest message has waited 0.0 s to leave; allowed: at most 30 s"
    assert after["state"] == "wrong"
    waited = re.match(r"the oldest message has waited (\d+) s", after["detail"])
    assert waited is not None
    assert int(waited[1]) >= 95
    assert "allowed: at most 30 s" in after["detail"]


def test_migrate_brings_an_empty_database_up(stack: Addresses, database: str, tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(f"postgres: {{dsn: '{database}', admin_dsn: '{database}'}}")
    shell = Shell(file, tmp_path)

    found = shell.document("migrate")

    assert found["applied"] == found["newest"] == migration_state(database).newest
    missing = shell.run("migrate", "--password-file", "trimtab_executor=/nowhere")
    assert missing.exit_code == 2
    file.write_text(f"postgres: {{dsn: '{database}'}}")
    assert "postgres.admin_dsn: found nothing" in shell.run("migrate").stderr
