"""One portfolio over two venues of different kinds: executor and reconciler, their own code, on both at once."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import aiohttp
import pytest
import structlog
from exchange_process import Running, arm, control, running, until
from floor_parties import Executor, Reconciler, ended
from trading_floor import FAST, WAIT_SECONDS_MAX

from ledger_worlds import PORTFOLIO, LedgerWorld
from trimtab.adapters.venues.registry import open_account
from trimtab.domain.ids import derive
from trimtab.domain.orders import Side
from trimtab.exchange import instruments
from trimtab.exchange.journal import read_journal
from trimtab.messages import Fill, Frame, FrameQuote, InstrumentRules, Signal, Trade
from trimtab.ports.topics import Record
from trimtab.settings import AccountSettings, ExecutorSettings, ReconcilerSettings, Settings, VenueSettings

START = {"BTC": "1", "ETH": "10", "USDT": "100000"}
FEES = {"binance": "0.001", "coinbase": "0.006"}
KEYS: Mapping[str, Mapping[str, str]] = {
    "binance": {"api_key": "k", "secret": "s"},
    "coinbase": {"api_key": "k", "secret": "c2VjcmV0", "passphrase": "words"},
}
BASES = ("BTC", "ETH")
Levels = Sequence[tuple[Decimal, Decimal]]


@pytest.fixture(scope="module")
def exchanges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Running]]:
    """An exchange of each dialect whose market stands still; the account at each is called as the venue."""
    options = ("--synthetic", "7", "--symbols", "BTCUSDT,ETHUSDT", "--paused")
    with ExitStack() as stack:
        yield {
            name: stack.enter_context(running(tmp_path_factory.mktemp(name), *options, "--dialect", name))
            for name in KEYS
        }


@dataclass
class Bridge:
    """A portfolio with an account at each venue, alone on both, and who trades and books for it."""

    exchanges: Mapping[str, Running]
    world: LedgerWorld
    http: aiohttp.ClientSession
    settings: Settings
    log: Any
    captured: structlog.testing.LogCapture
    parties: list[Any] = field(default_factory=list)
    frames: int = 0

    async def book(self, venue: str, base: str) -> tuple[Levels, Levels]:
        """Bids and asks, best first."""
        host = self.exchanges[venue].http
        url = f"{host}/api/v3/depth?symbol={base}USDT" if venue == "binance" else (
            f"{host}/products/{base}-USDT/book?level=2"
        )  # fmt: skip
        async with self.http.get(url) as answer:
            told = await answer.json()
        bids, asks = ([(Decimal(row[0]), Decimal(row[1])) for row in told[side][:10]] for side in ("bids", "asks"))
        return bids, asks

    async def frame(self) -> Frame:
        quotes, rules = [], []
        for venue in KEYS:
            for base in BASES:
                listed = instruments.listed(f"{base}USDT")
                assert listed is not None
                bids, asks = (
                    tuple(n for price, size in side for n in (int(price / listed.tick), int(size / listed.step)))
                    for side in await self.book(venue, base)
                )
                quotes.append(FrameQuote(venue, f"{base}/USDT", now_us(), 1, bids, asks))
                fee = Decimal(FEES[venue])
                steps = listed.tick, listed.step, listed.step, listed.min_notional
                rules.append(InstrumentRules(venue, f"{base}/USDT", base, "USDT", *steps, fee, fee, tradable=True))
        self.frames += 1
        return Frame("bridge", self.frames, now_us(), True, tuple(rules), tuple(quotes))  # noqa: FBT003 - full

    async def play(self) -> None:
        while True:
            frame = await self.frame()
            for party in self.parties:
                if isinstance(party, Executor):
                    party.on_frame(Record(frame, "market.frames", 0, self.frames))
            await asyncio.sleep(0.2)  # Coinbase allows an address 10 a second

    async def executor(self, **settings: Any) -> Executor:
        chosen = ExecutorSettings.model_validate(
            {**FAST, "lookup_interval_seconds": 0.3, "patience_seconds": 1e-6, **settings}
        )
        started = Executor(SimpleNamespace(**vars(self)), "executor-1", tuple(KEYS), chosen)  # type: ignore[arg-type]  # what it uses of a floor
        self.parties.append(started)
        await started.start()
        return started

    def reconciler(self, account: str) -> Reconciler:
        chosen = ReconcilerSettings.model_validate({"missed_fill_after_ms": 200, "confirm_seconds": 1e-6})
        floor: Any = SimpleNamespace(**vars(self))
        started = Reconciler(floor, open_account(account, self.settings), chosen)
        self.parties.append(started)
        return started

    async def trade(self, venue: str, side: Side, base: str, quantity: str) -> Trade:
        bids, asks = await self.book(venue, base)
        listed = instruments.listed(f"{base}USDT")
        assert listed is not None
        touch = (asks if side is Side.BUY else bids)[0][0]
        return Trade(
            trade_id=derive("trade", venue, side, base, time.monotonic_ns()),
            venue=venue,
            account=venue,
            instrument=f"{base}/USDT",
            base=base,
            quote="USDT",
            side=side,
            quantity=Decimal(quantity),
            decision_price=(bids[0][0] + asks[0][0]) / 2,
            limit_price=(touch * (1 + side.sign * Decimal("0.02"))).quantize(listed.tick),
            volatility=Decimal("0.5"),
            depends_on=(),
        )

    async def accepted(self, executor: Executor, *trades: Trade) -> None:
        (row,) = self.world.ask("SELECT ledger_version FROM ledger.portfolio WHERE portfolio_id = %s", PORTFOLIO)
        signal = Signal(
            signal_id=derive("signal", time.monotonic_ns()),
            portfolio_id=PORTFOLIO,
            ledger_version=int(str(row["ledger_version"])),
            document_version=1,
            frame_offset=0,
            risk_offset=0,
            event_time_us=now_us(),
            deadline_us=now_us() + 400_000_000,
            policy="no_trade_region",
            reason="drift",
            urgency=Decimal("0.5"),
            equity=Decimal(100_000),
            trades=trades,
            terms=(),
        )
        executor.on_frame(Record(await self.frame(), "market.frames", 0, self.frames))
        await executor.take(signal)
        found = self.world.ask("SELECT outcome, reason FROM ledger.signal WHERE signal_id = %s", signal.signal_id)
        assert [row["outcome"] for row in found] == ["accepted"], found

    async def at_rest(self) -> None:
        """Wait until every parent is released and every fill is booked."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            parents = self.world.ask("SELECT state, reason FROM ledger.parent_order")
            unbooked = self.world.ask("SELECT 1 FROM ledger.fill WHERE entry_id IS NULL")
            if parents and not unbooked and all(row["state"] == "released" for row in parents):
                return
            assert time.monotonic() < deadline, (parents, self.captured.entries[-10:])
            await asyncio.sleep(0.05)

    async def at_venue(self, venue: str) -> dict[str, Decimal]:
        told = await control(self.exchanges[venue], "GET", f"accounts/{self.account_at(venue)}")
        return {
            asset: total
            for asset, each in told["balances"].items()
            if (total := Decimal(each["free"]) + Decimal(each["locked"]))
        }

    def account_at(self, venue: str) -> str:
        """What the account is called at the exchange."""
        return self.settings.accounts[venue].api_key.get_secret_value()  # type: ignore[union-attr]  # it has one

    def fills(self) -> list[Fill]:
        return [message for message in self.world.emitted() if isinstance(message, Fill)]


