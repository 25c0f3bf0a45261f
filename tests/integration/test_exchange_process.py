"""The exchange's process without ccxt: its command line, its streams as bytes, recorded markets, speed, controls."""

import asyncio
import subprocess
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from exchange_process import Running, arm, client, control, cpu_seconds, running, until

from trimtab.exchange.book import Book
from trimtab.exchange.journal import read_journal
from trimtab.exchange.market import DepthUpdate, Snapshot
from trimtab.exchange.recorded import RecordedMarket
from trimtab.exchange.signing import signature

RECORDINGS = Path(__file__).resolve().parents[3] / "shared" / "data" / "hftbacktest"
FILES = ("btcusdt_20240808.gz", "ethusdt_20240808.gz")


@pytest.fixture
def recordings() -> Path:
    for name in FILES:
        if not (RECORDINGS / name).exists():
            pytest.skip(f"needs ../shared/data/hftbacktest/{name}, which is not there")
    return RECORDINGS


async def listen(exchange: Running, streams: list[str], count: int, path: str = "/stream") -> list[bytes]:
    """The first messages of some streams, the market being resumed once the subscription is confirmed."""
    async with aiohttp.ClientSession() as session, session.ws_connect(exchange.http + path) as socket:
        await socket.send_json({"method": "SUBSCRIBE", "params": streams, "id": 1})
        assert orjson.loads(await socket.receive_str()) == {"result": None, "id": 1}
        await control(exchange, "POST", "resume")
        return [(await socket.receive_str(timeout=30)).encode() for _ in range(count)]


async def test_two_processes_of_one_seed_send_the_same_bytes(tmp_path: Path) -> None:
    options = ("--synthetic", "21", "--epoch-us", "1700000000000000", "--paused", "--speed", "5")
    heard = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        with running(folder, *options) as exchange:
            streams = [f"{s.lower()}@{k}" for s in exchange.symbols for k in ("depth@100ms", "bookTicker", "trade")]
            heard.append(await listen(exchange, streams, 800))
    assert heard[0] == heard[1]


async def test_a_recording_is_sent_as_it_was_recorded(tmp_path: Path, recordings: Path) -> None:
    tape = recordings / FILES[0]
    with running(tmp_path, "--tape", str(tape), "--paused", "--speed", "10") as exchange:
        heard = await listen(exchange, ["btcusdt@depth@100ms", "btcusdt@bookTicker", "btcusdt@trade"], 3000)
    market = RecordedMarket([tape])
    recorded = [e.raw for e in market.events() if not isinstance(e, Snapshot) and e.time_us > market.start_us]
    sent = [message[message.index(b'"data":') + 7 : -1] for message in heard]
    assert sent == recorded[:3000]
    assert orjson.loads(heard[0])["stream"].startswith("btcusdt@")


@pytest.mark.parametrize("speed", [1, 10])
async def test_both_recordings_trade_in_one_account(tmp_path: Path, recordings: Path, speed: int) -> None:
    with running(tmp_path, "--tape", str(recordings), "--speed", str(speed)) as exchange:
        ann = client(exchange)
        try:
            await ann.load_markets()
            assert sorted(ann.markets) == ["BTC/USDT", "ETH/USDT"]
            for symbol, quantity in (("BTC/USDT", "0.05"), ("ETH/USDT", "1")):
                await ann.watch_order_book(symbol)
                bought = await ann.create_order(symbol, "market", "buy", quantity)
                assert bought["status"] == "closed"
                book = await ann.fetch_order_book(symbol)
                price = str(book["asks"][0][0])
                await ann.create_order(symbol, "limit", "sell", quantity, price)
            before = (await control(exchange, "GET", "status"))["market_us"]
            loop = asyncio.get_running_loop()
            started = loop.time()
            await asyncio.sleep(1.0)
            elapsed = loop.time() - started
            after = (await control(exchange, "GET", "status"))["market_us"]
            assert after - before >= elapsed * speed * 0.9e6

            async def sold() -> bool:
                return any(e.maker for e in read_journal(exchange.journal).executions_of("demo"))

            await until(sold, "a resting order to be filled by the recorded market")
            assert abs(int(await ann.fetch_time()) - ann.milliseconds()) < 60_000
            trade = (await ann.fetch_my_trades("BTC/USDT"))[0]
            assert trade["datetime"].startswith("2024-08-08T23:5")
        finally:
            await ann.close()


