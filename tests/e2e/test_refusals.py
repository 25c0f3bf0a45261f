"""What the demo and `up` cannot play is refused with a usage error, in the words of the process that refuses it."""

import os
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(120)]


@pytest.mark.parametrize("command", ["demo", "up"])
def test_a_tape_that_is_none_is_refused_before_the_stack_starts(command: str, tmp_path: Path) -> None:
    tape, folder = tmp_path / "tape.csv", tmp_path / "folder"
    tape.write_text("neither\nprices\n")
    clean = {name: value for name, value in os.environ.items() if not name.startswith("TRIMTAB_")}

    ended = subprocess.run(
        [sys.executable, "-m", "trimtab.cli", command, "--folder", str(folder), "--tape", str(tape)],
        env=clean,
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2, ended.stderr
    errors = [line for line in ended.stderr.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    asked = {"demo": "Invalid value for --tape", "up": "exchange"}[command]  # a demo looks at the tape itself
    assert errors[0].startswith(f"error: {asked}: {tape}:1: ")
    assert "Traceback" not in ended.stderr
    assert not (folder / "stack").exists()
    assert [p for p in psutil.process_iter(["cmdline"]) if str(folder) in " ".join(p.info["cmdline"] or [])] == []


def test_portfolios_that_the_tape_has_no_market_for_are_refused_before_the_stack_starts(tmp_path: Path) -> None:
    portfolios, folder = tmp_path / "portfolios", tmp_path / "folder"
    portfolios.mkdir()
    (portfolios / "odd.yaml").write_text(
        "portfolio: p\nquote: USDT\naccounts: [a]\ntargets: {NOSUCH: 0.5, USDT: 0.5}\n"
    )

    ended = subprocess.run(
        [sys.executable, "-m", "trimtab.cli", "demo", "--folder", str(folder), "--portfolios", str(portfolios)],
        env={name: value for name, value in os.environ.items() if not name.startswith("TRIMTAB_")},
        capture_output=True,
        text=True,
        check=False,
    )

    assert ended.returncode == 2, ended.stderr
    assert "error: --portfolios: found 'NOSUCH'; allowed: assets of the market: ['ADA'" in ended.stderr
    assert not (folder / "stack").exists()
