"""`trimtab import` onto Kafka: topics of a prefix of their own, filled once, as an archive of the same files is."""

import json
import uuid
from pathlib import Path
from typing import Any

import pytest
from command_shell import Shell

from trimtab.adapters.archive.recorded import open_archive
from trimtab.adapters.kafka.recorded import open_recorded
from trimtab.settings import Settings
from trimtab.topics import MARKET_BOOKS, MARKET_FRAMES, MARKET_TICKS

pytestmark = pytest.mark.integration

START_MS, UPDATES = 1_704_067_200_000, 1_200  # more than one batch of them


def recording(folder: Path) -> Path:
    def line(number: int, message: Any) -> str:
        return f"{(START_MS + number) * 1_000_000} {json.dumps(message)}\n"

    def update(number: int) -> str:
        levels = [[f"{99 + number % 7 / 100:.2f}", f"{1 + number % 3}"]]
        ids = {"E": START_MS + number, "U": number, "u": number}
        return line(number, {"data": {"e": "depthUpdate", "s": "BTCUSDT", **ids, "b": levels, "a": []}})

    def trade(number: int) -> str:
        what = {"E": START_MS + number, "t": number, "p": "99.5", "q": "0.5", "m": False}
        return line(number, {"data": {"e": "trade", "s": "BTCUSDT", **what}})

    answer = line(1, {"lastUpdateId": 1, "bids": [["98", "1"]], "asks": [["101", "2"]]})
    path = folder / "btcusdt.txt"
    path.write_text(update(1) + answer + "".join(update(n) + trade(n) for n in range(2, UPDATES)))
    return path


def test_topics_of_their_own_are_filled_once(shell: Shell, settings: Settings, tmp_path: Path) -> None:
    prefix = f"import-{uuid.uuid4().hex[:8]}."
    words = ("import", "--format", "binance-ws", str(recording(tmp_path)), "--json")
    ended = shell.run(*words, "--prefix", prefix, "--archive", str(tmp_path / "archive"))
    assert ended.exit_code == 0, ended.output
    said = json.loads(ended.stdout)
    assert said["gaps"] == 0
    assert said["topics"]["market.books"] == UPDATES - 1
    kafka = settings.kafka.model_copy(update={"topic_prefix": prefix})
    archive = open_archive(tmp_path / "archive")
    with open_recorded(settings.model_copy(update={"kafka": kafka})) as topics:
        for topic in (MARKET_FRAMES, MARKET_BOOKS, MARKET_TICKS):
            there = [each.message for each in topics.whole(topic)]
            assert there == [each.message for each in archive.whole(topic)], topic.name
            assert len(there) == said["topics"][topic.name]

    again = shell.run(*words, "--prefix", prefix)
    assert (again.exit_code, again.stderr.count("\n")) == (2, 1), again.output
    assert f"--prefix: found '{prefix}'; allowed: a new one" in again.stderr
    live = shell.run(*words, "--prefix", settings.kafka.topic_prefix)
    assert live.exit_code == 2
    assert "another prefix than that of the live topics" in live.stderr