async def test_both_recordings_at_ten_times_their_speed_leave_room_on_the_core(
    tmp_path: Path, recordings: Path
) -> None:
    with running(tmp_path, "--tape", str(recordings), "--speed", "10", "--paused") as exchange:
        names = [f"{s.lower()}@{k}" for s in exchange.symbols for k in ("depth@100ms", "bookTicker", "trade")]
        idle = cpu_seconds(exchange.process)
        await listen(exchange, names, 10_000)
        status = await control(exchange, "GET", "status")
        used = cpu_seconds(exchange.process) - idle
    assert status["connections"] <= 1
    assert used / status["events"] < 0.001  # 4,000 events a second would be four busy cores otherwise


async def test_the_tape_ends_and_the_book_stays(tmp_path: Path, recordings: Path) -> None:
    with running(tmp_path, "--tape", str(recordings / FILES[1]), "--speed", "2000") as exchange:

        async def ended() -> bool:
            return bool((await control(exchange, "GET", "status"))["ended"])

        await until(ended, "the end of the tape")
        ann = client(exchange)
        try:
            book = await ann.fetch_order_book("ETH/USDT", 5000)
            assert (len(book["bids"]), len(book["asks"])) == (1195, 1158)
            assert (await ann.create_order("ETH/USDT", "market", "buy", "0.1"))["status"] == "closed"
        finally:
            await ann.close()


async def test_slow_depth_is_the_same_book_once_a_second(tmp_path: Path) -> None:
    with running(tmp_path, "--synthetic", "4", "--symbols", "LTCUSDT", "--speed", "10") as exchange:
        fast, slow = Book(), Book()
        compared = 0
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{exchange.http}/stream") as socket:
            names = ["ltcusdt@depth@100ms", "ltcusdt@depth"]
            await socket.send_json({"method": "SUBSCRIBE", "params": names, "id": 1})
            await socket.receive_str()
            async with session.get(f"{exchange.http}/api/v3/depth?symbol=LTCUSDT&limit=5000") as answer:
                told = await answer.json()
            for book in (fast, slow):
                book.reset(Snapshot("LTCUSDT", 0, told["lastUpdateId"], _levels(told["bids"]), _levels(told["asks"])))
            while compared < 5:
                message = await socket.receive_json()
                update = _update(message["data"])
                book = slow if message["stream"] == "ltcusdt@depth" else fast
                assert update.first_id <= book.last_id + 1
                book.apply(update)
                if book is slow and slow.last_id == fast.last_id > told["lastUpdateId"]:
                    assert list(slow.bids.levels()) == list(fast.bids.levels())
                    assert list(slow.asks.levels()) == list(fast.asks.levels())
                    compared += 1


def _levels(pairs: list[list[str]]) -> tuple[Any, ...]:
    from decimal import Decimal  # noqa: PLC0415 - this is the only use

    return tuple((Decimal(price), Decimal(size)) for price, size in pairs)


def _update(data: dict[str, Any]) -> DepthUpdate:
    return DepthUpdate(data["s"], 0, data["E"], data["U"], data["u"], _levels(data["b"]), _levels(data["a"]))


