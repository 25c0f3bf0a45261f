"""The broker and the schema registry."""

import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Literal

from pydantic import Field, SecretStr, model_validator

from trimtab.configuration import HIDDEN, TOPIC_PREFIX, Problem, refuse
from trimtab.settings.addresses import Brokers, HttpUrl
from trimtab.settings.secret_files import read_secret
from trimtab.settings.section import Section


class KafkaSettings(Section):
    """The broker, how it lets this process in, and how this installation's topics are named.

    The password may stand in a file of its own (a mounted secret), which is read with the settings. Without `ca_file` a
    broker's certificate is checked against the system's authorities.
    """

    bootstrap_servers: Brokers = "127.0.0.1:9092"
    topic_prefix: str = Field("", pattern=TOPIC_PREFIX)
    session_timeout_seconds: float = Field(6.0, ge=0.5, le=60)
    # of one consumer; above it the service stops rather than throws everything away
    dead_letters_per_minute_max: int = Field(60, ge=1, le=1_000_000)
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = "PLAINTEXT"
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] | None = None
    username: str | None = Field(None, min_length=1)
    password: SecretStr | None = None
    password_file: Path | None = None
    ca_file: Path | None = None

    @property
    def encrypted(self) -> bool:
        """Whether TLS is spoken."""
        return self.security_protocol in {"SSL", "SASL_SSL"}

    @property
    def authenticated(self) -> bool:
        """Whether a name and a password are given."""
        return self.security_protocol in {"SASL_PLAINTEXT", "SASL_SSL"}

    @model_validator(mode="before")
    @classmethod
    def _with_password(cls, given: object) -> object:
        if not isinstance(given, dict) or not isinstance(given.get("password_file"), str):
            return given
        if given.get("password") is not None:
            raise refuse(Problem("password_file", given["password_file"], "nothing beside password"))
        read = read_secret("password_file", Path(given["password_file"]))
        if isinstance(read, Problem):
            raise refuse(read)
        return given | {"password": read}

    @model_validator(mode="after")
    def _whole(self) -> "KafkaSettings":
        problems = [*self._credentials(), *self._authorities()]
        if problems:
            raise refuse(*problems)
        return self

    def _credentials(self) -> Iterator[Problem]:
        """Yield what is missing for SASL, or given and would not be used."""
        for name in ("sasl_mechanism", "username", "password"):
            value = getattr(self, name)
            if self.authenticated and value is None:
                yield Problem(name, None, f"a value; {self.security_protocol} needs it")
            if not self.authenticated and value is not None:
                found = HIDDEN if name == "password" else value
                yield Problem(name, found, f"nothing with {self.security_protocol}; SASL_SSL or SASL_PLAINTEXT uses it")

    def _authorities(self) -> Iterator[Problem]:
        """Yield what is wrong with the file of certificate authorities."""
        if self.ca_file is None:
            return
        if not self.encrypted:
            yield Problem(
                "ca_file", str(self.ca_file), f"nothing with {self.security_protocol}; SSL or SASL_SSL uses it"
            )
        try:
            ssl.create_default_context(cafile=str(self.ca_file))
        except (OSError, ValueError):  # ssl.SSLError is an OSError
            yield Problem("ca_file", str(self.ca_file), "a readable file of certificates in PEM")


class RegistrySettings(Section):
    """A Confluent-compatible schema registry; a name and a password may stand in the address."""

    url: HttpUrl = "http://127.0.0.1:8081"
