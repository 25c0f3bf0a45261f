"""The whole line on one machine: embedded stack, simulated exchange, services; ready for portfolios."""

import json
import os
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import yaml

from trimtab.adapters.kafka.admin import apply_topics
from trimtab.adapters.postgres.deploy import migrate
from trimtab.demo.sim import Sim
from trimtab.embedded.events import OnEvent, ignore
from trimtab.embedded.line import Line
from trimtab.embedded.service import Service
from trimtab.embedded.sockets import free_ports
from trimtab.embedded.supervisor import Stack
from trimtab.settings import FILE_VARIABLE, Settings, load_settings

SERVICES = ("ingest", "drift", "executor", "reconciler")
ROLES = {"executor": "trimtab_executor", "reconciler": "trimtab_reconciler", "cli": "trimtab_cli"}
# The synthetic market of a demo moves in a minute as a real one does in a day: signals and patience age faster with it.
LIVELY: Mapping[str, Any] = {
    "drift": {"signal_lifetime_seconds": 12},
    "executor": {"patience_seconds": 4, "rest_seconds_min": 1, "depth_share_max": "0.1"},
}
_STACK_PARTS = ("kafka", "registry", "postgres")


@dataclass(frozen=True)
class MarketChoice:
    """What the exchange plays: tapes, or a synthetic market of a seed."""

    tapes: Sequence[Path] = ()
    seed: int = 7
    speed: float = 1.0
    volatility: float = 1.0
    symbols: Sequence[str] = ()
    faults_seed: int | None = None

    def arguments(self) -> tuple[str, ...]:
        """Return the exchange's command line for it."""
        words = [word for tape in self.tapes for word in ("--tape", str(tape.resolve()))]
        words += [] if self.tapes else ["--synthetic", str(self.seed), "--volatility", str(self.volatility)]
        words += [word for symbol in self.symbols for word in ("--symbols", symbol)]
        words += [] if self.faults_seed is None else ["--faults-seed", str(self.faults_seed)]
        return (*words, "--speed", str(self.speed), "--paused")


@dataclass
class Stage:
    """Everything runs below `folder`; `tuning` overrides sections of the services' settings."""

    folder: Path
    market: MarketChoice
    tuning: Mapping[str, Any] = field(default_factory=dict)
    on_event: OnEvent = ignore

    def __post_init__(self) -> None:
        self.folder = self.folder.resolve()
        self.journal = self.folder / "exchange.journal"
        self.stack = Stack(self.folder / "stack", restart="on_crash", on_event=self.on_event)
        self.line = Line(self.folder / "line", on_event=self.on_event)
        self._passwords = {role: secrets.token_urlsafe(18) for role in ROLES.values()}
        self._accounts: dict[str, dict[str, Any]] = {}

    def start_stack(self) -> None:
        """Start Kafka, registry and PostgreSQL; make topics, schemas, tables and roles."""
        addresses = self.stack.start()
        self._owner = addresses.postgres
        self._base: dict[str, Any] = {
            "kafka": {"bootstrap_servers": addresses.kafka},
            "registry": {"url": addresses.registry},
            "log": {"format": "console"},
        }
        self._write(self._base)
        migrate(self._owner, self._passwords)
        apply_topics(self.settings())

    def start_exchange(self) -> Sim:
        """Start the exchange with its market standing still."""
        (port,) = free_ports(1)
        self.journal.unlink(missing_ok=True)
        self.sim = Sim(f"http://127.0.0.1:{port}")
        self.line.open()
        arguments = ("--port", str(port), "--journal", str(self.journal), *self.market.arguments())
        exchange = Service(
            "exchange",
            "trimtab.exchange",
            arguments,
            {},
            f"{self.sim.base}/api/v3/ping",
            self._log("exchange"),
            phase=1,
        )
        self.line.start([exchange])
        return self.sim

    def open_accounts(self, balances: Mapping[str, Mapping[str, Decimal]], fee_assets: Mapping[str, str]) -> None:
        """Open venue accounts with these balances; `fee_assets` names what an account pays fees in, if not as usual."""
        for name, amounts in balances.items():
            key, secret = secrets.token_hex(16), secrets.token_hex(16)
            texts = {asset: f"{amount:f}" for asset, amount in amounts.items()}
            terms: dict[str, Any] = {"name": name, "api_key": key, "secret": secret, "balances": texts}
            self.sim.open_account(terms | ({"fee_asset": fee_assets[name]} if name in fee_assets else {}))
            self._accounts[name] = {"venue": "binance", "api_key": key, "secret": secret}

    def write_settings(self, instruments: Sequence[str]) -> None:
        """Write what every process reads: addresses, the venue, its accounts, and the tuning."""
        websocket = self.sim.base.replace("http://", "ws://")
        venue = {"rest_url": self.sim.base, "websocket_url": websocket, "instruments": list(instruments)}
        document = self._base | {"venues": {"binance": venue}, "accounts": self._accounts}
        self._write(_merged(document, self.tuning))

    def start_services(self) -> None:
        """Start the four services side by side and wait until each answers."""
        ports = free_ports(len(SERVICES))
        self.line.start([self._service(name, port) for name, port in zip(SERVICES, ports, strict=True)])

    def settings(self, role: str = "cli") -> Settings:
        """Return the settings as one of the processes has them."""
        os.environ[FILE_VARIABLE] = str(self.settings_file)
        os.environ["TRIMTAB_POSTGRES__DSN"] = self.dsn(role)
        return load_settings()

    def dsn(self, role: str) -> str:
        """Return the data source name of a process's own database role."""
        owner = urlsplit(self._owner)
        name = ROLES[role]
        return urlunsplit(owner._replace(netloc=f"{name}:{self._passwords[name]}@{owner.hostname}:{owner.port}"))

    def kill(self, name: str) -> None:
        """Kill -9 a service or a part of the stack; it is started again by its supervisor."""
        (self.stack if name in _STACK_PARTS else self.line).kill(name)

    def stop(self) -> None:
        """End everything, services first."""
        self.line.stop()
        self.stack.stop()

    @property
    def settings_file(self) -> Path:
        return self.folder / "settings.yaml"

    def _service(self, name: str, port: int) -> Service:
        environment = {FILE_VARIABLE: str(self.settings_file), "TRIMTAB_METRICS__PORT": str(port)}
        if name in ROLES:
            environment["TRIMTAB_POSTGRES__DSN"] = self.dsn(name)
        return Service(
            name, f"trimtab.{name}", (), environment, f"http://127.0.0.1:{port}/metrics", self._log(name), phase=0
        )

    def _log(self, name: str) -> Path:
        folder = self.folder / "logs"
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{name}.log"

    def _write(self, document: Mapping[str, Any]) -> None:
        text = yaml.safe_dump(json.loads(json.dumps(document, default=str)), sort_keys=True)
        self.settings_file.touch(mode=0o600)
        self.settings_file.write_text(text)


def _merged(under: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Return a document with another laid over it, mapping by mapping."""
    both = {
        name: _merged(under[name], over[name]) for name in under.keys() & over.keys() if isinstance(over[name], dict)
    }
    return {**under, **over, **both}
