"""Controls with numbers that nothing could reckon with: refused in one line, and the exchange goes on exactly."""

from pathlib import Path
from typing import Any

import aiohttp
from exchange_process import control, running

from trimtab.exchange.journal import read_journal

HUGE = 10**30
REFUSED: tuple[tuple[str, dict[str, Any], str], ...] = (
    ("speed", {"speed": 1e300}, "speed"),
    ("speed", {"speed": 1_000_001}, "speed"),
    ("deposit", {"account": "demo", "asset": "USDT", "amount": "1e30"}, "amount"),
    ("deposit", {"account": "demo", "asset": "", "amount": "1"}, "asset"),
    ("withdraw", {"account": "demo", "asset": "USDT", "amount": "1e30"}, "amount"),
    ("orders", {"account": "demo", "symbol": "BTCUSDT", "side": "BUY", "quantity": "1e30"}, "quantity"),
    ("orders", {"account": "demo", "symbol": "BTCUSDT", "side": "BUY", "quantity": "1", "price": "1e30"}, "price"),
    ("accounts", {"name": "a", "api_key": "k", "secret": "s", "balances": {"USDT": "1e30"}}, "balances"),
    ("limits", {"orders_10s": HUGE}, "orders_10s"),
    ("faults", {"kind": "latency", "latency_ms": HUGE}, "latency_ms"),
    ("faults", {"kind": "lost_answer", "count": HUGE}, "count"),
    ("faults", {"kind": "thin_book", "symbol": "BTCUSDT", "duration_ms": HUGE}, "duration_ms"),
    ("faults", {"kind": "maintenance", "notice_ms": HUGE}, "notice_ms"),
    ("faults", {"kind": "rate_limit", "retry_after_seconds": HUGE}, "retry_after_seconds"),
    ("faults", {"kind": "error_before", "code": -HUGE}, "code"),
)


async def test_what_is_out_of_all_bounds_is_refused_and_changes_nothing(tmp_path: Path) -> None:
    with running(tmp_path, "--synthetic", "4", "--symbols", "BTCUSDT") as exchange:
        for path, body, named in REFUSED:
            told = await control(exchange, "POST", path, body, 400)
            assert told["msg"].startswith(f"{named}"), (path, body, told)
        # The infinite is no JSON number, but one that is beyond all floats is read as it.
        url = f"{exchange.http}/sim/speed"
        async with aiohttp.ClientSession() as session, session.post(url, data='{"speed":1e999}') as answer:
            assert answer.status == 400
        assert (await control(exchange, "GET", "status"))["speed"] == 1
        for _ in range(20):
            await control(exchange, "POST", "deposit", {"account": "demo", "asset": "USDT", "amount": "1e15"})
        await control(exchange, "POST", "withdraw", {"account": "demo", "asset": "USDT", "amount": "0.00000001"})
        balances = (await control(exchange, "GET", "accounts/demo"))["balances"]
        assert balances["USDT"]["free"] == "20000000000999999.99999999"
        assert not await control(exchange, "GET", "faults")
    free, _ = read_journal(exchange.journal).balances["demo"]["USDT"]
    assert str(free) == "20000000000999999.99999999"
