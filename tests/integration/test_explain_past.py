"""`trimtab explain` as of the past, on the topics of a real run: what was decided comes out again."""

import asyncio
import json
import os
import shutil
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient
from drift_pipeline import BY_RISK, MovingMarket, Reading, Settling, drift_worker, own_fill, state
from typer.testing import CliRunner, Result

from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.cli.__main__ import app
from trimtab.messages import Frame, Signal
from trimtab.ports.topics import Record
from trimtab.settings import Settings
from trimtab.topics import MARKET_FRAMES, REBALANCE_SIGNALS, TOPICS

pytestmark = pytest.mark.integration

NAMES = ["core-0", "core-1", f"{BY_RISK}0"]
# As drift_worker sets them: they are part of every decision.
DRIFT = """
drift:
  risk_observations_min: 3
  risk_publish_seconds: 1
  risk_sample_seconds: 0.2
  signal_lifetime_seconds: 5
"""


@dataclass
class Shell:
    """Commands that look back, with one settings file."""

    file: Path

    def run(self, *words: str, command: str = "explain") -> Result:
        clean: dict[str, str | None] = {name: None for name in os.environ if name.startswith("TRIMTAB_")}
        return CliRunner().invoke(app, [command, *words], env=clean | {"TRIMTAB_SETTINGS": str(self.file)})

    def document(self, *words: str, exit_code: int = 0, command: str = "explain") -> dict[str, Any]:
        ended = self.run(*words, "--json", command=command)
        assert ended.exit_code == exit_code, ended.output
        found: dict[str, Any] = json.loads(ended.stdout)
        return found


@dataclass
class Run:
    """What a worker and its market left behind."""

    signals: Sequence[Signal]
    frames: Sequence[Record[Frame]]

    def of(self, portfolio: str) -> list[Signal]:
        return [each for each in self.signals if each.portfolio_id == portfolio]

    def quiet(self, portfolio: str) -> Record[Frame]:
        """Return the last frame of the run that is not full and at which nothing was signalled of a portfolio."""
        signalled = {each.frame_offset for each in self.of(portfolio)}
        first = self.of(portfolio)[0].frame_offset
        found = [each for each in self.frames if not each.message.full and each.offset > first]
        return [each for each in found if each.offset not in signalled][-1]


@pytest.fixture
def shell(settings: Settings, tmp_path: Path) -> Shell:
    file = tmp_path / "settings.yaml"
    kafka = (
        f'{{bootstrap_servers: "{settings.kafka.bootstrap_servers}", topic_prefix: "{settings.kafka.topic_prefix}"}}'
    )
    file.write_text(f'kafka: {kafka}\nregistry: {{url: "{settings.registry.url}"}}\n{DRIFT}')
    return Shell(file)


@pytest.fixture
async def run(settings: Settings, codec: Codec, publisher: KafkaPublisher, tmp_path: Path) -> Run:
    """Trade for some versions of every portfolio, with two workers one after the other, and end."""
    market = asyncio.create_task(MovingMarket(publisher).run())
    signals = Reading(settings, codec, REBALANCE_SIGNALS.name)
    settling = Settling(publisher, signals, NAMES)
    await settling.begin()
    async with drift_worker(settings, tmp_path) as first:
        await settling.until(lambda: min(settling.versions.values()) >= 3)
        await first.end()  # in good order, as the group waits long for one that was killed
    for number in range(40):
        await publisher.publish(own_fill(NAMES[0], number, "BTC"))
    before = max(each.message.costs_offset for each in signals.records)
    async with drift_worker(settings, tmp_path):
        await settling.until(lambda: any(each.message.costs_offset > before for each in signals.records))
    market.cancel()
    with suppress(asyncio.CancelledError):
        await market
    signals.more(1.0)
    frames = Reading(settings, codec, MARKET_FRAMES.name)
    found = Run([each.message for each in signals.records], sorted(frames.everything(), key=lambda each: each.offset))
    signals.close()
    frames.close()
    return found


