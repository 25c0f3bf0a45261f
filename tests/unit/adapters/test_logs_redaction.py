"""Logs are one JSON object a line, know their trace, and hold no secret, whoever wrote them."""

import json
import logging
from typing import Any
from urllib.parse import quote, quote_plus

import pytest
import structlog
from hypothesis import given
from hypothesis import strategies as st

from trimtab.adapters import tracing
from trimtab.adapters.logs import configure_logs
from trimtab.adapters.redaction import REDACTED, Redaction, hide, said
from trimtab.settings import LogSettings

SECRET = "vmPUZE6mv9SD5VNHk4HlWFsOr6aKE2zvsw0MuIgwCIPy6utIco14y7Ju91duEh8A"


def lines(captured: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    out, err = captured.readouterr()
    assert out == ""
    return [json.loads(line) for line in err.splitlines()]


def test_a_line_is_one_object_with_trace_and_portfolio(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(), "executor")
    with tracing.using(tracing.root_context(1)), structlog.contextvars.bound_contextvars(portfolio_id="core"):
        trace = tracing.trace_id()
        structlog.get_logger("trimtab.x").info("order sent", quantity="0.5")
    (line,) = lines(capsys)
    assert line["event"] == "order sent"
    assert line["level"] == "info"
    assert line["service"] == "executor"
    assert line["trace_id"] == trace
    assert line["portfolio_id"] == "core"
    assert line["quantity"] == "0.5"
    assert line["time"].endswith("Z")


def test_libraries_are_written_the_same_way(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(), "drift", [SECRET])
    for name in ("faust", "ccxt.base", "aiokafka", "confluent"):
        logging.getLogger(name).warning("key %s of %s", SECRET, name)
    found = lines(capsys)
    assert [line["logger"] for line in found] == ["faust", "ccxt.base", "aiokafka", "confluent"]
    assert all(SECRET not in json.dumps(line) for line in found)


def test_exceptions_keep_their_trace_and_lose_their_secrets(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(), "drift", [SECRET])
    log = structlog.get_logger("trimtab.x")
    try:
        int(f"https://v/order?apiKey={SECRET}&signature=abcdef")
    except ValueError:
        log.exception("failed")
    (line,) = lines(capsys)
    assert "ValueError" in line["exception"]
    assert SECRET not in line["exception"]
    assert "abcdef" not in line["exception"]


def test_the_level_is_kept_and_console_is_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs(LogSettings(level="warning", format="console"), "drift")
    log = structlog.get_logger("trimtab.x")
    log.info("unheard")
    log.warning("heard", password="hunter2hunter2")
    _, err = capsys.readouterr()
    assert "unheard" not in err
    assert "heard" in err
    assert "hunter2" not in err


@pytest.mark.parametrize(
    ("text", "kept"),
    [
        ("postgresql://trimtab:s3cr3tpw@db:5432/trimtab", "postgresql://trimtab:[redacted]@db:5432/trimtab"),
        ("symbol=BTC&signature=deadbeef&timestamp=1", "symbol=BTC&signature=[redacted]&timestamp=1"),
        ("{'X-MBX-APIKEY': 'abcd1234'}", "{'X-MBX-APIKEY': '[redacted]'}"),
        ("Authorization: Bearer abc.def", "Authorization: [redacted]"),
        ("host=db password=s3cr3tpw user=x", "host=db password=[redacted] user=x"),
        ("host=db password='s3 cr3t\\' pw' user=x", "host=db password='[redacted]' user=x"),
        ('{"sasl.password": "s3 cr3t"}', '{"sasl.password": "[redacted]"}'),
        ("sasl_plain_password=s3cr3tpw", "sasl_plain_password=[redacted]"),
        ("aws.api_secret: s3cr3tpw", "aws.api_secret: [redacted]"),
        ("redis://:s3cr3tpw@cache", "redis://:[redacted]@cache"),
        ("postgresql://r:s3cr@3tpw@db/x", "postgresql://r:[redacted]@db/x"),
        ("postgresql://r:s3c/r3tpw@db/x", "postgresql://r:[redacted]@db/x"),
        ("http://127.0.0.1:8081/subjects", "http://127.0.0.1:8081/subjects"),
    ],
)
def test_secrets_are_known_by_their_look(text: str, kept: str) -> None:
    assert Redaction().text(text) == kept


def test_secrets_are_known_by_their_name_however_deep() -> None:
    event = {"account": {"api_key": "k", "Secret": "s", "venue": "binance"}, "tokens": [1, 2], "n": 3, "ok": True}
    assert Redaction().of(event) == {
        "account": {"api_key": REDACTED, "Secret": REDACTED, "venue": "binance"},
        "tokens": REDACTED,
        "n": 3,
        "ok": True,
    }


def test_what_is_no_text_is_looked_through_too() -> None:
    hidden = Redaction([SECRET]).of({SECRET: 1, "raw": SECRET.encode(), "error": ValueError(SECRET), "set": {SECRET}})

    assert SECRET not in str(hidden)


@pytest.mark.parametrize("secret", ["p@ss/w:rd", "zwölf+1 %&=", 'say "hi"', "it's\\mine"])
def test_a_secret_is_found_as_addresses_queries_and_quotes_spell_it(secret: str) -> None:
    redaction = Redaction([secret])

    for spelling in (secret, quote(secret, safe=""), quote_plus(secret), json.dumps(secret), repr(secret)):
        assert REDACTED in redaction.message(f"at http://u:x/{spelling}, line 1"), spelling
        assert spelling.strip("\"'") not in redaction.message(f"at {spelling}, line 1")


def test_a_message_for_a_person_keeps_the_names_of_settings() -> None:
    hide([SECRET])
    try:
        text = f"accounts.main.secret: found nothing; allowed: not {SECRET}, not postgresql://r:{SECRET}@h"
        assert said(text) == (
            "accounts.main.secret: found nothing; allowed: not [redacted], not postgresql://r:[redacted]@h"
        )
    finally:
        hide(())
    assert said(SECRET) == SECRET


@given(st.text(min_size=6, max_size=40), st.text(max_size=20), st.text(max_size=20))
def test_a_secret_known_by_value_appears_nowhere(secret: str, before: str, after: str) -> None:
    hidden = Redaction([secret]).text(before + secret + after)
    assert secret not in hidden or secret in REDACTED or secret in before + after + REDACTED
