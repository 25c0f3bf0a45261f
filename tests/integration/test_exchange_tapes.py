"""The real ccxt trades on tapes of bars and on level-2 recordings, against the exchange's real process."""

import asyncio
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pytest
from exchange_process import Running, client, coinbase_client, control, running, until

D = Decimal
DATA = Path(__file__).resolve().parents[3] / "shared" / "data"
BARS = (
    "date,open,high,low,close,volume\n"
    "2024-01-01T00:00:00Z,100.00,101.50,99.20,100.40,250\n"
    "2024-01-01T00:05:00Z,100.41,100.90,100.10,100.85,180.5\n"
    "2024-01-01T00:10:00Z,100.80,102.00,100.75,101.10,310\n"
)
DAY = "2018-04-17T00:55:0"
LEVEL2 = {
    "snapshot_bids.csv": "side,price,size\nbuy,99.9,1\nbuy,99.5,2.5\n",
    "snapshot_asks.csv": "side,price,size\nsell,100.15,3\nsell,100.5,2\n",
    "l2update.csv": "side,price,size,time\n"
    + "".join(f"buy,99.8{i}000000,1,{DAY}{4 + i / 10:.3f}Z\n" for i in range(10))
    + f"buy,99.90000000,0.3,{DAY}6.000Z\n",
    "match.csv": f"product_id,side,price,size,time,trade_id\nBTC-USD,sell,100.30000000,0.7,{DAY}5.5Z,43\n",
}


def bars_csv(folder: Path) -> Path:
    path = folder / "BTC_USDT-5m.csv"
    path.write_text(BARS)
    return path


def bars_parquet(folder: Path) -> Path:
    path = folder / "BTC_USDT-5m.parquet"
    with duckdb.connect() as connection:
        connection.execute(f"COPY (SELECT * FROM read_csv('{bars_csv(folder)}')) TO '{path}' (FORMAT parquet)")
    return path


def level2(folder: Path) -> Path:
    path = folder / "coinbase"
    path.mkdir()
    for name, text in LEVEL2.items():
        (path / name).write_text(text)
    return path


async def status(exchange: Running) -> Any:
    return await control(exchange, "GET", "status")


async def sell_now_and_later(exchange: Running, ann: Any, symbol: str, price: str) -> None:
    """Sell at the market while it stands still; then let it run and come to an order that waits."""
    book = await ann.fetch_order_book(symbol)
    (bid, _), (ask, _) = book["bids"][0], book["asks"][0]
    assert bid < ask
    sold = await ann.create_order(symbol, "market", "sell", "0.1")
    assert sold["status"] == "closed"
    assert D(sold["average"]) == D(str(bid))
    waiting = await ann.create_order(symbol, "limit", "sell", "0.1", price, {"postOnly": True})
    await ann.watch_order_book(symbol)
    watched = asyncio.create_task(ann.watch_trades(symbol))
    await asyncio.sleep(0.3)  # subscribed before the first trade of a tape that is soon over
    await control(exchange, "POST", "resume")
    nonce = (await asyncio.wait_for(ann.watch_order_book(symbol), 20))["nonce"]
    assert (await asyncio.wait_for(ann.watch_order_book(symbol), 20))["nonce"] > nonce
    assert (await asyncio.wait_for(watched, 20))[0]["symbol"] == symbol

    async def filled() -> bool:
        return bool((await ann.fetch_order(waiting["id"], symbol))["status"] == "closed")

    await until(filled, "the order that waited to be filled by the tape")
    trades = await ann.fetch_my_trades(symbol)
    assert [trade["takerOrMaker"] for trade in trades if trade["order"] == waiting["id"]] == ["maker"]
    balance = await ann.fetch_balance()
    assert D(balance["BTC"]["total"]) == D("9.8")