def now_us() -> int:
    return time.time_ns() // 1_000


@asynccontextmanager
async def open_bridge(exchanges: Mapping[str, Running], world: LedgerWorld) -> AsyncIterator[Bridge]:
    captured = structlog.testing.LogCapture()
    log: Any = structlog.wrap_logger(
        None, processors=[captured], wrapper_class=structlog.make_filtering_bound_logger(0)
    )
    venues, accounts = {}, {}
    for venue, exchange in exchanges.items():
        name = f"{venue}-{time.monotonic_ns()}"
        keys = {**KEYS[venue], "api_key": name}
        fees = {"maker_fee": FEES[venue], "taker_fee": FEES[venue]}
        await control(exchange, "POST", "accounts", {"name": name, **keys, "balances": START, **fees}, 201)
        venues[venue] = VenueSettings(
            kind=venue,  # type: ignore[arg-type]  # a literal
            rest_url=exchange.http,
            websocket_url=f"ws://{exchange.host}",
            instruments=("BTC/USDT", "ETH/USDT"),
        )
        accounts[venue] = AccountSettings(venue=venue, **keys)  # type: ignore[arg-type]  # texts
        async with world.cli.transaction() as book:
            await book.add_account(venue, venue)
    async with world.cli.transaction() as book:
        await book.apply_portfolio(PORTFOLIO, f'{{"portfolio":"{PORTFOLIO}"}}', list(exchanges), dry_run=False)
        await book.bump(PORTFOLIO, "applied", now_us())
    for venue in exchanges:
        for asset, amount in START.items():
            await world.deposit(asset, amount, PORTFOLIO, venue)
    async with aiohttp.ClientSession() as http:
        bridge = Bridge(exchanges, world, http, Settings(venues=venues, accounts=accounts), log, captured)
        playing = asyncio.create_task(bridge.play())
        try:
            yield bridge
        finally:
            await ended([playing])
            for exchange in exchanges.values():
                await control(exchange, "DELETE", "faults")
            for party in bridge.parties:
                if isinstance(party, Executor):
                    await party.crash()
                else:
                    await ended([party.sweeping])
                    await party.venue.close()
    mistakes = [entry for entry in captured.entries if entry.get("exc_info")]
    assert not mistakes, mistakes


