"""A trading floor for one test: executor and reconciler, their own code, in this process, on a real PostgreSQL, over
real ccxt, against the simulated exchange's real process.

The exchange's market stands still, so that what fills is what a test makes fill: by orders that cross, or through a
second account, the counterparty. Event time begins with that market, follows the wall clock and can be put forward.
Between ccxt and the exchange stands a gateway that can lose, cut or empty an answer and knows what was asked.
"""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import structlog
from exchange_process import Running, running
from floor_parties import Executor, Reconciler, ended
from venue_gateway import Gateway, gateway_before

from ledger_worlds import PORTFOLIO, LedgerWorld
from trimtab.adapters.venues.registry import OpenAccount, open_account
from trimtab.demo.oracle import Verdict, judge
from trimtab.domain.ids import derive
from trimtab.domain.orders import ChildOrder, OrderKind, OrderState, ParentOrder, ParentState, Side, TimeInForce
from trimtab.exchange import instruments
from trimtab.exchange.journal import JournalContents, read_journal
from trimtab.messages import Fill, Frame, FrameQuote, InstrumentRules, ParentEvent, Signal, Trade
from trimtab.ports.topics import Record
from trimtab.ports.venue import ExecutionReport
from trimtab.settings import AccountSettings, ExecutorSettings, ReconcilerSettings, Settings, VenueSettings

WAIT_SECONDS_MAX = 60.0
FRAME_SECONDS = 0.03
FAST = {"lookup_interval_seconds": 0.05, "lookup_after_ms": 100, "lease_seconds": 3.0, "depth_share_max": "1"}
PAIRS = (("BTC", "USDT"), ("ETH", "USDT"))  # base, quote
_numbers = itertools.count(1)

Condition = Callable[[], Any]


