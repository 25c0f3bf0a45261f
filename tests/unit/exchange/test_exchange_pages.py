"""What stands in the place of an answer: Binance's JSON, a gateway's page, the content network's page."""

import json

import pytest

from trimtab.exchange.faults import Fault
from trimtab.exchange.pages import error_page, failure, foreign_page, nothing


@pytest.mark.parametrize(
    ("status", "title", "server"),
    [
        (500, "Internal Server Error", None),
        (502, "Bad Gateway", None),
        (504, "Gateway Timeout", None),
        (599, "Server Error", None),
        (520, "Web server is returning an unknown error", "cloudflare"),
        (521, "Web server is down", "cloudflare"),
        (522, "Connection timed out", "cloudflare"),
        (523, "Origin is unreachable", "cloudflare"),
        (524, "A timeout occurred", "cloudflare"),
    ],
)
def test_an_error_page_says_its_status_and_who_sent_it(status: int, title: str, server: str | None) -> None:
    page = error_page(status)
    assert (page.status, page.reason, page.content_type) == (status, title, "text/html")
    assert page.headers.get("Server") == server
    assert str(status) in (page.text or "")
    assert title in (page.text or "")


def test_an_error_with_a_code_is_binances_json() -> None:
    told = failure(Fault("error_after", status=504, code=-1007))
    assert told.status == 504
    assert json.loads(told.text or "")["code"] == -1007
    limited = failure(Fault("rate_limit", retry_after_seconds=7))
    assert (limited.status, limited.headers["Retry-After"]) == (429, "7")


def test_a_foreign_page_and_nothing_look_like_success() -> None:
    assert (foreign_page().status, foreign_page().content_type) == (200, "text/html")
    assert (nothing().status, nothing().body) == (200, b"")
