"""How clients are let in by a broker that asks for TLS or a password: what is built, and that the client takes it."""

from typing import Any

import certifi
import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from trimtab.adapters.kafka.client import Complaints, client_config, consumer_config, producer_config
from trimtab.settings import KafkaSettings

AUTHORITIES = certifi.where()
LOGIN: dict[str, Any] = {"sasl_mechanism": "SCRAM-SHA-512", "username": "trimtab", "password": "hunter2-hunter2"}
LOGIN_BUILT = {"sasl.mechanism": "SCRAM-SHA-512", "sasl.username": "trimtab", "sasl.password": "hunter2-hunter2"}

CASES: dict[str, tuple[dict[str, Any], dict[str, str]]] = {
    "in the open": ({}, {"security.protocol": "PLAINTEXT"}),
    "encrypted": ({"security_protocol": "SSL"}, {"security.protocol": "SSL"}),
    "encrypted, own authorities": (
        {"security_protocol": "SSL", "ca_file": AUTHORITIES},
        {"security.protocol": "SSL", "ssl.ca.location": AUTHORITIES},
    ),
    "password in the open": (
        {"security_protocol": "SASL_PLAINTEXT", **LOGIN},
        {"security.protocol": "SASL_PLAINTEXT", **LOGIN_BUILT},
    ),
    "password, encrypted": (
        {"security_protocol": "SASL_SSL", "ca_file": AUTHORITIES, **LOGIN},
        {"security.protocol": "SASL_SSL", "ssl.ca.location": AUTHORITIES, **LOGIN_BUILT},
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_every_client_is_let_in_the_same_way(name: str) -> None:
    given, expected = CASES[name]
    kafka = KafkaSettings.model_validate({"bootstrap_servers": "127.0.0.1:1", **given})

    for config in (
        client_config(kafka, "test", Complaints()),
        producer_config(kafka, "test", Complaints()),
        consumer_config(kafka, "test", Complaints()),
    ):
        assert {key: value for key, value in config.items() if key.startswith(("security", "sasl", "ssl"))} == expected

    # librdkafka itself refuses what it does not know, and authorities that it cannot read
    AdminClient(client_config(kafka, "test", Complaints()))
    Producer(producer_config(kafka, "test", Complaints()))
    Consumer(consumer_config(kafka, "test", Complaints()) | {"group.id": "test"}).close()


def test_the_password_does_not_show() -> None:
    assert "hunter2" not in repr(KafkaSettings(security_protocol="SASL_SSL", **LOGIN))
