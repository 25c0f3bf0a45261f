"""Starting the exchange: from a command's options to a running process."""

import asyncio
import signal
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import orjson
import typer
import uvloop
from pydantic import ValidationError

from trimtab.exchange.binance import Binance
from trimtab.exchange.bodies import complaint
from trimtab.exchange.clock import SPEED_MAX, MarketClock, wall_us
from trimtab.exchange.coinbase.dialect import Coinbase
from trimtab.exchange.controls import AccountsFile, AccountSpec
from trimtab.exchange.dialect import Dialect
from trimtab.exchange.faults import Faults
from trimtab.exchange.instruments import DEFAULT_SYMBOLS
from trimtab.exchange.journal import Journal, JournalError
from trimtab.exchange.market import Market
from trimtab.exchange.server import start
from trimtab.exchange.synthetic import SyntheticMarket
from trimtab.exchange.tape_file import TapeError
from trimtab.exchange.tapes import open_tapes
from trimtab.exchange.venue import Venue

DIALECTS: Mapping[str, Callable[[], Dialect]] = {"binance": Binance, "coinbase": Coinbase}
"""What `--dialect` may name."""
_VOLATILITY_MAX = 1_000.0  # natural volatility a thousandfold: prices reach their bounds within seconds


class UsageError(Exception):
    """Options that do not fit together or name something that cannot be used; the message is one clear line."""


def build_market(
    tapes: Sequence[Path],
    seed: int | None,
    symbols: Sequence[str],
    volatility: float,
    epoch_us: int | None,
    bars_seed: int = 0,
) -> Market:
    """The market the options ask for.

    Raises UsageError.
    """
    if bool(tapes) == (seed is not None):
        raise UsageError("exactly one of --tape and --synthetic is needed")
    try:
        if seed is None:
            return open_tapes(tapes, symbols, bars_seed)
        start_us = wall_us() if epoch_us is None else epoch_us
        return SyntheticMarket(seed, symbols or DEFAULT_SYMBOLS, volatility=volatility, start_us=start_us)
    except (TapeError, ValueError) as error:
        raise UsageError(str(error)) from error


def read_accounts(path: Path | None, dialect: Dialect) -> AccountsFile:
    """What a file says of accounts; the dialect's demo account without a file.

    Raises UsageError.
    """
    if path is None:
        return AccountsFile(accounts=[AccountSpec.model_validate(dialect.demo)])
    try:
        return AccountsFile.model_validate_json(path.read_bytes())
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    except ValidationError as error:
        raise UsageError(f"{path}: {complaint(error)}") from error


def run(
    port: int,
    journal: Path,
    *,
    tapes: Sequence[Path] = (),
    synthetic: int | None = None,
    speed: float = 1.0,
    accounts: Path | None = None,
    symbols: Sequence[str] = (),
    volatility: float = 1.0,
    epoch_us: int | None = None,
    faults_seed: int | None = None,
    ready_file: Path | None = None,
    paused: bool = False,
    host: str = "127.0.0.1",
    ids_from_clock: bool = False,
    dialect: str = "binance",
    bars_seed: int = 0,
) -> None:
    """Run the exchange until SIGINT or SIGTERM. Prints (and writes to `ready_file`) one JSON line with its port.

    Raises UsageError before anything has started.
    """
    for option, value, most in (("--speed", speed, SPEED_MAX), ("--volatility", volatility, _VOLATILITY_MAX)):
        if not 0 < value <= most:
            raise UsageError(f"{option} {value:g}: must be above 0 and at most {most:g}")
    if dialect not in DIALECTS:
        raise UsageError(f"--dialect {dialect}: must be one of {', '.join(DIALECTS)}")
    market = build_market(tapes, synthetic, symbols, volatility, epoch_us, bars_seed)
    spoken = DIALECTS[dialect]()
    terms = read_accounts(accounts, spoken)
    clock = MarketClock(market.start_us, speed, paused=paused)
    first_id = wall_us() // 1_000 if ids_from_clock else 1
    try:
        book, faults = Journal(journal, wall_us), Faults(faults_seed or 0)
        venue = Venue(market, book, clock, faults, terms.prices, first_id, terms.limits.limits(), spoken.house)
    except JournalError as error:
        raise UsageError(str(error)) from error
    for spec in terms.accounts:
        try:
            spec.open(venue, spoken)
        except ValueError as error:
            raise UsageError(str(error)) from error
    uvloop.run(_serve(venue, market, spoken, (host, port), faults_seed, ready_file))


async def _serve(
    venue: Venue,
    market: Market,
    dialect: Dialect,
    address: tuple[str, int],
    fault_seed: int | None,
    ready_file: Path | None,
) -> None:
    stopped = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)

    def end_without_journal() -> None:
        venue.closed = True  # nobody is let in any more: what would be done could not be told
        stopped.set()

    venue.journal.on_lost = end_without_journal
    try:
        serving = await start(venue, market, address, fault_seed, dialect)
    except OSError as error:
        raise UsageError(f"--host {address[0]} --port {address[1]}: {error.strerror}") from error
    except TapeError as error:
        raise UsageError(str(error)) from error
    told = {"port": serving.port, "symbols": sorted(market.instruments), "market_us": market.start_us}
    ready = orjson.dumps(told).decode()
    if ready_file is not None:
        partial = ready_file.with_suffix(".partial")
        partial.write_text(ready + "\n")
        partial.replace(ready_file)
    typer.echo(ready)
    await stopped.wait()
    await serving.cleanup()
    if venue.journal.lost:
        raise UsageError(venue.journal.lost)
