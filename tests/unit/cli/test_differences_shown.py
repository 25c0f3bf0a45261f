"""What `trimtab status` says of statements that came to nothing."""

import pytest

from trimtab.adapters.postgres.reports import Lapsed
from trimtab.cli.differences import lapsed_document, show_differences


@pytest.mark.parametrize(
    ("resolution", "what"), [("seen", "the venue told of it after all"), ("changed", "more of it was executed")]
)
def test_a_statement_that_lapsed_is_shown_with_what_happened(
    capsys: pytest.CaptureFixture[str], resolution: str, what: str
) -> None:
    lapsed = Lapsed("core", "main", "tt-1", resolution, 1_700_000_000_000_000)

    show_differences([], [lapsed])

    shown = capsys.readouterr().out
    assert "2023-11-14 22:13:20" in shown
    assert "tt-1" in shown
    assert f"lapsed, {what}" in shown
    assert lapsed_document(lapsed)["what"].startswith(f"said to be unfilled: lapsed, {what}")


def test_where_nothing_differs_nothing_is_shown(capsys: pytest.CaptureFixture[str]) -> None:
    show_differences([], [])

    assert capsys.readouterr().out == ""