async def test_what_was_decided_comes_out_again(
    run: Run, shell: Shell, settings: Settings, publisher: KafkaPublisher
) -> None:
    await asyncio.to_thread(_signals_come_out_equal, run, shell)
    await asyncio.to_thread(_a_quiet_frame_says_what_was_taken, run, shell)
    await asyncio.to_thread(_a_time_means_the_last_frame_before_it, run, shell)
    await asyncio.to_thread(_holds_are_counted, run, shell)
    await asyncio.to_thread(_what_is_not_there_gets_one_line, run, shell)
    await asyncio.to_thread(_all_is_replayed, run, shell)
    await asyncio.to_thread(_an_archive_says_the_same, run, shell, settings)
    await publisher.publish(state("late", 1))
    await asyncio.to_thread(_a_portfolio_that_came_later, run, shell)
    await asyncio.to_thread(_other_settings_are_found_out, run, shell)
    await asyncio.to_thread(_retention_is_said, run, shell, settings)


def _signals_come_out_equal(run: Run, shell: Shell) -> None:
    (costly, *_) = [each for each in run.signals if each.costs_offset >= 0]
    for name in NAMES:
        ends = (run.of(name)[0], run.of(name)[-1])
        for signal in (*ends, costly) if name == costly.portfolio_id else ends:
            said = shell.document(name, "--signal", signal.signal_id)
            assert said["basis"] == "cited"
            assert said["signals"] == [
                {"signal_id": signal.signal_id, "equal": True, "same_bytes": True, "differences": []}
            ]
            decided = said["decision"]
            cited = (
                signal.frame_offset,
                signal.risk_offset,
                signal.ledger_version,
                signal.targets_offset,
                signal.costs_offset,
            )
            names = ("frame_offset", "risk_offset", "ledger_version", "targets_offset", "costs_offset")
            assert tuple(decided[each] for each in names) == cited
        at = shell.document(name, "--at", str(signal.frame_offset))
        assert (at["basis"], at["decision"]) == ("cited", decided)
    assert run.of(NAMES[-1])[-1].targets_offset >= 0
    assert "equal, byte for byte" in shell.run(name, "--signal", signal.signal_id).stdout


def _a_quiet_frame_says_what_was_taken(run: Run, shell: Shell) -> None:
    for name in NAMES:
        frame = run.quiet(name)
        said = shell.document(name, "--at", str(frame.offset))
        assert (said["basis"], said["signals"]) == ("as_of", [])
        decided = said["decision"]
        assert (decided["frame_offset"], decided["event_time_us"]) == (frame.offset, frame.message.event_time_us)
        before = [each for each in run.of(name) if each.frame_offset < frame.offset]
        assert decided["ledger_version"] >= before[-1].ledger_version
        assert decided["risk_offset"] >= before[-1].risk_offset
        same_file = decided["document_version"] == before[-1].document_version
        assert decided["targets_offset"] >= (before[-1].targets_offset if same_file else -1)
        rows = {row["term"]: row for row in said["rows"]}
        assert "a worker may still have had older ones" in rows["basis"]["meaning"]
        assert rows["state"]["unit"] == "offset"


