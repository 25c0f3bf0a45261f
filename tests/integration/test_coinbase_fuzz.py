"""Seeded requests in Coinbase's dialect, most of them wrong, to the exchange's real process: always a proper answer of
that venue, and accounts that follow to the last unit from the orders that were answered with success.
"""

import json
import re
import sys
import time
from collections import Counter, defaultdict
from decimal import Decimal
from pathlib import Path
from typing import Any

import orjson
import pytest
from exchange_process import Running, control, running

from fuzz.coinbase import PRODUCTS, Asked, CoinbaseRequests, secret_of
from fuzz.wire import Answer, Wire
from trimtab.exchange.journal import JournalContents, read_journal

D = Decimal
FUNDS = {"USDT": D(2_000_000), "BTC": D(20), "LTC": D(5_000)}
MAKER, TAKER = D("0.004"), D("0.006")
ADDRESSES = 100  # so many share what one may ask
REQUESTS_EACH = 30  # of an account, for the same reason
HTTP_LINE_MAX = 8_000
OPEN = {"NEW", "PARTIALLY_FILLED"}
_TEXTS: dict[int, str] = {
    400: r"Insufficient funds|(size|funds|price) is too (small|large|accurate)\. "
    r"(Minimum size|Maximum size|Smallest unit) is \d+\.\d{8}|Invalid [\w ]+|Product not found|Order already done"
    r"|Unsupported granularity|Bad Request",
    401: r"Invalid API Key|invalid signature|Invalid Passphrase|request timestamp expired|invalid timestamp"
    r"|CB-ACCESS-(KEY|SIGN|TIMESTAMP|PASSPHRASE) header is required",
    404: "NotFound|order not found",
    405: "Method Not Allowed",
    413: "request entity too large",
    429: "(Public|Private) rate limit exceeded",
}


def accounts(folder: Path, count: int) -> Path:
    file = folder / "accounts.json"
    balances, fees = (
        {asset: str(amount) for asset, amount in FUNDS.items()},
        {"maker_fee": str(MAKER), "taker_fee": str(TAKER)},
    )
    named = [
        {
            "name": f"n{n}",
            "api_key": f"key-{n}",
            "secret": secret_of(n),
            "passphrase": f"words-{n}",
            "balances": balances,
        }
        for n in range(count)
    ]
    file.write_bytes(orjson.dumps({"accounts": [each | fees for each in named]}))
    return file


def complaint(asked: Asked, answer: Answer, message: bytes) -> str | None:
    """Why an answer is not one of Coinbase's to this request; None if it is."""
    if answer.status == 200 and asked.account is not None and not asked.lawful and _is_private(asked.path):
        return "carried out for somebody who did not sign it"
    if asked.method == "HEAD":
        return None if answer.status in {200, *_TEXTS} else f"status {answer.status}"
    if not answer.headers.get("content-type", "").startswith("application/json"):
        return f"{answer.status} with {answer.headers.get('content-type')}: {answer.body[:200]!r}"
    told = orjson.loads(answer.body)
    if answer.status == 200:
        return "a refusal with 200" if isinstance(told, dict) and "message" in told else None
    if not isinstance(told, dict) or told.keys() != {"message"}:
        return f"{answer.status} with {told!r:.200}"
    if told["message"] == "Bad Request" and asked.method == "GET" and asked.path != "/" and not _is_front(message):
        return "it was proper HTTP"
    known = re.fullmatch(_TEXTS.get(answer.status, "(?!)"), told["message"])
    return None if known else f"{answer.status} with {told!r:.200}"


def _is_private(path: str) -> bool:
    return path.startswith(("/orders", "/fills", "/accounts", "/fees"))


def _is_front(message: bytes) -> bool:
    head = message.partition(b"\r\n\r\n")[0]
    return not head.isascii() or any(len(line) > HTTP_LINE_MAX for line in head.split(b"\r\n"))


class Run:
    """One process on a market that stands still, and what it answered."""

    def __init__(self, exchange: Running, seed: int, prices: dict[str, Decimal], accounts: int) -> None:
        self.seed, self.requests = seed, CoinbaseRequests(seed, prices, accounts)
        self.wires = [Wire(exchange.port, f"127.0.0.{number + 2}") for number in range(ADDRESSES)]
        self.placed: dict[str, tuple[int, dict[str, Any]]] = {}
        self.cancelled: list[tuple[int, str]] = []  # by whom, and the name that it was asked by
        self.answered = 0
        self.shapes: Counter[str] = Counter()

    async def go_on(self, count: int) -> None:
        for _ in range(count):
            asked, wire = self.requests.draw(), self.wires[self.answered % ADDRESSES]
            message = asked.build(time.time())
            name = f"seed {self.seed}, request {self.answered}: {asked.shape} {asked.method} {message[:400]!r}"
            try:
                answer = await wire.ask(message, head=asked.method == "HEAD")
            except (OSError, EOFError, IndexError, TimeoutError) as error:
                raise AssertionError(f"{name}: no answer: {error!r}") from error
            wrong = complaint(asked, answer, message)
            assert wrong is None, f"{name}: {wrong}"
            self.answered += 1
            told = orjson.loads(answer.body) if asked.method != "HEAD" else None
            self.shapes[f"{answer.status} {told['message'][:24] if answer.status != 200 and told else ''}"] += 1
            if answer.status == 200 and asked.path.rstrip("/").startswith("/orders") and asked.method != "HEAD":
                self._hear(asked, told)
        for wire in self.wires:
            await wire.close()

    def _hear(self, asked: Asked, told: Any) -> None:
        if asked.method == "POST" and told["status"] == "pending":
            self.placed[told["id"]] = (asked.account or 0, json.loads(asked.sent))
            name = f"client:{told['client_oid']}" if "client_oid" in told else told["id"]
            self.requests.heard.append((asked.account or 0, name))
        elif asked.method == "DELETE":
            self.cancelled += [(asked.account or 0, name) for name in (told if isinstance(told, list) else [told])]


