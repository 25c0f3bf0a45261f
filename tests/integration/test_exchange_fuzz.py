"""Thousands of seeded requests, most of them wrong, to the exchange's real process: always a proper answer, never a
wrong balance. `make fuzz REQUESTS=10000 SEED=1` is the long form; a failure names seed and number of the request.
"""

import sys
import time
from collections import Counter
from decimal import Decimal
from pathlib import Path

import orjson
import pytest
from exchange_process import Running, control, running

from fuzz.books import Books
from fuzz.draft import SECRETS, Draft
from fuzz.law import unlawful
from fuzz.requests import SYMBOLS, Requests
from fuzz.wire import Answer, Wire
from fuzz.words import complaint

D = Decimal
FUNDS = {"USDT": D(2_000_000), "BTC": D(20), "LTC": D(5_000)}
FAR = 10**9
HTTP_LINE_MAX = 8_000  # bytes; aiohttp takes a little more
REPEATED = 250  # requests of which two runs are compared


def accounts(folder: Path) -> Path:
    """Two accounts, and limits out of the way: they have tests of their own."""
    file = folder / "accounts.json"
    balances = {asset: str(amount) for asset, amount in FUNDS.items()}
    named = [
        {"name": key.removesuffix("-key"), "api_key": key, "secret": secret, "balances": balances}
        for key, secret in SECRETS.items()
    ]
    limits = {"request_weight_1m": FAR, "sapi_weight_1m": FAR, "sapi_account_weight_1s": FAR, "orders_10s": FAR}
    file.write_bytes(orjson.dumps({"accounts": named, "limits": limits | {"orders_1d": FAR}}))
    return file


class Run:
    """One process on a market that stands still, and the requests it has answered."""

    def __init__(self, exchange: Running, seed: int, prices: dict[str, Decimal]) -> None:
        self.seed = seed
        self.requests, self.books, self.wire = Requests(seed, prices), Books(), Wire(exchange.port)
        self.answers: list[tuple[int, int | None]] = []
        self.shapes: Counter[str] = Counter()

    async def go_on(self, count: int) -> None:
        """Ask so many requests more."""
        for _ in range(count):
            draft = self.requests.draw()
            try:
                message = draft.build(time.time_ns() // 1_000_000)
                answer = await self.wire.ask(message, head=draft.method == "HEAD")
            except (OSError, EOFError, IndexError, TimeoutError) as error:
                raise AssertionError(f"{self._name(draft)}: no answer: {error!r}") from error
            self._judge(draft, answer, front=_front(draft, message))
            placed = self.books.hear(draft, answer)
            if placed is not None:
                self.requests.heard.append(placed)
        await self.wire.close()

    def _judge(self, draft: Draft, answer: Answer, *, front: bool) -> None:
        browser = ("Accept", "text/html") in draft.headers
        wrong = complaint(answer, head=draft.method == "HEAD", browser=browser, front=front)
        assert wrong is None, f"{self._name(draft)}: {wrong}"
        assert answer.status != 200 or unlawful(draft) is None, f"{self._name(draft)}: {unlawful(draft)}"
        code = _code(answer)
        self.answers.append((answer.status, code))
        self.shapes[f"{answer.status} {code}"] += 1
        if draft.path.startswith("/api/v3/") and "%" not in draft.path and not front:
            assert answer.headers["x-mbx-used-weight-1m"].isdigit(), self._name(draft)

    def _name(self, draft: Draft) -> str:
        return f"seed {self.seed}, request {len(self.answers)}: {draft.shape} {draft.sent!r:.600}"


def _front(draft: Draft, message: bytes) -> bool:
    """Whether it is no proper HTTP, which its server refuses by itself."""
    head = message.partition(b"\r\n\r\n")[0]
    too_long = any(len(line) > HTTP_LINE_MAX for line in head.split(b"\r\n"))
    return draft.bare or too_long or not head.isascii() or ("Expect", "nothing") in draft.headers


def _code(answer: Answer) -> int | None:
    try:
        told = orjson.loads(answer.body)
    except orjson.JSONDecodeError:
        return None
    return told.get("code") if isinstance(told, dict) else None


async def prices_of(exchange: Running) -> dict[str, Decimal]:
    wire = Wire(exchange.port)
    answer = await wire.ask(Draft("GET", "/api/v3/ticker/bookTicker").build(0))
    await wire.close()
    return {row["symbol"]: D(row["bidPrice"]) for row in orjson.loads(answer.body) if row["symbol"] in SYMBOLS}


def standing_still(folder: Path, seed: int) -> tuple[str, ...]:
    options = ("--synthetic", str(seed % 1_000), "--epoch-us", "1700000000000000", "--paused")
    return (*options, "--symbols", ",".join(SYMBOLS), "--accounts", str(accounts(folder)))


@pytest.mark.timeout(3_600)
async def test_whatever_is_asked_the_answer_is_proper_and_the_accounts_are_right(
    tmp_path: Path, fuzz: tuple[int, int], capsys: pytest.CaptureFixture[str]
) -> None:
    seed, count = fuzz
    with running(tmp_path, *standing_still(tmp_path, seed)) as exchange:  # its end: nothing on stderr
        run = Run(exchange, seed, await prices_of(exchange))
        await run.go_on(count)
        expected = run.books.audit(exchange.journal, {"ann": dict(FUNDS), "bob": dict(FUNDS)})
        for name, assets in expected.items():
            told = (await control(exchange, "GET", f"accounts/{name}"))["balances"]
            assert {asset: (D(held["free"]), D(held["locked"])) for asset, held in told.items()} == assets
    with capsys.disabled():
        sys.stdout.write("".join(f"\n{number:7} {shape}" for shape, number in run.shapes.most_common()) + "\n")
    assert run.shapes["200 None"] > count / 10, "hardly anything was accepted: the accounts were not put to the test"
    assert len(run.shapes) > 15, "hardly any kind of refusal was met"


async def test_a_seed_is_answered_alike_each_time(tmp_path: Path, fuzz: tuple[int, int]) -> None:
    seed, _ = fuzz
    answers = []
    for name in ("one", "other"):
        folder = tmp_path / name
        folder.mkdir()
        with running(folder, *standing_still(folder, seed)) as exchange:
            run = Run(exchange, seed, await prices_of(exchange))
            await run.go_on(REPEATED)
        answers.append(run.answers)
    assert answers[0] == answers[1]
