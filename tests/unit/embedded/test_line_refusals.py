"""A process of trimtab's that does not accept its configuration: its own words and its own exit code come through."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from trimtab.embedded.crew import last_errors
from trimtab.embedded.errors import PartError, RefusedConfigurationError
from trimtab.embedded.line import Line
from trimtab.embedded.service import Service


@pytest.fixture
def line(tmp_path: Path) -> Iterator[Line]:
    line = Line(tmp_path / "line")
    line.open()
    yield line
    line.stop()


def exchange(folder: Path, *arguments: str) -> Service:
    journal = ("--journal", str(folder / "journal"))
    return Service("exchange", "trimtab.exchange", (*journal, *arguments), {}, "http://127.0.0.1:1", folder / "log")


def test_wrong_usage_of_a_process_is_wrong_usage(line: Line, tmp_path: Path) -> None:
    tape = tmp_path / "tape.csv"
    tape.write_text("neither\nprices\n")

    with pytest.raises(RefusedConfigurationError) as refused:
        line.start([exchange(tmp_path, "--tape", str(tape))])

    assert refused.value.exit_code == 2
    assert str(refused.value).startswith(f"exchange: {tape}:1: "), refused.value
    assert str(refused.value).count("\n") == 0


def test_settings_with_two_problems_are_refused_in_two_lines(line: Line, tmp_path: Path) -> None:
    service = Service(
        "drift",
        "trimtab.drift",
        (),
        {"TRIMTAB_DRIFT__TRIGGER": "often", "TRIMTAB_LOG__LEVEL": "loud"},
        "http://127.0.0.1:1",
        tmp_path / "log",
    )

    with pytest.raises(RefusedConfigurationError) as refused:
        line.start([service])

    first, second = str(refused.value).splitlines()
    assert first.startswith("drift: settings: TRIMTAB_LOG__LEVEL: found 'loud'; allowed: ")
    assert second.startswith("drift: settings: TRIMTAB_DRIFT__TRIGGER: found 'often'; allowed: ")


def test_a_process_that_ends_for_another_reason_is_a_part_that_is_not_there(line: Line, tmp_path: Path) -> None:
    service = Service("odd", "trimtab.no_such_module", (), {}, "http://127.0.0.1:1", tmp_path / "log")

    with pytest.raises(PartError, match=r"odd ended while starting \(exit code 1\): .*No module named") as failed:
        line.start([service])

    assert failed.value.exit_code == 3
    assert failed.value.code == 1


@pytest.mark.parametrize(
    ("text", "errors"),
    [
        ("error: old\nstarted\nerror: a\nerror: b\n\n", ["a", "b"]),
        ("error: old\nTraceback\nValueError: x\n", ["ValueError: x"]),
        ("", ["-"]),
    ],
)
def test_the_last_words_are_the_errors_at_the_end(text: str, errors: list[str], tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(text)

    assert last_errors(log) == errors
