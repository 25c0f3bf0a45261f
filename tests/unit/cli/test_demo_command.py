"""`trimtab demo` before and after the run: what is refused before anything is started, and what is left behind."""

import json
import tempfile
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from trimtab.cli.__main__ import app
from trimtab.demo import play
from trimtab.demo.stage import Stage
from trimtab.domain.errors import UnreachableError

PORTFOLIO = "portfolio: {name}\nquote: {quote}\naccounts: {accounts}\ntargets: {{BTC: 0.5, {quote}: 0.5}}\n"


def portfolio(name: str = "core", quote: str = "USDT", accounts: str = "[a]") -> str:
    return PORTFOLIO.format(name=name, quote=quote, accounts=accounts)


@pytest.fixture(autouse=True)
def clean(unset: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "temporary"))


@pytest.fixture
def temporary(tmp_path: Path) -> Path:
    return tmp_path / "temporary"


def demo(*words: str, variables: dict[str, str] | None = None) -> Result:
    return CliRunner().invoke(app, ["demo", *words], env=variables)


@pytest.fixture
def nothing_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(_: object) -> None:
        raise AssertionError("something was started")

    monkeypatch.setattr(Stage, "start_exchange", started)
    monkeypatch.setattr(Stage, "start_stack", started)


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.parametrize(
    ("files", "errors"),
    [
        ({}, ["--portfolios: found '{folder}'; allowed: a folder with at least one portfolio as *.yaml"]),
        ({"a.yml": portfolio()}, ["--portfolios: found '{folder}'; allowed: a folder with at least one portfolio"]),
        ({"a.yaml": "portfolio: core\nquote: USDT\n"}, ["{folder}/a.yaml: targets: found nothing; allowed: a value"]),
        ({"a.yaml": "{"}, ["{folder}/a.yaml: line 1, column 2: found "]),
        ({"a.yaml": portfolio(accounts="[]")}, ["{folder}/a.yaml: accounts: found []; allowed: the venue account"]),
        (
            {"a.yaml": portfolio(quote="EUR", accounts="[]")},
            ["{folder}/a.yaml: accounts: found []", "{folder}/a.yaml: quote: found 'EUR'; allowed: USDT"],
        ),
        (
            {"a.yaml": portfolio(), "b.yaml": portfolio()},
            ["{folder}/b.yaml: portfolio: found 'core'; allowed: another name than in {folder}/a.yaml"],
        ),
    ],
)
def test_portfolios_that_cannot_be_traded_are_refused_before_anything_is_started(
    files: dict[str, str], errors: list[str], tmp_path: Path, temporary: Path
) -> None:
    folder = tmp_path / "portfolios"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)

    shown = demo("--portfolios", str(folder))

    assert shown.exit_code == 2
    assert shown.stdout == ""
    lines = shown.stderr.splitlines()
    assert len(lines) == len(errors)
    for line, error in zip(lines, errors, strict=True):
        assert line.startswith(f"error: {error.format(folder=folder)}"), line
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("TRIMTAB_KAFKA__BOOTSTRAP_SERVERS", "far.away:9092", "nothing: a stack, a venue and accounts of its own"),
        ("TRIMTAB_POSTGRES__DSN", "postgresql://r:hunter2@far.away/d", "nothing: a stack, a venue and accounts of"),
        ("TRIMTAB_DRIFT__TRIGGER", "often", "a number"),
        ("TRIMTAB_COLOUR", "red", "names of settings"),
    ],
)
def test_a_variable_that_would_lead_the_processes_astray_is_refused(
    name: str, value: str, error: str, temporary: Path
) -> None:
    shown = demo(variables={name: value})

    assert shown.exit_code == 2
    assert shown.stderr.count("\n") == 1
    assert f": {name}: found " in shown.stderr
    assert f"; allowed: {error}" in shown.stderr
    assert "hunter2" not in shown.stderr
    assert list(temporary.iterdir()) == []


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("date,open,high,low,close,volume\n", "tape: bars (Parquet"),
        ("type,product_id,time,bids,asks,changes,side,price,size,trade_id\n", "tape: Coinbase level-2 recordings"),
        ("neither\n", "tape:1: 'neither'; needed: one of raw Binance recordings"),
    ],
)
def test_a_tape_that_a_demo_does_not_play_is_refused(content: str, found: str, tmp_path: Path, temporary: Path) -> None:
    (tmp_path / "tape").write_text(content)

    shown = demo("--tape", str(tmp_path / "tape"))

    assert shown.exit_code == 2
    assert shown.stderr.count("\n") == 1
    assert found in shown.stderr
    assert "raw Binance recordings" in shown.stderr
    assert list(temporary.iterdir()) == []


class Acted:
    """Stands in for a run of a minute."""

    def __init__(self, *, holds: bool) -> None:
        self.holds = holds
        self.portfolios = ()
        self.verdict = self.parity = self
        self.differences = self.faults = ()

    def document(self) -> dict[str, Any]:
        return {"fills": 7}


@pytest.fixture
def ending(monkeypatch: pytest.MonkeyPatch) -> list[Acted | Exception]:
    """Hold how the run ends."""
    found: list[Acted | Exception] = []

    async def run(_: object) -> Acted:
        if isinstance(found[0], Exception):
            raise found[0]
        return found[0]

    monkeypatch.setattr(play.Play, "run", run)
    return found


def test_a_run_that_holds_leaves_nothing_behind(ending: list[Acted], temporary: Path) -> None:
    ending.append(Acted(holds=True))

    shown = demo("--json")

    assert shown.exit_code == 0
    assert json.loads(shown.stdout) == {"fills": 7, "folder": None}
    assert "kept" not in shown.stderr
    assert list(temporary.iterdir()) == []


@pytest.mark.parametrize(
    ("end", "words", "code"),
    [
        (Acted(holds=True), ["--keep"], 0),
        (Acted(holds=False), [], 1),
        (UnreachableError("the line", "this machine", "it did not come to rest"), [], 3),
    ],
)
def test_what_may_be_looked_at_is_kept_and_said(
    end: Acted | Exception, words: list[str], code: int, ending: list[Acted | Exception], temporary: Path
) -> None:
    ending.append(end)

    shown = demo(*words)

    assert shown.exit_code == code
    (kept,) = temporary.iterdir()
    assert (kept / "logs").is_dir()
    assert f"everything it wrote is kept in {kept}\n" in shown.stderr


@pytest.mark.usefixtures("nothing_starts")
@pytest.mark.parametrize("name", ["stack", "settings.yaml"])
def test_a_folder_that_another_run_wrote_to_is_refused(name: str, tmp_path: Path) -> None:
    (tmp_path / name).mkdir()

    shown = demo("--folder", str(tmp_path))

    assert shown.exit_code == 2
    assert f"'{tmp_path}' holds {name} already; another folder is needed" in shown.stderr


def test_a_folder_that_was_asked_for_stays(ending: list[Acted], tmp_path: Path, temporary: Path) -> None:
    ending.append(Acted(holds=True))
    folder = tmp_path / "mine"

    shown = demo("--json", "--folder", str(folder))

    assert json.loads(shown.stdout)["folder"] == str(folder)
    assert (folder / "logs").is_dir()
    assert list(temporary.iterdir()) == []
