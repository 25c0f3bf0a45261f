"""Read execution.fills from another system: Confluent's own client and deserializer, nothing of trimtab.

python read_fills.py --bootstrap 127.0.0.1:9092 --registry http://127.0.0.1:8081
"""

import argparse
import json
from collections.abc import Iterator
from typing import Any

from confluent_kafka import DeserializingConsumer
from confluent_kafka.schema_registry import SchemaRegistryClient, topic_subject_name_strategy
from confluent_kafka.schema_registry.avro import AvroDeserializer
from confluent_kafka.serialization import StringDeserializer


def fills(bootstrap: str, registry: str, topic: str, group: str, seconds: float | None) -> Iterator[dict[str, Any]]:
    """Yield every fill at least once, from the first one ever; stop when none comes for so many seconds.

    The offset of a fill is committed when the next one is asked for: who crashes over a fill sees it again. Compare
    `event_id`, or the triple venue, account, trade_id, to do a thing once.
    """
    client = SchemaRegistryClient({"url": registry, "timeout": 10})
    # Without a strategy new deserializers first ask the registry which subject a topic has. Apicurio does not know that
    # question, and now and then leaves it without any answer.
    deserializer = AvroDeserializer(client, conf={"subject.name.strategy": topic_subject_name_strategy})
    consumer = DeserializingConsumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "key.deserializer": StringDeserializer(),
            "value.deserializer": deserializer,
        }
    )
    consumer.subscribe([topic])
    try:
        while (record := consumer.poll(seconds if seconds is not None else 60.0)) is not None or seconds is None:
            if record is None:
                continue
            yield record.value()
            consumer.commit(record, asynchronous=False)
    finally:
        consumer.close()


def main() -> None:
    """Print fills as lines of JSON; amounts stay exact, as text."""
    parser = argparse.ArgumentParser(description="Read trimtab's fills.")
    parser.add_argument("--bootstrap", default="127.0.0.1:9092")
    parser.add_argument("--registry", default="http://127.0.0.1:8081", help="a Confluent-compatible schema registry")
    parser.add_argument("--topic", default="execution.fills")
    parser.add_argument("--group", default="my-system")
    parser.add_argument("--seconds", type=float, help="end when no fill comes for so long")
    options = parser.parse_args()
    for fill in fills(options.bootstrap, options.registry, options.topic, options.group, options.seconds):
        print(json.dumps(fill, default=str), flush=True)


if __name__ == "__main__":
    main()