@pytest.fixture
async def bridge(exchanges: dict[str, Running], ledger_world: LedgerWorld) -> AsyncIterator[Bridge]:
    """1 BTC, 10 ETH and 100,000 USDT in the portfolio "core" at each of two venues, and in the ledger."""
    async with open_bridge(exchanges, ledger_world) as opened:
        yield opened


async def assert_ledger_and_venues_agree(bridge: Bridge) -> None:
    for venue in KEYS:
        ledger = {asset: amount for asset, amount in (await bridge.world.reconciler.sums(venue)).items() if amount}
        assert ledger == await bridge.at_venue(venue)
        at_venue = read_journal(bridge.exchanges[venue].journal).executions_of(bridge.account_at(venue))
        recorded = [fill for fill in bridge.fills() if fill.venue == venue]
        assert sorted(fill.fee for fill in recorded) == sorted(each.fee for each in at_venue)
        assert len({fill.trade_id for fill in recorded}) == len(recorded) == len(at_venue)
    assert bridge.world.ask("SELECT 1 FROM ledger.break WHERE resolution = ''") == []
    assert all(reserved == 0 for _, reserved in bridge.world.balances().values())


async def test_a_portfolio_trades_on_both_venues_and_its_ledger_is_theirs(bridge: Bridge) -> None:
    executor = await bridge.executor()
    reconcilers = [bridge.reconciler(venue) for venue in KEYS]
    trades = [
        await bridge.trade("binance", Side.SELL, "BTC", "0.05"),
        await bridge.trade("coinbase", Side.BUY, "BTC", "0.05"),
        await bridge.trade("coinbase", Side.SELL, "ETH", "1.5"),
    ]
    await bridge.accepted(executor, *trades)
    await bridge.at_rest()
    for reconciler in reconcilers:
        assert not await reconciler.comparing.compare()
    await assert_ledger_and_venues_agree(bridge)
    done = {(fill.venue, fill.base): fill.side for fill in bridge.fills()}
    assert done == {("binance", "BTC"): Side.SELL, ("coinbase", "BTC"): Side.BUY, ("coinbase", "ETH"): Side.SELL}
    assert sum(fill.quantity for fill in bridge.fills()) == Decimal("1.6")
    assert {fill.fee_asset for fill in bridge.fills()} == {"USDT"}  # Coinbase's always, Binance's of a sell


async def test_an_order_whose_answer_is_lost_is_neither_doubled_nor_missed(bridge: Bridge) -> None:
    executor = await bridge.executor()
    reconcilers = [bridge.reconciler(venue) for venue in KEYS]
    await arm(bridge.exchanges["coinbase"], "lost_answer", "POST /orders")
    await bridge.accepted(executor, await bridge.trade("coinbase", Side.BUY, "BTC", "0.04"))
    await bridge.at_rest()
    for reconciler in reconcilers:
        assert not await reconciler.comparing.compare()
    await assert_ledger_and_venues_agree(bridge)
    struck = read_journal(bridge.exchanges["coinbase"].journal).faults
    assert ("lost_answer", "POST /orders") in {(each["fault"], each["struck"]) for each in struck}
    assert sum(fill.quantity for fill in bridge.fills()) == Decimal("0.04")


async def test_an_order_that_neither_look_ups_nor_stream_show_for_long_is_not_sent_again(bridge: Bridge) -> None:
    """Longer than its receive window and the clocks' skew, after which an absence counts."""
    executor, reconciler = await bridge.executor(), bridge.reconciler("coinbase")
    coinbase = bridge.exchanges["coinbase"]
    await asyncio.wait_for(executor.following.wait(), WAIT_SECONDS_MAX)
    await arm(coinbase, "stream_gap", "@user", streams="user", count=None)
    await arm(coinbase, "stale_reads", duration_ms=6_000)
    await arm(coinbase, "lost_answer", "POST /orders")
    await bridge.accepted(executor, await bridge.trade("coinbase", Side.BUY, "BTC", "0.04"))
    await bridge.at_rest()
    assert [row["state"] for row in bridge.world.ask("SELECT state FROM ledger.child_order")] == ["filled"]
    assert sum(fill.quantity for fill in bridge.fills()) == Decimal("0.04")
    assert not await reconciler.comparing.compare()
    await assert_ledger_and_venues_agree(bridge)
    struck = {each["fault"] for each in read_journal(coinbase.journal).faults}
    assert {"stream_gap", "stale_reads", "lost_answer"} <= struck


