"""`trimtab replay --what-if` on an archive: its JSON, its tables, and one line for whatever is wrong."""

import json
import os
from pathlib import Path
from typing import Any

import pytest
from recorded_lives import Life, risk, written
from typer.testing import CliRunner, Result

from archive_files import Shelf
from frame_tapes import Writer
from trimtab.cli.__main__ import app
from trimtab.topics import MARKET_TICKS, TOPICS


def run(*words: object) -> Result:
    clean: dict[str, str | None] = {name: None for name in os.environ if name.startswith("TRIMTAB_")}
    return CliRunner().invoke(app, ["replay", *map(str, words)], env=clean)


@pytest.fixture(scope="module")
def shelf() -> Shelf:
    """Half of it is BTC, which rises by a half; two were bought for that, which the engine does not do."""
    kept = Shelf()
    writer = Writer(kept.put, "BTC")
    life = Life(writer)
    risk(writer)
    life.has(BTC="100", USDT="100000")
    for mid in (100_000, 100_000, 150_000, 150_000):
        writer.wait(10)
        writer.prices(BTC=mid)
    made = life.signal("2", "1500")
    writer.wait(1)
    life.fill(made, "2", "1500.01", fee="3")
    life.close(made, "2")
    writer.wait(10)
    writer.prices(BTC=150_000)
    return kept


@pytest.fixture
def archive(shelf: Shelf, tmp_path: Path) -> Path:
    return shelf.write(tmp_path / "archive")


def test_it_answers_in_json_and_the_same_again(archive: Path, tmp_path: Path) -> None:
    file = written(tmp_path)

    ended = run("--what-if", file, "--archive", archive, "--json")

    assert ended.exit_code == 0, ended.output
    found: dict[str, Any] = json.loads(ended.stdout)
    assert run("--what-if", file, "--archive", archive, "--json").stdout == ended.stdout
    assert (found["portfolio"], found["quote"]) == ("core", "USDT")
    assert (found["span"]["first_frame"], found["span"]["last_frame"], found["span"]["symbols"]) == (0, 4, ["BTCUSDT"])
    assert found["holdings"] == {"BTC": "100", "USDT": "100000"}
    assert found["fees"] == {"maker": "0.001", "taker": "0.001"}
    bills = found["bill"]
    assert (bills["recorded"]["fees"], bills["engine"]["fees"], bills["other"]["orders"]) == (3, 0, 1)
    for name, value in bills["difference"].items():
        assert value == pytest.approx(bills["other"][name] - bills["engine"][name], abs=1e-6), name
    (was,) = found["comparisons"]["engine"]["differences"]
    assert (was["kind"], was["other"]) == ("only_one", None)
    assert was["one"]["trades"] == [{"instrument": "BTC/USDT", "side": "buy", "quantity": "2", "filled": "2"}]
    assert (found["comparisons"]["other"]["only_other"], found["left_out"], found["owed"]) == (1, {}, {})


def test_people_read_the_bill_and_the_differences(archive: Path, tmp_path: Path) -> None:
    ended = run("--what-if", written(tmp_path), "--archive", archive)

    assert ended.exit_code == 0, ended.output
    assert "The bill, USDT" in ended.stdout
    assert "engine, other.yaml" in ended.stdout
    assert "only recorded" in ended.stdout
    assert "0 signals the same, 0 otherwise, 0 only recorded policy, 1 only other.yaml" in ended.stderr


def test_another_portfolio_than_the_file_names_and_a_part_of_the_time(archive: Path, tmp_path: Path) -> None:
    file = written(tmp_path, "wider")

    ended = run("--what-if", file, "--portfolio", "core", "--from", 3, "--archive", archive, "--json")

    assert ended.exit_code == 0, ended.output
    assert json.loads(ended.stdout)["span"]["first_frame"] == 3


def test_what_is_wrong_gets_one_line(archive: Path, shelf: Shelf, tmp_path: Path) -> None:
    file = written(tmp_path)
    broken, other = written(tmp_path, absolute="7", file="broken.yaml"), written(tmp_path, "cora", file="cora.yaml")
    half = shelf.write(tmp_path / "half", [topic for topic in TOPICS if topic.name.startswith("market.")])
    words: tuple[tuple[int, tuple[object, ...], str], ...] = (
        (2, (), "allowed: --verify, or --what-if FILE.yaml"),
        (2, ("--verify", "--what-if", file), "allowed: --verify, or --what-if FILE.yaml"),
        (2, ("--verify", "--portfolio", "core"), "says what --what-if is about"),
        (2, ("--what-if", broken, "--archive", archive), "policy.absolute: found 7"),
        (2, ("--what-if", tmp_path / "none.yaml", "--archive", archive), "none.yaml"),
        (2, ("--what-if", other, "--archive", archive), "portfolio cora: not recorded; recorded: core"),
        (2, ("--what-if", file, "--archive", archive, "--from", 9), "frames 9 to 4: not there, or the wrong way round"),
        (2, ("--what-if", file, "--archive", tmp_path), "allowed: a folder that trimtab record or import finished"),
        (3, ("--what-if", file, "--archive", half), "portfolio.state is needed"),
    )
    for code, command, line in words:
        ended = run(*command)
        assert (ended.exit_code, ended.stdout) == (code, ""), (command, ended.output)
        assert line in " ".join(ended.stderr.split())
    states = archive / "portfolio.state.avro"
    data = bytearray(states.read_bytes())
    data[-20] ^= 4
    states.write_bytes(data)
    bitten = run("--what-if", file, "--archive", archive)
    assert (bitten.exit_code, bitten.stdout, bitten.stderr.count("\n")) == (2, "", 1)
    assert "portfolio.state.avro: bytes" in bitten.stderr


def test_public_trades_are_not_needed(shelf: Shelf, tmp_path: Path) -> None:
    without = shelf.write(tmp_path / "without", [topic for topic in TOPICS if topic is not MARKET_TICKS])

    ended = run("--what-if", written(tmp_path), "--archive", without)

    assert ended.exit_code == 0, ended.output