async def test_streams_can_be_named_in_the_path_and_left_again(tmp_path: Path) -> None:
    with running(tmp_path, "--synthetic", "4", "--symbols", "LTCUSDT") as exchange:
        async with aiohttp.ClientSession() as session:
            async with session.ws_connect(f"{exchange.http}/ws/ltcusdt@bookTicker") as socket:
                assert (await socket.receive_json())["s"] == "LTCUSDT"
            async with session.ws_connect(f"{exchange.http}/stream?streams=ltcusdt@depth@100ms") as socket:
                assert (await socket.receive_json())["stream"] == "ltcusdt@depth@100ms"
                await socket.send_json({"method": "UNSUBSCRIBE", "params": ["ltcusdt@depth@100ms"], "id": "x"})
                while "result" not in (answer := await socket.receive_json()):
                    pass
                assert answer == {"result": None, "id": "x"}
                await socket.send_json({"method": "LIST_SUBSCRIPTIONS", "id": 2})
                assert await socket.receive_json() == {"result": [], "id": 2}
                await socket.send_str("nonsense")
                assert (await socket.receive_json())["error"]["code"] == 3
                await socket.send_json({"method": "DANCE", "id": 3})
                assert (await socket.receive_json())["error"]["code"] == 2


async def test_pause_holds_the_market_and_speed_changes_it(tmp_path: Path) -> None:
    with running(tmp_path, "--synthetic", "4", "--paused") as exchange:
        first = await control(exchange, "GET", "status")
        await asyncio.sleep(0.3)
        assert await control(exchange, "GET", "status") == first
        assert first["paused"]
        await control(exchange, "POST", "speed", {"speed": 50})
        await control(exchange, "POST", "resume")
        await asyncio.sleep(0.5)
        later = await control(exchange, "GET", "status")
        assert later["market_us"] - first["market_us"] > 10_000_000
        refused = await control(exchange, "POST", "speed", {"speed": 0}, 400)
        assert "speed" in refused["msg"]


async def test_a_seeded_schedule_misbehaves_and_writes_it_down(tmp_path: Path) -> None:
    with running(tmp_path, "--synthetic", "4", "--faults-seed", "3") as exchange:
        ann = client(exchange)
        ann.timeout = 4000

        async def struck() -> bool:
            try:
                await ann.fetch_time()
                await ann.create_order("LTC/USDT", "market", "buy", "1")
            except Exception:  # noqa: BLE001 - any kind of failure is what is waited for
                pass
            return bool((await control(exchange, "GET", "journal/summary"))["lines"].get("fault"))

        try:
            await until(struck, "a scheduled fault")
        finally:
            await ann.close()


async def test_bad_controls_are_answered_in_one_line(tmp_path: Path) -> None:
    with running(tmp_path, "--synthetic", "4") as exchange:
        told = await control(exchange, "POST", "faults", {"kind": "earthquake"}, 400)
        assert "kind" in told["msg"]
        assert "earthquake" in told["msg"]
        told = await control(exchange, "POST", "deposit", {"account": "nobody", "asset": "BTC", "amount": "1"}, 404)
        assert "nobody" in told["msg"]
        account = {"name": "demo", "api_key": "x", "secret": "y"}
        assert "demo" in (await control(exchange, "POST", "accounts", account, 409))["msg"]
        account = {"name": "other", "api_key": "demo-key", "secret": "y"}
        assert "demo has it" in (await control(exchange, "POST", "accounts", account, 409))["msg"]
        armed = await arm(exchange, "latency", "GET /nowhere", count=None)
        assert [f["fault_id"] for f in await control(exchange, "GET", "faults")] == [armed["fault_id"]]
        assert await control(exchange, "DELETE", "faults") == {"disarmed": 1}


async def test_a_429_says_when_to_come_back(tmp_path: Path) -> None:
    with running(tmp_path, "--synthetic", "4") as exchange:
        await arm(exchange, "rate_limit", "GET /api/v3/time", retry_after_seconds=7)
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{exchange.http}/api/v3/time") as answer:
                assert (answer.status, answer.headers["Retry-After"]) == (429, "7")
                assert (await answer.json())["code"] == -1003
            async with session.get(f"{exchange.http}/api/v3/time") as answer:
                assert answer.status == 200


