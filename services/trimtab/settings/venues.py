"""Venues, and the accounts at them."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, SecretStr, model_validator

from trimtab.configuration import INSTRUMENT, Problem, refuse
from trimtab.domain.errors import InvalidValueError
from trimtab.settings.addresses import HttpUrl, WebsocketUrl
from trimtab.settings.secret_files import read_secret
from trimtab.settings.section import Section


class VenueSettings(Section):
    """One venue: which ccxt class speaks to it, and where (None means the venue's own address)."""

    kind: Literal["binance", "coinbase"] = "binance"
    rest_url: HttpUrl | None = None
    websocket_url: WebsocketUrl | None = None
    instruments: tuple[Annotated[str, Field(pattern=INSTRUMENT)], ...] = ()
    requests_per_second: float = Field(20.0, gt=0, le=100_000)  # of this process; the venue counts weight, by address
    recv_window_ms: int = Field(2_000, ge=100, le=60_000)
    clock_skew_ms: int = Field(500, ge=0, le=10_000)
    request_timeout_ms: int = Field(5_000, ge=100, le=60_000)


class AccountSettings(Section):
    """One account at a venue. Keys come from files (a mounted secret) or, for the simulated exchange, directly."""

    venue: str
    api_key: SecretStr | None = None
    secret: SecretStr | None = None
    api_key_file: Path | None = None
    secret_file: Path | None = None
    passphrase: SecretStr | None = None  # Coinbase's keys have one, others none
    passphrase_file: Path | None = None

    @model_validator(mode="after")
    def _one_source(self) -> "AccountSettings":
        problems = []
        for name in ("api_key", "secret"):
            direct, file = getattr(self, name) is not None, getattr(self, f"{name}_file") is not None
            if direct == file:
                found = "both" if direct else None
                problems.append(Problem(name, found, f"exactly one of {name} and {name}_file"))
        if self.passphrase is not None and self.passphrase_file is not None:
            problems.append(Problem("passphrase", "both", "at most one of passphrase and passphrase_file"))
        if problems:
            raise refuse(*problems)
        return self

    @property
    def has_passphrase(self) -> bool:
        """Whether its key has a passphrase, wherever that stands."""
        return self.passphrase is not None or self.passphrase_file is not None

    def credentials(self) -> tuple[str, str]:
        """Return (key, secret), read now.

        Raises:
            InvalidValueError: if a named file cannot be read.

        """
        return self._read("api_key"), self._read("secret")

    def key_passphrase(self) -> str:
        """Return the key's passphrase, read now.

        Raises:
            InvalidValueError: if there is none, or a named file cannot be read.

        """
        if not self.has_passphrase:
            raise InvalidValueError("accounts.*.passphrase", None, "one of passphrase and passphrase_file")
        return self._read("passphrase")

    def _read(self, name: str) -> str:
        value: SecretStr | None = getattr(self, name)
        if value is not None:
            return value.get_secret_value()
        read = read_secret(f"accounts.*.{name}_file", getattr(self, f"{name}_file"))
        if isinstance(read, Problem):
            raise InvalidValueError(read.path, read.value, read.allowed)
        return read