async def test_a_resting_order_is_filled_by_others_and_told_by_the_stream_or_found_in_the_trades(
    bridge: Bridge,
) -> None:
    executor = await bridge.executor(patience_seconds=500.0, rest_seconds_min=500.0)
    reconciler = bridge.reconciler("coinbase")
    coinbase = bridge.exchanges["coinbase"]
    other = {"name": "other", "api_key": "o", "secret": "bw==", "passphrase": "o", "balances": {"BTC": "5"}}
    await control(coinbase, "POST", "accounts", other, 201)
    await bridge.accepted(executor, await bridge.trade("coinbase", Side.BUY, "BTC", "0.04"))

    async def filled(quantity: str) -> None:
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while sum(fill.quantity for fill in bridge.fills()) != Decimal(quantity):
            assert time.monotonic() < deadline, (quantity, bridge.fills(), bridge.captured.entries[-10:])
            await asyncio.sleep(0.05)

    async def hit(quantity: str) -> None:
        order = {"account": "other", "symbol": "BTCUSDT", "side": "SELL", "quantity": quantity}
        await control(coinbase, "POST", "orders", order, 201)

    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while not bridge.world.ask("SELECT 1 FROM ledger.child_order WHERE state = 'accepted'"):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    await asyncio.wait_for(executor.following.wait(), WAIT_SECONDS_MAX)
    await hit("0.01")
    await filled("0.01")
    await arm(coinbase, "stream_gap", "@user", streams="user")
    await hit("0.02")
    await hit("0.01")
    await filled("0.04")
    await bridge.at_rest()
    assert not await reconciler.comparing.compare()
    await assert_ledger_and_venues_agree(bridge)


@pytest.mark.parametrize("kind", ["stream_gap", "stream_duplicate", "stream_reorder", "websocket_drop", "crash"])
async def test_whatever_becomes_of_the_user_channel_every_fill_is_booked_once(bridge: Bridge, kind: str) -> None:
    coinbase = bridge.exchanges["coinbase"]
    rests = {"patience_seconds": 500.0, "rest_seconds_min": 500.0}
    executor, reconciler = await bridge.executor(**rests), bridge.reconciler("coinbase")
    name = f"other-{kind.replace('_', '-')}"
    other = {"name": name, "api_key": name, "secret": "bw==", "passphrase": "o"}
    await control(coinbase, "POST", "accounts", other | {"balances": {"BTC": "5"}}, 201)
    await asyncio.wait_for(executor.following.wait(), WAIT_SECONDS_MAX)
    await bridge.accepted(executor, await bridge.trade("coinbase", Side.BUY, "BTC", "0.06"))

    async def resting() -> Any:
        return bridge.world.ask("SELECT 1 FROM ledger.child_order WHERE state = 'accepted'")

    async def hit(quantity: str) -> None:
        order = {"account": name, "symbol": "BTCUSDT", "side": "SELL", "quantity": quantity}
        await control(coinbase, "POST", "orders", order, 201)

    await until(resting, "the order rests")
    if kind != "crash":
        streams = {"streams": "user"} | ({} if kind == "websocket_drop" else {"count": None})
        await arm(coinbase, kind, "" if kind == "websocket_drop" else "@user", **streams)
    await hit("0.01")
    if kind == "crash":
        await executor.crash()
    await hit("0.02")
    if kind == "crash":
        await bridge.executor(**rests)
    await hit("0.03")
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while sum(fill.quantity for fill in bridge.fills()) != Decimal("0.06"):
        assert time.monotonic() < deadline, (bridge.fills(), bridge.captured.entries[-10:])
        if kind == "stream_gap":  # nobody tells of it but look-ups
            await reconciler.comparing.compare()
        await asyncio.sleep(0.05)
    await bridge.at_rest()
    assert not await reconciler.comparing.compare()
    await assert_ledger_and_venues_agree(bridge)
    assert len(bridge.world.ask("SELECT 1 FROM ledger.child_order")) == 1
    assert kind == "crash" or kind in {each["fault"] for each in read_journal(coinbase.journal).faults}