async def test_orders_are_answered_in_the_form_asked_for(tmp_path: Path) -> None:
    with running(tmp_path, "--synthetic", "4") as exchange:
        async with aiohttp.ClientSession(headers={"X-MBX-APIKEY": "demo-key"}) as session:
            for form, extra in (("ACK", set()), ("RESULT", {"status"}), ("FULL", {"status", "fills"})):
                async with session.get(f"{exchange.http}/api/v3/time") as answer:
                    now = (await answer.json())["serverTime"]
                query = f"symbol=LTCUSDT&side=BUY&type=MARKET&quantity=1&newOrderRespType={form}&timestamp={now}"
                signed = f"{query}&signature={signature(query, 'demo-secret')}"
                headers = {"Content-Type": "application/x-www-form-urlencoded"}
                async with session.post(f"{exchange.http}/api/v3/order", data=signed, headers=headers) as answer:
                    told = await answer.json()
                    assert answer.status == 200, told
                assert {"status", "fills"} & told.keys() == extra
                async with session.post(f"{exchange.http}/api/v3/order?{signed}") as answer:
                    assert answer.status == 200, await answer.text()


async def test_the_websocket_api_lets_in_only_who_signs(tmp_path: Path) -> None:
    with running(tmp_path, "--synthetic", "4") as exchange:
        async with aiohttp.ClientSession() as session, session.ws_connect(f"{exchange.http}/ws-api/v3") as socket:

            async def ask(method: str, params: dict[str, Any]) -> dict[str, Any]:
                await socket.send_json({"id": "7", "method": method, "params": params})
                answer: dict[str, Any] = await socket.receive_json()
                assert answer["id"] == "7"
                return answer

            async def subscribe(secret: str) -> dict[str, Any]:
                now = (await ask("time", {}))["result"]["serverTime"]
                signed = signature(f"apiKey=demo-key&timestamp={now}", secret)
                params = {"timestamp": now, "apiKey": "demo-key", "signature": signed}
                return await ask("userDataStream.subscribe.signature", params)

            refused = await subscribe("wrong")
            assert (refused["status"], refused["error"]["code"]) == (400, -1022)
            accepted = await subscribe("demo-secret")
            assert (accepted["status"], accepted["result"]) == (200, {"subscriptionId": 0})
            deposit = {"account": "demo", "asset": "DOT", "amount": "2"}
            await control(exchange, "POST", "deposit", deposit)
            update, position = await socket.receive_json(), await socket.receive_json()
            assert (update["subscriptionId"], update["event"]["e"]) == (0, "balanceUpdate")
            assert (update["event"]["a"], update["event"]["d"]) == ("DOT", "2.00000000")
            assert position["event"]["B"] == [{"a": "DOT", "f": "2.00000000", "l": "0.00000000"}]
            assert (await ask("userDataStream.unsubscribe", {"subscriptionId": 0}))["status"] == 200
            await control(exchange, "POST", "deposit", deposit)
            assert (await ask("ping", {}))["result"] == {}
            assert (await ask("order.dance", {}))["error"]["code"] == -1020


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ((), "exactly one of --tape and --synthetic"),
        (("--synthetic", "1", "--tape", "x.gz"), "exactly one of --tape and --synthetic"),
        (("--tape", "no/such/tape.gz"), "no such file"),
        (("--synthetic", "1", "--symbols", "FOOUSDT"), "FOOUSDT"),
        (("--synthetic", "1", "--speed", "0"), "--speed 0: must be above 0 and at most 1e+06"),
        (("--synthetic", "1", "--speed", "nan"), "--speed nan: must be"),
        (("--synthetic", "1", "--volatility", "inf"), "--volatility inf: must be above 0 and at most 1000"),
        (("--synthetic", "1", "--volatility", "-1"), "--volatility -1: must be"),
        (("--synthetic", "1", "--accounts", "no/such/file.json"), "no/such/file.json"),
    ],
)
def test_bad_options_end_with_one_clear_line(tmp_path: Path, options: tuple[str, ...], message: str) -> None:
    command = [sys.executable, "-m", "trimtab.exchange", "--journal", str(tmp_path / "j"), *options]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert message in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1
    assert done.stdout == ""
