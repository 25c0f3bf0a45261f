"""docs/examples/read_fills.py, as another system runs it: a process of its own, against a real broker and registry."""

import json
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from examples import messages
from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.domain.amounts import plain
from trimtab.messages import Fill
from trimtab.settings import Settings

pytestmark = pytest.mark.integration

EXAMPLE = Path(__file__).parents[2] / "docs" / "examples" / "read_fills.py"
SECONDS_MAX = 120


def read(settings: Settings) -> list[dict[str, object]]:
    arguments = {
        "--bootstrap": settings.kafka.bootstrap_servers,
        "--registry": settings.registry.url,
        "--topic": f"{settings.kafka.topic_prefix}execution.fills",
        "--group": f"{settings.kafka.topic_prefix}example",
        "--seconds": "12",
    }
    words = [sys.executable, "-X", "faulthandler", str(EXAMPLE), *(word for pair in arguments.items() for word in pair)]
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as reader:
        try:
            out, said = reader.communicate(timeout=SECONDS_MAX)
        except subprocess.TimeoutExpired:
            reader.send_signal(signal.SIGABRT)  # it says where it stands
            pytest.fail(f"it did not end: {reader.communicate()[1]}")
    assert reader.returncode == 0, said
    return [json.loads(line) for line in out.splitlines()]


async def test_the_example_reads_every_fill_and_goes_on_where_it_stopped(settings: Settings, codec: Codec) -> None:
    sent = [message for message in messages("execution.fills") if isinstance(message, Fill)]
    publisher = KafkaPublisher(settings.kafka, codec)
    for fill in sent:
        await publisher.publish(fill)

    found = read(settings)

    assert len(sent) >= 2
    assert {fill["event_id"] for fill in found} == {fill.event_id for fill in sent}
    by_id = {fill.event_id: fill for fill in sent}
    for fill in found:
        wanted = by_id[str(fill["event_id"])]
        assert (fill["portfolio_id"], fill["trade_id"]) == (wanted.portfolio_id, wanted.trade_id)
        assert str(fill["price"]).rstrip("0").rstrip(".") == plain(wanted.price)

    again = messages("execution.fills")[0]
    await publisher.publish(again)
    await publisher.close()
    assert [fill["event_id"] for fill in read(settings)] == [again.event_id]  # type: ignore[union-attr] # it is a fill
