"""How Faust is let in by a broker that asks for TLS or a password: what aiokafka gets of it."""

import ssl
from typing import Any

import certifi
import pytest
from faust.transport.drivers.aiokafka import credentials_to_aiokafka_auth

from trimtab.drift.stream import Stream
from trimtab.settings import KafkaSettings

LOGIN: dict[str, Any] = {"sasl_mechanism": "SCRAM-SHA-256", "username": "trimtab", "password": "hunter2-hunter2"}


def built(**given: Any) -> tuple[dict[str, Any], ssl.SSLContext | None]:
    """Return what the app hands to aiokafka, the TLS context by itself."""
    stream = Stream(KafkaSettings(bootstrap_servers="a:9092,b:9093", **given), "g", lambda *_: None, lambda *_: None)
    conf = stream._app.conf
    assert [str(url) for url in conf.broker] == ["kafka://a:9092", "kafka://b:9093"]
    auth = dict(credentials_to_aiokafka_auth(conf.broker_credentials, conf.ssl_context))
    return auth, auth.pop("ssl_context", None)


def test_in_the_open() -> None:
    assert built() == ({"security_protocol": "PLAINTEXT"}, None)


@pytest.mark.parametrize("authorities", [None, certifi.where()])
def test_encrypted_connections_check_certificate_and_host(authorities: str | None) -> None:
    auth, context = built(security_protocol="SSL", ca_file=authorities)

    assert auth == {"security_protocol": "SSL"}
    assert context is not None
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_own_authorities_are_the_only_ones(tmp_path: Any) -> None:
    first = certifi.contents().split("-----END CERTIFICATE-----")[0] + "-----END CERTIFICATE-----\n"
    authorities = tmp_path / "authorities.pem"
    authorities.write_text(first)

    _, context = built(security_protocol="SSL", ca_file=str(authorities))

    assert context is not None
    assert context.cert_store_stats()["x509_ca"] == 1


def test_a_password_in_the_open() -> None:
    auth, context = built(security_protocol="SASL_PLAINTEXT", **LOGIN)

    assert context is None
    assert auth == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "trimtab",
        "sasl_plain_password": "hunter2-hunter2",
    }


def test_a_password_and_encryption() -> None:
    auth, context = built(security_protocol="SASL_SSL", **LOGIN)

    assert context is not None
    assert auth["security_protocol"] == "SASL_SSL"
    assert auth["sasl_plain_password"] == "hunter2-hunter2"
