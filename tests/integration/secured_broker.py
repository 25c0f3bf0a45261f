"""A real Kafka that asks for TLS and a password, with an authority of its own."""

import datetime
import ipaddress
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import (
    AdminClient,
    ScramCredentialInfo,
    ScramMechanism,
    UserScramCredentialUpsertion,
)
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from trimtab.embedded import kafka
from trimtab.embedded.artifacts import ready
from trimtab.embedded.crew import Crew
from trimtab.embedded.restarts import Restarts
from trimtab.embedded.sockets import free_ports

USER, PASSWORD = "trimtab", "hunter2-hunter2"
_SECURED = f"""
listeners=PLAINTEXT://127.0.0.1:{{port}},CONTROLLER://127.0.0.1:{{controller_port}},SECURED://127.0.0.1:@SECURED@
advertised.listeners=PLAINTEXT://127.0.0.1:{{port}},SECURED://127.0.0.1:@SECURED@
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT,SECURED:SASL_SSL
ssl.keystore.type=PEM
ssl.keystore.location=@KEYSTORE@
listener.name.secured.sasl.enabled.mechanisms=PLAIN,SCRAM-SHA-512
listener.name.secured.plain.sasl.jaas.config=org.apache.kafka.common.security.plain.PlainLoginModule required \
user_{USER}="{PASSWORD}";
listener.name.secured.scram-sha-512.sasl.jaas.config=org.apache.kafka.common.security.scram.ScramLoginModule required;
"""


@dataclass(frozen=True)
class SecuredBroker:
    """Where it is, and who vouches for it."""

    address: str
    ca_file: Path


@contextmanager
def secured_broker(folder: Path) -> Iterator[SecuredBroker]:
    """Run the broker; it lets `USER` in with `PASSWORD`, by PLAIN and by SCRAM-SHA-512."""
    ca_file, keystore = _certificates(folder)
    port, controller, secured = free_ports(3)
    added = _SECURED.replace("@SECURED@", str(secured)).replace("@KEYSTORE@", str(keystore))
    crew = Crew(lambda *_: None, Restarts("never"), lambda: None)
    lock = os.open(folder / "lock", os.O_RDWR | os.O_CREAT)
    try:
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(kafka, "SETTINGS", kafka.SETTINGS + added)  # of two lines with one key the last one counts
            crew.open(folder / "guardian.log", lock)
            ports = {"kafka": port, "kafka_controller": controller}
            crew.bring_up(kafka.Kafka(folder, ports, ready(lambda *_: None), lambda name: folder / f"{name}.log"))
        _enrol(f"127.0.0.1:{port}")
        yield SecuredBroker(f"127.0.0.1:{secured}", ca_file)
    finally:
        crew.close(30)
        os.close(lock)


def _enrol(address: str) -> None:
    scram = ScramCredentialInfo(ScramMechanism.SCRAM_SHA_512, 4_096)
    asked = [UserScramCredentialUpsertion(USER, scram, PASSWORD.encode())]
    client = AdminClient({"bootstrap.servers": address})
    for future in client.alter_user_scram_credentials(asked).values():
        future.result()


def _certificates(folder: Path) -> tuple[Path, Path]:
    """Write an authority's certificate, and a broker's key with the certificate that the authority gave it."""
    authority_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "authority of a test")])
    now = datetime.datetime.now(datetime.UTC)
    blank = (
        x509.CertificateBuilder()
        .issuer_name(name)
        .not_valid_before(now - datetime.timedelta(hours=1))
        .not_valid_after(now + datetime.timedelta(days=1))
    )
    authority = (
        blank.subject_name(name)
        .public_key(authority_key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    broker = (
        blank.subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "broker")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority_key.public_key()), critical=False)
        .sign(authority_key, hashes.SHA256())
    )
    ca_file, keystore = folder / "authority.pem", folder / "broker.pem"
    ca_file.write_bytes(authority.public_bytes(serialization.Encoding.PEM))
    keystore.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        + broker.public_bytes(serialization.Encoding.PEM)
    )
    return ca_file, keystore