@dataclass
class Floor:
    """Everything of one test. The portfolio "core" is alone on `account` unless a test adds others."""

    exchange: Running
    world: LedgerWorld
    http: aiohttp.ClientSession
    gateway: Gateway
    rest_url: str
    account: str
    settings: Settings
    captured: structlog.testing.LogCapture = field(default_factory=structlog.testing.LogCapture)
    event_offset_us: int = 0
    pairs: tuple[tuple[str, str], ...] = PAIRS
    market_runs: bool = True
    _running: list[Any] = field(default_factory=list)
    _frames: int = 0

    def __post_init__(self) -> None:
        self.log: Any = structlog.wrap_logger(
            None, processors=[self.captured], wrapper_class=structlog.make_filtering_bound_logger(0)
        )
        self.counterparty = open_account("counter", self.settings)

    # The exchange

    async def control(self, path: str, **body: Any) -> Any:
        async with self.http.post(f"{self.exchange.http}/sim/{path}", json=body) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def fault(self, kind: str, endpoint: str = "POST /api/v3/order", **more: Any) -> None:
        await self.control("faults", kind=kind, endpoint=endpoint, **more)

    def journal(self) -> JournalContents:
        return read_journal(self.exchange.journal)

    async def book(self, base: str = "BTC", quote: str = "USDT") -> tuple[list[Any], list[Any]]:
        async with self.http.get(f"{self.exchange.http}/api/v3/depth?symbol={base}{quote}&limit=10") as answer:
            depth = await answer.json()
        return depth["bids"], depth["asks"]

    async def hit(self, order: Any, quantity: str) -> None:
        """Let the counterparty take this much of a resting order (of the exchange's journal), at its price."""
        side = Side.SELL if order.side == "BUY" else Side.BUY
        instrument = "/".join(instruments.split(order.symbol))
        await self._take(self.counterparty, instrument, side, quantity, order.price)

    async def by_hand(self, side: Side, quantity: str) -> int:
        """Trade on our account past the ledger, as a person may; return the trade's time."""
        bids, asks = await self.book()
        venue = open_account(self.account, self.settings)
        try:
            price = Decimal((asks if side is Side.BUY else bids)[-1][0])
            return await self._take(venue, "BTC/USDT", side, quantity, price)
        finally:
            await venue.close()

    async def _take(self, venue: OpenAccount, instrument: str, side: Side, quantity: str, price: Decimal) -> int:
        child = ChildOrder(
            client_order_id=derive("hit", next(_numbers)),
            parent_id="hit",
            attempt=0,
            kind=OrderKind.LIMIT,
            time_in_force=TimeInForce.IOC,
            quantity=Decimal(quantity),
            price=price,
            state=OrderState.SUBMITTED,
            request_time_ms=time.time_ns() // 1_000_000,
            placed_us=0,
        )
        answer = await venue.place(self.parent_for(side, instrument), child)
        assert isinstance(answer, ExecutionReport), answer
        assert answer.filled == Decimal(quantity), answer
        return answer.event_time_us

    def parent_for(self, side: Side, instrument: str = "BTC/USDT") -> ParentOrder:
        one = Decimal(1)
        return ParentOrder(
            "hit",
            "hit",
            "counter",
            "binance",
            "counter",
            instrument,
            *instrument.split("/"),
            side,
            one,
            one,
            one,
            one,
            one,
            (),
            0,
            0,
            0,
            ParentState.WORKING,
        )  # fmt: skip - only its account, instrument and side are used

    # The market

    def event_us(self) -> int:
        return time.time_ns() // 1_000 + self.event_offset_us

    async def frame(self) -> Frame:
        quotes, rules = [], []
        for base, quote in self.pairs:
            listed = instruments.listed(f"{base}{quote}")
            assert listed is not None
            bids, asks = (
                tuple(
                    count
                    for price, size in side
                    for count in (int(Decimal(price) / listed.tick), int(Decimal(size) / listed.step))
                )
                for side in await self.book(base, quote)
            )
            quotes.append(FrameQuote("binance", f"{base}/{quote}", self.event_us(), 1, bids, asks))
            fee = Decimal("0.001")
            rules.append(
                InstrumentRules(
                    "binance",
                    f"{base}/{quote}",
                    base,
                    quote,
                    listed.tick,
                    listed.step,
                    listed.step,
                    listed.min_notional,
                    fee,
                    fee,
                    tradable=True,
                )  # fmt: skip - in the record's order
            )
        self._frames += 1
        return Frame("floor", self._frames, self.event_us(), True, tuple(rules), tuple(quotes))  # noqa: FBT003 - full

    async def show_frame(self) -> None:
        frame = await self.frame()
        for party in self._running:
            if isinstance(party, Executor):
                party.on_frame(Record(frame, "market.frames", 0, self._frames))

    async def play(self) -> None:
        while True:
            if self.market_runs:
                await self.show_frame()
            await asyncio.sleep(FRAME_SECONDS)

    # The parties

    async def executor(
        self,
        name: str = "executor-1",
        *,
        patient: bool = False,
        deaf: bool = False,
        accounts: Sequence[str] = (),
        **settings: Any,
    ) -> Executor:
        """Start an executor. A patient one rests its orders for good, the others cross at once; a deaf one follows no
        user stream."""
        patience = {"patience_seconds": 500.0, "rest_seconds_min": 500.0} if patient else {"patience_seconds": 1e-6}
        chosen = ExecutorSettings.model_validate({**FAST, **patience, **settings})
        started = Executor(self, name, accounts or [self.account], chosen, deaf=deaf)
        self.join(started)
        await started.start()
        await self.show_frame()
        return started

    def join(self, party: Executor) -> None:
        """Show the market to this executor too, and end it with the floor."""
        self._running.append(party)

    def reconciler(self, account: str = "", **settings: Any) -> Reconciler:
        chosen = ReconcilerSettings.model_validate({"missed_fill_after_ms": 200, "confirm_seconds": 1e-6} | settings)
        started = Reconciler(self, open_account(account or self.account, self.settings), chosen)
        self._running.append(started)
        return started

    # Signals

    async def trade(
        self,
        side: Side,
        quantity: str,
        name: str = "trade",
        *,
        base: str = "BTC",
        quote: str = "USDT",
        depends_on: tuple[str, ...] = (),
        account: str = "",
        slippage: str = "0.02",
    ) -> Trade:
        bids, asks = await self.book(base, quote)
        listed = instruments.listed(f"{base}{quote}")
        assert listed is not None
        touch = Decimal((asks if side is Side.BUY else bids)[0][0])
        limit = (touch * (1 + side.sign * Decimal(slippage))).quantize(listed.tick)
        return Trade(
            trade_id=derive("trade", name, next(_numbers)),
            venue="binance",
            account=account or self.account,
            instrument=f"{base}/{quote}",
            base=base,
            quote=quote,
            side=side,
            quantity=Decimal(quantity),
            decision_price=(Decimal(bids[0][0]) + Decimal(asks[0][0])) / 2,
            limit_price=limit,
            volatility=Decimal("0.5"),
            depends_on=depends_on,
        )

    def signal(
        self, *trades: Trade, version: int | None = None, lifetime_seconds: float = 400.0, portfolio: str = PORTFOLIO
    ) -> Signal:
        number = next(_numbers)
        return Signal(
            signal_id=derive("signal", number),
            portfolio_id=portfolio,
            ledger_version=self.version(portfolio) if version is None else version,
            document_version=1,
            frame_offset=0,
            risk_offset=0,
            event_time_us=self.event_us(),
            deadline_us=self.event_us() + int(lifetime_seconds * 1_000_000),
            policy="no_trade_region",
            reason="drift",
            urgency=Decimal("0.5"),
            equity=Decimal(100_000),
            trades=trades,
            terms=(),
        )

    async def accepted(self, executor: Executor, *trades: Trade, **more: Any) -> Signal:
        """Send a signal that has to be accepted, on a market no older than it, so that no patience is over at once."""
        signal = self.signal(*trades, **more)
        if self.market_runs:
            await self.show_frame()
        await executor.take(signal)
        found = self.world.ask("SELECT outcome, reason FROM ledger.signal WHERE signal_id = %s", signal.signal_id)
        assert [row["outcome"] for row in found] == ["accepted"], found
        return signal

    # What the ledger says

    def version(self, portfolio: str = PORTFOLIO) -> int:
        (row,) = self.world.ask("SELECT ledger_version FROM ledger.portfolio WHERE portfolio_id = %s", portfolio)
        return int(str(row["ledger_version"]))

    def children(self) -> list[dict[str, Any]]:
        return self.world.ask("SELECT * FROM ledger.child_order ORDER BY parent_id, attempt")

    def parents(self) -> list[dict[str, Any]]:
        return self.world.ask("SELECT * FROM ledger.parent_order ORDER BY written")

    def reserved(self, asset: str = "USDT") -> Decimal:
        return self.world.balances().get((PORTFOLIO, self.account, asset), (Decimal(0), Decimal(0)))[1]

    def fills(self) -> list[Fill]:
        """Return the fills that leave for execution.fills, in their order."""
        return [message for message in self.world.emitted() if isinstance(message, Fill)]

    def closings(self) -> dict[str, str]:
        """Return why each parent closed, as others are told."""
        return {
            m.parent_id: m.reason for m in self.world.emitted() if isinstance(m, ParentEvent) and m.state == "closed"
        }

    def halt_reason(self, portfolio: str = PORTFOLIO) -> str:
        (row,) = self.world.ask("SELECT halt_reason FROM ledger.portfolio WHERE portfolio_id = %s", portfolio)
        return str(row["halt_reason"])

    def at_rest(self) -> bool:
        """Tell whether every parent is released and every fill is booked."""
        fills = self.world.ask("SELECT 1 FROM ledger.fill WHERE entry_id IS NULL")
        return not fills and all(row["state"] == "released" for row in self.parents())

    async def until(self, condition: Condition, what: str) -> Any:
        """Wait until a condition (plain or async) gives something."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while True:
            found = condition()
            if asyncio.iscoroutine(found):
                found = await found
            if found:
                return found
            said = [{k: str(v) for k, v in entry.items()} for entry in self.captured.entries[-10:]]
            assert time.monotonic() < deadline, f"waited in vain: {what}\n{json.dumps(said, indent=1)}\n{self.told()}"
            await asyncio.sleep(0.03)

    def told(self) -> str:
        """Return what the ledger has of every order, in lines."""
        parents = [f"{row['parent_id']} {row['state']} {row['reason']!r}" for row in self.parents()]
        names = ("client_order_id", "state", "reason", "quantity", "filled", "recorded", "cancel_requested")
        children = [" ".join(str(row[name]) for name in names) for row in self.children()]
        fills = self.world.ask("SELECT trade_id, quantity, entry_id IS NOT NULL AS booked FROM ledger.fill")
        return "\n".join([*parents, *children, *map(str, fills)])

    async def open_order(self, base: str = "BTC", quote: str = "USDT") -> Any:
        """Wait for an order of ours that rests at the exchange, and for the ledger to know that; return it."""

        def resting() -> Any:
            orders = [o for o in self.journal().orders.values() if o.account == self.account and o.is_open]
            known = {c["client_order_id"] for c in self.children() if c["state"] in {"accepted", "partially_filled"}}
            return next((o for o in orders if o.symbol == f"{base}{quote}" and o.client_order_id in known), None)

        return await self.until(resting, "an order rests")

    async def verdict(self, *accounts: str) -> Verdict:
        """Hold ledger and outbox against the exchange's journal."""
        names = accounts or (self.account,)
        trades = self.world.ask("SELECT account, trade_id FROM ledger.fill WHERE account = ANY(%s)", list(names))
        return judge(
            self.journal(),
            [(str(row["account"]), str(row["trade_id"])) for row in trades],
            [(fill.account, fill.trade_id) for fill in self.fills() if fill.account in names],
            {name: await self.world.reconciler.sums(name) for name in names},
            {row["client_order_id"]: (row["parent_id"], row["quantity"]) for row in self.world.ask(ASKED)},
        )

    async def holds(self, *accounts: str) -> Verdict:
        """Wait for rest, then: nothing doubled, lost or invented, ledger and venue equal, events in ledger order."""
        await self.until(self.at_rest, "everything settled")
        verdict = await self.verdict(*accounts)
        assert verdict.holds, verdict
        assert verdict.invented_fills == 0
        for portfolio in {fill.portfolio_id for fill in self.fills()}:
            sequences = [fill.ledger_sequence for fill in self.fills() if fill.portfolio_id == portfolio]
            assert sequences == sorted(set(sequences))
        assert all(amounts[1] == 0 for amounts in self.world.balances().values())
        return verdict

    async def close(self) -> None:
        for party in self._running:
            if isinstance(party, Executor):
                await party.crash()
            else:
                await ended([party.sweeping])
                await party.venue.close()
        await self.counterparty.close()
        ours = open_account(self.account, self.settings)
        open_orders = await ours.open_orders()
        assert isinstance(open_orders, list)
        for symbol in {order.instrument.replace("/", "") for order in open_orders}:
            await ours._client.private_delete_openorders({"symbol": symbol})  # or it stands in the next test's way
        await ours.close()


