"""How fast the simulated exchange takes orders and tells its book, beside a bare aiohttp server in the same run.

Exchange and client are a process each. What the exchange's process used of the processor is told beside how long things
took: on a busy machine that is more. Orders: as many as eight connections get answered, and then 1,000 a second, each
timed from when it was due. Book: a symbol's updates and quotes, the market played as fast as it goes, to one listener.
"""

import asyncio
import json
import sys
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import psutil

from trimtab.bench.exchange_load import KEY, SECRET, SYMBOL, Heard, Load, Prices, best_prices, hear, place_orders
from trimtab.bench.row import Against, Row, percentile_rows
from trimtab.domain.errors import UnreachableError

GOAL_ORDERS_PER_SECOND = 1_000.0
GOAL_MESSAGES_PER_SECOND = 5_000.0
SECONDS = 5.0
_CONNECTIONS = 8
_START_SECONDS_MAX = 60.0
_SEED = 1
_FAST = 1_000_000  # market seconds a second: as fast as it goes
_ACCOUNTS = {
    "accounts": [{"name": "load", "api_key": KEY, "secret": SECRET, "balances": {"USDT": "100000000", "BTC": "1000"}}],
    # Binance's own would stop the load within a second
    "limits": {"request_weight_1m": 100_000_000, "orders_10s": 10_000_000, "orders_1d": 100_000_000},
}
_WHAT = "a constant of a bare aiohttp server"


def measure(seconds: float = SECONDS) -> list[Row]:
    """Return the rows of orders and book messages; each part takes so long, six of them are timed.

    Raises:
        UnreachableError: if one of the two servers does not start.

    """
    with tempfile.TemporaryDirectory(prefix="trimtab-bench-") as folder:
        return asyncio.run(_measure(Path(folder), seconds))


async def _measure(folder: Path, seconds: float) -> list[Row]:
    accounts = folder / "accounts.json"
    accounts.write_text(json.dumps(_ACCOUNTS))
    market = ("-m", "trimtab.exchange", "--synthetic", str(_SEED), "--accounts", str(accounts))
    async with _serving(*market, "--journal", str(folder / "orders")) as (url, process):
        prices = await best_prices(url)
        loads = await _load(url, process, prices, seconds)
    book = ("--symbols", SYMBOL, "--speed", str(_FAST), "--journal", str(folder / "book"))
    async with _serving(*market, *book) as (url, process):
        heard = await _hear(url, process, seconds)
    sizes = str(loads[0].answer_bytes or 1), str(heard.bytes // (heard.messages or 1) or 1)
    async with _serving("-m", "trimtab.bench.constant", *sizes) as (url, process):
        floors = await _load(url, process, prices, seconds)
        told = await _hear(url, process, seconds)
    return [*order_rows(loads, floors), *book_rows(heard, told)]


async def _load(url: str, process: psutil.Process, prices: Prices, seconds: float) -> tuple[Load, Load]:
    """As many orders as it takes, then as many as the goal says."""
    before = _cpu_seconds(process)
    most = await place_orders(url, prices, seconds, _CONNECTIONS)
    most.cpu_seconds = _cpu_seconds(process) - before
    return most, await place_orders(url, prices, seconds, _CONNECTIONS, GOAL_ORDERS_PER_SECOND)


async def _hear(url: str, process: psutil.Process, seconds: float) -> Heard:
    before = _cpu_seconds(process)
    heard = await hear(url, seconds)
    heard.cpu_seconds = _cpu_seconds(process) - before
    return heard


def _cpu_seconds(process: psutil.Process) -> float:
    used = process.cpu_times()
    return float(used.user + used.system)


def order_rows(loads: tuple[Load, Load], floors: tuple[Load, Load]) -> list[Row]:
    """Return the measures of orders: as many as could be, and at the goal's pace; `floors` are the floor's."""
    (most, paced), (floor, paced_floor) = loads, floors
    least = Against(_WHAT, floor.rate or 0.0)
    return [
        Row("exchange.orders", most.rate, "orders/s", least),
        Row("exchange.order", most.rate and 1e6 / most.rate, "us", goal=1e6 / GOAL_ORDERS_PER_SECOND),
        Row("exchange.order_cpu", most.cpu_us, "us", Against(_WHAT, floor.cpu_us or 0.0)),
        *percentile_rows("exchange.order_flat_out", "ms", most.latencies_ms, floor.latencies_ms, _WHAT),
        *percentile_rows("exchange.order_at_1000", "ms", paced.latencies_ms, paced_floor.latencies_ms, _WHAT),
        Row("exchange.orders_at_1000", paced.rate, "orders/s", Against(_WHAT, paced_floor.rate or 0.0)),
        Row("exchange.orders_refused", float(most.refused + paced.refused), "orders"),
    ]


def book_rows(heard: Heard, floor: Heard) -> list[Row]:
    """Return the measures of a symbol's book as one listener heard it."""
    least = Against(_WHAT, floor.rate or 0.0)
    return [
        Row("exchange.book_messages", heard.rate, "messages/s", least),
        Row("exchange.book_message", heard.rate and 1e6 / heard.rate, "us", goal=1e6 / GOAL_MESSAGES_PER_SECOND),
        Row("exchange.book_message_cpu", heard.cpu_us, "us", Against(_WHAT, floor.cpu_us or 0.0)),
    ]


@asynccontextmanager
async def _serving(*arguments: str) -> AsyncIterator[tuple[str, psutil.Process]]:
    """Run a server that prints its port as a line of JSON; its URL, and itself."""
    process = await asyncio.create_subprocess_exec(sys.executable, *arguments, stdout=asyncio.subprocess.PIPE)
    try:
        assert process.stdout is not None
        line = await asyncio.wait_for(process.stdout.readline(), _START_SECONDS_MAX)
        if not line:
            raise UnreachableError(arguments[1], "127.0.0.1", "it did not start; its complaint stands above")
        yield f"http://127.0.0.1:{json.loads(line)['port']}", psutil.Process(process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
