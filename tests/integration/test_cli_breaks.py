"""What the command line tells and does about money and orders that books and venues do not agree on."""

import re

import psycopg
import pytest
from command_shell import PORTFOLIO, Shell

pytestmark = pytest.mark.integration

AT_US = 1_700_000_000_000_000


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