def mistakes(floor: Floor) -> list[Any]:
    """Return what the loops survived that no part may raise: mistakes of the code, not failures of the world."""
    return [entry for entry in floor.captured.entries if entry.get("exc_info")]


@contextmanager
def standing_still(folder: Path, *symbols: str) -> Iterator[Running]:
    """Run a simulated exchange whose market stands still, with the counterparty's account.

    Its limits are out of the way: the floors of a session come from one address and look orders up 20 times a second.
    """
    counter = {"name": "counter", "api_key": "counter-key", "secret": "counter-secret"}
    counter["balances"] = {"BTC": "1000", "ETH": "10000", "USDT": "100000000"}  # type: ignore[assignment]  # JSON
    accounts = folder / "accounts.json"
    limits = {"request_weight_1m": 10_000_000, "orders_10s": 100_000}
    accounts.write_text(json.dumps({"accounts": [counter], "prices": {"BNB": "512.4"}, "limits": limits}))
    options = ("--synthetic", "7", "--symbols", ",".join(symbols), "--paused", "--accounts", str(accounts))
    with running(folder, *options) as exchange:
        yield exchange


@pytest.fixture(scope="session")
def still_exchange(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """One exchange for all floors of a session; each opens accounts of its own."""
    with standing_still(tmp_path_factory.mktemp("exchange"), "BTCUSDT", "ETHUSDT") as exchange:
        yield exchange


ASKED = """
SELECT client_order_id, parent_id, parent_order.quantity
FROM ledger.child_order JOIN ledger.parent_order USING (parent_id)
"""
START = {"BTC": "1", "ETH": "10", "USDT": "100000"}


@asynccontextmanager
async def open_floor(
    exchange: Running,
    world: LedgerWorld,
    *,
    kind: type[Floor] = Floor,
    fee_asset: str | None = None,
    pairs: tuple[tuple[str, str], ...] = PAIRS,
    **venue: Any,
) -> AsyncIterator[Any]:
    account = f"floor-{next(_numbers)}-{time.monotonic_ns()}"
    async with aiohttp.ClientSession() as http, gateway_before(exchange.http) as (gateway, rest_url):
        terms = {"name": account, "api_key": f"{account}-key", "secret": "secret", "balances": START}
        terms |= {"fee_asset": fee_asset}
        async with http.post(f"{exchange.http}/sim/accounts", json=terms) as answer:
            assert answer.status < 300, await answer.text()
        chosen = VenueSettings(
            rest_url=rest_url,
            websocket_url=f"ws://{exchange.host}",
            instruments=tuple(f"{base}/{quote}" for base, quote in pairs),
            requests_per_second=200,
            **venue,
        )
        keys = {account: ("secret", f"{account}-key"), "counter": ("counter-secret", "counter-key")}
        accounts = {n: AccountSettings(venue="binance", api_key=key, secret=s) for n, (s, key) in keys.items()}
        settings = Settings(venues={"binance": chosen}, accounts=accounts)
        floor = kind(exchange, world, http, gateway, rest_url, account, settings, pairs=pairs)
        async with http.get(f"{exchange.http}/sim/status") as answer:
            floor.event_offset_us = (await answer.json())["market_us"] - floor.event_us()
        await world.add_portfolio(account=account)
        for asset, amount in START.items():
            await world.deposit(asset, amount, PORTFOLIO, account)
        playing = asyncio.create_task(floor.play())
        try:
            yield floor
        finally:
            await ended([playing])
            async with http.delete(f"{exchange.http}/sim/faults"):
                pass
            await floor.close()
    assert not mistakes(floor), mistakes(floor)


@pytest.fixture
async def floor(still_exchange: Running, ledger_world: LedgerWorld) -> AsyncIterator[Floor]:
    """A floor with 1 BTC, 10 ETH and 100,000 USDT in the portfolio "core", at the venue and in the ledger."""
    async with open_floor(still_exchange, ledger_world) as opened:
        yield opened
