"""What every Kafka client of trimtab is made with, and how it complains."""

import time
from collections.abc import Callable
from typing import Any

import structlog
from confluent_kafka import KafkaError

from trimtab.settings import KafkaSettings

PARTITIONER = "murmur2_random"  # librdkafka's default disagrees with Java's and aiokafka's
REPEAT_SECONDS = 30.0
ACKNOWLEDGED_MS_MAX = 30_000

OnError = Callable[[KafkaError], None]

_log = structlog.get_logger("trimtab.kafka")


class Complaints:
    """Logs what a client complains about: each reason at once, then at most every half minute."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._last: dict[str, float] = {}

    def __call__(self, error: KafkaError) -> None:
        """Take a complaint of librdkafka's (its `error_cb`)."""
        self.say(error.name(), error.str())

    def say(self, kind: str, text: str) -> None:
        """Log a complaint unless the same kind was logged a moment ago."""
        now = self._clock()
        if now - self._last.get(kind, -REPEAT_SECONDS) >= REPEAT_SECONDS:
            self._last[kind] = now
            _log.warning("kafka client", kind=kind, reason=text)


def client_config(kafka: KafkaSettings, client_id: str, complaint: OnError) -> dict[str, Any]:
    """Return librdkafka's settings that all clients share."""
    return {
        "bootstrap.servers": kafka.bootstrap_servers,
        "client.id": client_id,
        "socket.nagle.disable": True,
        "reconnect.backoff.ms": 50,
        "reconnect.backoff.max.ms": 1_000,
        "log_level": 2,  # its lines on standard error repeat what error_cb says
        "error_cb": complaint,
        **_security(kafka),
    }


def _security(kafka: KafkaSettings) -> dict[str, str]:
    """Return how the broker lets a client in; certificates and host names are always checked."""
    config: dict[str, str] = {"security.protocol": kafka.security_protocol}
    if kafka.ca_file is not None:
        config["ssl.ca.location"] = str(kafka.ca_file)
    if kafka.authenticated:
        assert kafka.password is not None, "the settings were checked"
        config |= {
            "sasl.mechanism": str(kafka.sasl_mechanism),
            "sasl.username": str(kafka.username),
            "sasl.password": kafka.password.get_secret_value(),
        }
    return config


def producer_config(kafka: KafkaSettings, client_id: str, complaint: OnError) -> dict[str, Any]:
    """Return settings of a producer that acknowledges only what all replicas have, once and in order."""
    return client_config(kafka, client_id, complaint) | {
        "enable.idempotence": True,
        "acks": "all",
        "linger.ms": 0,
        "partitioner": PARTITIONER,
        "compression.type": "none",  # a record is too small to gain, and every microsecond counts
        "message.timeout.ms": ACKNOWLEDGED_MS_MAX,
        "topic.metadata.propagation.max.ms": 5_000,  # after that a topic that is unknown is reported, not waited for
        "message.max.bytes": 1_000_000,
    }


def consumer_config(kafka: KafkaSettings, client_id: str, complaint: OnError) -> dict[str, Any]:
    """Return settings of a consumer that commits nothing by itself."""
    return client_config(kafka, client_id, complaint) | {
        "enable.auto.commit": False,
        "enable.auto.offset.store": False,
        "auto.offset.reset": "earliest",
        "allow.auto.create.topics": False,
        "fetch.wait.max.ms": 100,
        "fetch.error.backoff.ms": 50,
        "topic.metadata.refresh.interval.ms": 30_000,
    }