@pytest.mark.parametrize("made", [bars_csv, bars_parquet])
async def test_ccxt_trades_on_bars_and_gets_them_back_as_candles(tmp_path: Path, made: Any) -> None:
    tape = made(tmp_path)
    with running(tmp_path, "--tape", str(tape), "--speed", "60", "--paused", "--bars-seed", "5") as exchange:
        ann = client(exchange)
        try:
            await ann.load_markets()
            assert list(ann.markets) == ["BTC/USDT"]
            await sell_now_and_later(exchange, ann, "BTC/USDT", "101.90")

            async def ended() -> bool:
                return bool((await status(exchange))["ended"])

            await until(ended, "the end of the bars")
            assert not (await status(exchange))["broken"]
            candles = await ann.fetch_ohlcv("BTC/USDT", "5m")
            wanted = [[f"{D(number):.8f}" for number in line.split(",")[1:]] for line in BARS.splitlines()[1:]]
            assert [candle[1:] for candle in candles[:3]] == wanted
            ticker = await ann.fetch_ticker("BTC/USDT")
            assert (ticker["last"], ticker["high"], ticker["low"]) == ("101.10000000", "102.00000000", "99.20000000")
        finally:
            await ann.close()


async def test_ccxt_trades_on_a_level_2_recording(tmp_path: Path) -> None:
    with running(tmp_path, "--tape", str(level2(tmp_path)), "--speed", "0.5", "--paused") as exchange:
        ann = client(exchange)
        try:
            await ann.load_markets()
            assert list(ann.markets) == ["BTC/USD"]
            await sell_now_and_later(exchange, ann, "BTC/USD", "100.09")
        finally:
            await ann.close()


async def test_in_coinbases_own_dialect_it_is_the_recorded_product_again(tmp_path: Path) -> None:
    options = ("--dialect", "coinbase", "--speed", "0.5", "--paused")
    with running(tmp_path, "--tape", str(level2(tmp_path)), *options) as exchange:
        ann = coinbase_client(exchange)
        try:
            await ann.load_markets()
            assert [market["id"] for market in ann.markets.values()] == ["BTC-USD"]
            asks = (await ann.fetch_order_book("BTC/USD"))["asks"]
            assert D(str(asks[0][0])) == D("100.15")
            waiting = await ann.create_order("BTC/USD", "limit", "sell", "0.1", "100.09", {"postOnly": True})
            await control(exchange, "POST", "resume")

            async def filled() -> bool:
                return bool((await ann.fetch_order(waiting["id"], "BTC/USD"))["status"] == "closed")

            await until(filled, "the order that waited to be filled by the tape")
            (trade,) = await ann.fetch_my_trades("BTC/USD")
            assert (D(trade["price"]), trade["takerOrMaker"]) == (D("100.09"), "maker")
        finally:
            await ann.close()


async def test_recorded_candles_and_a_recorded_coinbase_book_trade(tmp_path: Path) -> None:
    candles, coinbase = DATA / "genetrader" / "ETH_USDT-5m.parquet", DATA / "gdax" / "raw_mongo_input.csv"
    for path in (candles, coinbase):
        if not path.exists():
            pytest.skip(f"needs ../shared/data/{path.parent.name}/{path.name}, which is not there")
    for tape, symbol in ((candles.parent, "ETH/USDT"), (coinbase.parent, "BTC/USD")):
        folder = tmp_path / symbol.replace("/", "")
        folder.mkdir()
        with running(folder, "--tape", str(tape), "--speed", "30") as exchange:
            ann = client(exchange)
            try:
                await ann.load_markets()
                sold = await ann.create_order(symbol, "market", "sell", "0.2")
                assert sold["status"] == "closed"
                nonce = (await ann.watch_order_book(symbol))["nonce"]

                async def moved(ann: Any = ann, symbol: str = symbol, nonce: int = nonce) -> bool:
                    return bool((await ann.watch_order_book(symbol))["nonce"] > nonce + 5)

                await until(moved, "the book to move")
            finally:
                await ann.close()


@pytest.mark.parametrize(
    ("content", "found"),
    [
        ("date,open,high,low,close,volume\n1704067200,1,1,2,1,1\n", "BTCUSDT.csv:2: open 1, high 1, low 2, close 1;"),
        ("price\n1\n", "BTCUSDT.csv:1: 'price'; needed: one of raw Binance recordings"),
    ],
)
def test_a_tape_that_cannot_be_played_is_one_line(tmp_path: Path, content: str, found: str) -> None:
    (tmp_path / "BTCUSDT.csv").write_text(content)
    command = [sys.executable, "-m", "trimtab.exchange", "--journal", str(tmp_path / "j"), "--tape", str(tmp_path)]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert run.returncode == 2
    assert run.stderr.startswith(f"error: {tmp_path}/{found}")
    assert run.stderr.count("\n") == 1