def as_asked(
    placed: dict[str, tuple[int, dict[str, Any]]], journal: JournalContents, cancelled: list[tuple[int, str]]
) -> None:
    """Every order of the journal was answered with success, is as it was asked for, and so is what was cancelled."""
    assert len(placed) == len(journal.orders)
    numbered = {(product.replace("-", ""), number): key for key in placed for product, number in [_number(key)]}
    for (account, symbol, number), order in journal.orders.items():
        asked_by, body = placed[numbered[symbol, number]]
        assert (account, symbol) == (f"n{asked_by}", body["product_id"].replace("-", ""))
        assert (order.side, order.type == "MARKET") == (body["side"].upper(), body.get("type") == "market")
        for name, taken in (("price", order.price), ("size", order.quantity), ("funds", None)):
            given = None if name == "price" and order.type == "MARKET" else body.get(name)
            if given is not None and (name != "funds" or order.type == "MARKET"):
                assert re.fullmatch(r"[0-9]*\.?[0-9]*([eE][+-]?[0-9]+)?", str(given), re.ASCII), given
                assert taken in {None, D(str(given))}
        names = {(asked_by, numbered[symbol, number]), (asked_by, body.get("client_oid"))}
        assert order.status != "CANCELED" or names & set(cancelled)
    assert [order.status for order in journal.orders.values()].count("CANCELED") == len(cancelled)


def _number(order_id: str) -> tuple[str, int]:
    """Product and number that an order's id says."""
    return PRODUCTS[int(order_id.replace("-", "")[13:16], 16)], int(order_id[-12:], 16)


def held(journal: JournalContents, account: str) -> dict[str, tuple[Decimal, Decimal]]:
    """What an account has to have, free and locked."""
    free, locked = defaultdict(Decimal, FUNDS), defaultdict(Decimal, dict.fromkeys(FUNDS, D(0)))
    for fill in journal.executions_of(account):
        sign, worth = (1 if fill.side == "BUY" else -1), fill.price * fill.quantity
        free[fill.symbol[:-4]] += sign * fill.quantity
        free["USDT"] -= sign * worth + fill.fee
        assert fill.fee == worth * (MAKER if fill.maker else TAKER)
        assert fill.fee_asset == "USDT"
    for (who, symbol, _), order in journal.orders.items():
        if who == account and order.status in OPEN:
            left = order.quantity - order.executed
            asset, amount = ("USDT", left * order.price * (1 + TAKER)) if order.side == "BUY" else (symbol[:-4], left)
            free[asset] -= amount
            locked[asset] += amount
    return {asset: (free[asset], locked[asset]) for asset in free}


@pytest.mark.timeout(3_600)
async def test_whatever_is_asked_in_coinbases_dialect_the_answer_is_proper_and_the_accounts_are_right(
    tmp_path: Path, fuzz: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    seed, count = fuzz
    many = 10 + count // REQUESTS_EACH
    symbols = ",".join(product.replace("-", "") for product in PRODUCTS)
    options = ("--synthetic", str(seed % 1_000), "--paused", "--symbols", symbols, "--dialect", "coinbase")
    with running(
        tmp_path, *options, "--accounts", str(accounts(tmp_path, many))
    ) as exchange:  # its end: nothing on stderr
        wire, prices = Wire(exchange.port), {}
        for product in PRODUCTS:
            told = await wire.ask(Asked("GET", f"/products/{product}/book").build(0))
            prices[product] = D(orjson.loads(told.body)["bids"][0][0])
        await wire.close()
        run = Run(exchange, seed, prices, many)
        await run.go_on(count)
        journal = read_journal(exchange.journal)
        as_asked(run.placed, journal, run.cancelled)
        for number in range(many):
            told = (await control(exchange, "GET", f"accounts/n{number}"))["balances"]
            found = {asset: (D(each["free"]), D(each["locked"])) for asset, each in told.items()}
            assert found == held(journal, f"n{number}")
    with capsys.disabled():
        sys.stdout.write("".join(f"\n{number:7} {shape}" for shape, number in run.shapes.most_common()) + "\n")
    assert run.shapes["200 "] > count / 10, "hardly anything was accepted: the accounts were not put to the test"
    assert run.shapes["429 Private rate limit excee"] + run.shapes["429 Public rate limit exceed"] < count / 10
    assert len(run.placed) > count / 20
    assert len(journal.executions) > count / 50
    assert len(run.shapes) > 15, "hardly any kind of refusal was met"
