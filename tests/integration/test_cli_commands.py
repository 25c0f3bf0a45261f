"""The command line against a real Kafka, registry and PostgreSQL."""

import asyncio
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from command_shell import PORTFOLIO, Shell

from examples import messages
from stack import Addresses
from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.adapters.kafka.reading import open_reading
from trimtab.adapters.postgres.deploy import migration_state
from trimtab.cli import apply as applying
from trimtab.domain.orders import Liquidity
from trimtab.messages import ChargedFee, Costs, Fill, Frame, FrameQuote, InstrumentRules, Targets
from trimtab.settings import Settings
from trimtab.topics import PORTFOLIO_STATE

pytestmark = pytest.mark.integration

AT_US = 1_700_000_000_000_000


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