def _a_time_means_the_last_frame_before_it(run: Run, shell: Shell) -> None:
    frame = run.quiet(NAMES[0])
    time_us = frame.message.event_time_us
    by_offset = shell.document(NAMES[0], "--at", str(frame.offset))
    for text in (str(time_us), datetime.fromtimestamp(time_us // 1_000_000, UTC).isoformat()):
        found = shell.document(NAMES[0], "--at", text)["decision"]
        asked_us = time_us if text.isdigit() else time_us // 1_000_000 * 1_000_000
        expected = max(each.offset for each in run.frames if each.message.event_time_us <= asked_us)
        assert found["frame_offset"] == expected
    assert shell.document(NAMES[0], "--at", str(time_us))["decision"] == by_offset["decision"]


def _holds_are_counted(run: Run, shell: Shell) -> None:
    said = shell.document(NAMES[0], "--holds", "--last", "1h")
    full = [each.offset for each in run.frames if each.message.full]
    assert said["to"]["frame"] == run.frames[-1].offset
    assert said["full_frames"] == sum(each["frames"] for each in said["outcomes"]) <= len(full)
    assert said["full_frames"] == len([offset for offset in full if offset >= said["from"]["frame"]])
    assert said["signals"] == len([each for each in run.of(NAMES[0]) if each.frame_offset >= said["from"]["frame"]])
    for outcome in said["outcomes"]:
        assert outcome["last_frame"] in full
        if outcome["outcome"] in {"hold", "trade"}:
            decided = shell.document(NAMES[0], "--at", str(outcome["last_frame"]))
            assert decided["decision"]["reason"] == outcome["reason"]
            rows = {row["term"]: row for row in decided["rows"]}
            assert rows["decision"]["value"] == outcome["outcome"]
            assert outcome["meaning"].startswith(rows["reason"]["meaning"])
    ending = shell.document(NAMES[0], "--holds", "--last", "2s", "--at", str(full[-2]))
    assert ending["to"]["frame"] == full[-2]
    assert 1 <= ending["full_frames"] <= 3


def _what_is_not_there_gets_one_line(run: Run, shell: Shell) -> None:
    end = run.frames[-1].offset
    first_us = run.frames[0].message.event_time_us
    lines = {
        ("--at", str(end + 1)): f"frame {end + 1}: not there yet; market.frames ends with frame {end}",
        ("--at", str(first_us - 1)): "no frame of then is kept; market.frames begins with frame 0 of",
        ("--signal", "nothing"): "signal nothing: not on rebalance.signals; of core-0 it has",
    }
    for words, line in lines.items():
        ended = shell.run(NAMES[0], *words)
        assert (ended.exit_code, ended.stdout) == (1, ""), words
        assert line in ended.stderr
        assert ended.stderr.count("\n") == 1


def _all_is_replayed(run: Run, shell: Shell) -> None:
    ids = {each.signal_id for each in run.signals}
    said = shell.document("--verify", command="replay")
    assert said["matched"] == said["signals"] == len(ids)
    assert [said[kind] for kind in ("mismatched", "missing", "unexpected", "gone", "faults")] == [0, 0, 0, 0, []]
    begin = next(each.offset for each in run.frames if each.message.full)
    assert (said["from"], said["to"]) == (begin, run.frames[-1].offset)
    assert said["frames"] == len([each for each in run.frames if each.offset >= begin])
    assert said["workers"] == 2
    assert said["unwatched"] < len(ids)
    middle = run.frames[len(run.frames) // 2]
    words = ("--verify", "--from", str(middle.offset), "--to", str(run.frames[-1].message.event_time_us))
    later = shell.document(*words, command="replay")
    assert (later["from"], later["to"], later["faults"]) == (middle.offset, run.frames[-1].offset, [])
    assert later["signals"] == len({each.signal_id for each in run.signals if each.frame_offset >= middle.offset})
    readable = shell.run("--verify", command="replay")
    assert f"{len(ids)} of {len(ids)} signals matched, 0 mismatched, 0 missing, 0 unexpected" in readable.stderr
    for words, code, line in (
        ((), 2, "allowed: --verify"),
        (("--verify", "--from", "yesterday"), 2, "--from: found 'yesterday'"),
        (("--verify", "--from", "9999999"), 1, f"to {run.frames[-1].offset}: not there, or the wrong way round"),
    ):
        ended = shell.run(*words, command="replay")
        assert (ended.exit_code, ended.stdout) == (code, ""), words
        assert line in ended.stderr


def _an_archive_says_the_same(run: Run, shell: Shell, settings: Settings) -> None:
    home = shell.file.parent
    recorded = shell.document(str(home / "all"), command="record")
    assert recorded["topics"]["market.frames"] == {"rows": len(run.frames), "unreadable": 0}
    assert recorded["rows"] == sum(each["rows"] for each in recorded["topics"].values())
    assert (recorded["gaps"], len(recorded["topics"])) == (0, len(TOPICS))
    middle = run.frames[len(run.frames) // 2].offset
    words = (str(home / "half"), "--from", str(middle))
    said = shell.run(*words, "--only", "market.risk", command="record")
    assert (said.exit_code, said.stderr.count("no gap")) == (0, 1), said.output
    shutil.rmtree(home / "half")
    half = shell.document(*words, command="record")
    assert half["topics"]["market.frames"]["rows"] >= len(run.frames) - middle

    elsewhere = Shell(home / "no-kafka.yaml")  # nobody answers there
    text = shell.file.read_text().replace(settings.kafka.bootstrap_servers, "127.0.0.1:9")
    elsewhere.file.write_text(text.replace(settings.registry.url, "http://127.0.0.1:9"))
    live = shell.document("--verify", command="replay")
    assert elsewhere.document("--verify", "--archive", str(home / "all"), command="replay") == live
    span = ("--verify", "--from", str(middle))
    of_half = elsewhere.document(*span, "--archive", str(home / "half"), command="replay")
    assert of_half == shell.document(*span, command="replay")
    _another_policy_is_played(shell, elsewhere, middle)
    again = shell.run(*words, command="record")
    assert (again.exit_code, again.stdout) == (2, "")
    assert "half'; allowed: a new folder" in again.stderr
    nothing = elsewhere.run("--verify", "--archive", str(home), command="replay")
    assert (nothing.exit_code, nothing.stderr.count("\n")) == (2, 1), nothing.output
    _bite(home / "half" / "market.frames.avro")
    bitten = elsewhere.run(*span, "--archive", str(home / "half"), command="replay")
    assert (bitten.exit_code, bitten.stdout) == (2, "")
    assert "market.frames.avro: bytes" in bitten.stderr


def _another_policy_is_played(shell: Shell, elsewhere: Shell, first: int) -> None:
    """The topics and the archive of them answer alike; nobody worked these signals, so what was has none."""
    file = shell.file.parent / "other.yaml"
    file.write_text(f"portfolio: {NAMES[0]}\nquote: USDT\ntargets: {{BTC: 0.5, ETH: 0.4, USDT: 0.1}}\n")
    words = ("--what-if", str(file), "--from", str(first))

    found = shell.document(*words, command="replay")

    assert elsewhere.document(*words, "--archive", str(file.parent / "all"), command="replay") == found
    assert (found["portfolio"], found["span"]["first_frame"]) == (NAMES[0], first)
    bills = found["bill"]
    assert bills["recorded"]["signals"] == 0 < min(bills[name]["signals"] for name in ("engine", "other"))
    assert bills["engine"]["start_equity"] == bills["other"]["start_equity"] > 10_000
    assert bills["engine"]["fees"] > 0
    unknown = shell.run(*words, "--portfolio", "nobody", command="replay")
    assert (unknown.exit_code, unknown.stdout) == (2, "")
    assert f"portfolio nobody: not recorded; recorded: {', '.join(NAMES)}" in unknown.stderr


def _bite(file: Path) -> None:
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 4
    file.write_bytes(data)


def _a_portfolio_that_came_later(run: Run, shell: Shell) -> None:
    ended = shell.run("late", "--at", str(run.frames[-1].offset))

    assert (ended.exit_code, ended.stdout) == (1, "")
    assert f"portfolio.state of late at frame {run.frames[-1].offset}" in ended.stderr
    assert "none yet; the first one is at offset" in ended.stderr
    assert shell.run("late", "--holds").exit_code == 1


def _other_settings_are_found_out(run: Run, shell: Shell) -> None:
    shell.file.write_text(shell.file.read_text().replace("signal_lifetime_seconds: 5", "signal_lifetime_seconds: 6"))
    signal = run.signals[-1]

    (said,) = shell.document(signal.portfolio_id, "--signal", signal.signal_id, exit_code=1)["signals"]

    assert (said["equal"], said["same_bytes"]) == (False, False)
    later = str(signal.deadline_us + 1_000_000)
    first, *rest = said["differences"]
    assert first == {"field": "deadline_us", "published": str(signal.deadline_us), "recomputed": later}
    assert all(each["field"].endswith(".cost") for each in rest)  # impact is taken over the lifetime
    replayed = shell.document("--verify", exit_code=1, command="replay")
    assert (replayed["matched"], replayed["mismatched"]) == (0, replayed["signals"])
    assert replayed["faults"][0]["kind"] == "mismatched"


def _retention_is_said(run: Run, shell: Shell, settings: Settings) -> None:
    signal = run.of(NAMES[0])[0]
    begin = signal.frame_offset + 1
    place = TopicPartition(f"{settings.kafka.topic_prefix}{MARKET_FRAMES.name}", 0, begin)
    admin = AdminClient({"bootstrap.servers": settings.kafka.bootstrap_servers})
    for gone in admin.delete_records([place]).values():
        gone.result(30)
    for words in (("--signal", signal.signal_id), ("--at", str(signal.frame_offset))):
        ended = shell.run(NAMES[0], *words)
        assert (ended.exit_code, ended.stdout) == (1, "")
        line = f"frame {signal.frame_offset}: past retention; market.frames begins with frame {begin}"
        assert ended.stderr == f"error: {line}\n"
