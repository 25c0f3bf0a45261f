"""What a drift worker needs around it: a market that moves, an executor that settles signals, and topics read back."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from decimal import Decimal
from pathlib import Path
from typing import Any

from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from trimtab.adapters.avro import Codec
from trimtab.adapters.kafka.producer import KafkaPublisher
from trimtab.domain.orders import Liquidity, Side
from trimtab.messages import Fill, Frame, FrameQuote, InstrumentRules, PortfolioState, Position, Signal, Trade
from trimtab.ports.topics import Record
from trimtab.settings import Settings

DOCUMENT = (
    '{"portfolio":"%s","quote":"USDT","targets":{"BTC":"0.6","ETH":"0.3","USDT":"0.1"},'
    '"limits":{"signals_per_hour":1000}}'
)
COMPUTED = (
    '{"portfolio":"%s","quote":"USDT","targets":{"method":"equal_risk_contribution","assets":["BTC","ETH"],'
    '"cash":"0.4","every":"0 * * * *","min_change":"0"},"limits":{"signals_per_hour":1000}}'
)
BY_RISK = "risk-"  # names of portfolios with computed targets begin so
SECONDS_MAX = 60.0


def state(portfolio_id: str, version: int) -> PortfolioState:
    """Return one far out of its band, the other way round each version; every fourth brings one by risk a new file."""
    by_risk = portfolio_id.startswith(BY_RISK)
    btc, eth = ("1.6", "4") if version % 2 else ("0.4", "30")
    amounts = {"BTC": Decimal(btc), "ETH": Decimal(eth), "USDT": Decimal(10_000)}
    return PortfolioState(
        event_id=f"{portfolio_id}/{version}",
        portfolio_id=portfolio_id,
        ledger_version=version,
        event_time_us=time.time_ns() // 1_000,
        document_version=1 + version // 4 if by_risk else 1,
        document=(COMPUTED if by_risk else DOCUMENT) % portfolio_id,
        halted=False,
        reason="",
        not_before_us=0,
        positions=tuple(Position("main", "binance", asset, n, Decimal(0)) for asset, n in amounts.items()),
        open_orders=(),
        recent_signals_us=(),
    )


def own_fill(portfolio_id: str, number: int, base: str) -> Fill:
    """Return a taker's fill that was charged half as much again as the venue states."""
    price = Decimal(60_000 if base == "BTC" else 3_000)
    return Fill(
        event_id=f"fill-{number}",
        portfolio_id=portfolio_id,
        ledger_sequence=number,
        venue="binance",
        account="main",
        trade_id=str(number),
        instrument=f"{base}/USDT",
        base=base,
        quote="USDT",
        side=Side.BUY,
        price=price,
        quantity=Decimal("0.1"),
        notional=price / 10,
        fee=price / 10 * Decimal("0.0015"),
        fee_asset="USDT",
        liquidity=Liquidity.TAKER,
        leaves_quantity=Decimal(0),
        signal_id="s",
        parent_id="p",
        client_order_id=f"c{number}",
        venue_order_id=f"v{number}",
        event_time_us=time.time_ns() // 1_000,
        dry_run=False,
    )


def fill_of(sent: Signal, trade: Trade, number: int) -> Fill:
    """Return a fill of all of a trade, by a taker, a thousandth off the decision price."""
    price = (trade.decision_price * (1 + trade.side.sign * Decimal("0.001"))).quantize(Decimal("0.01"))
    return replace(
        own_fill(sent.portfolio_id, number, trade.base),
        event_id=f"fill-{trade.trade_id}",
        side=trade.side,
        price=price,
        quantity=trade.quantity,
        notional=price * trade.quantity,
        fee=price * trade.quantity * Decimal("0.0015"),
        signal_id=sent.signal_id,
        parent_id=trade.trade_id,
        event_time_us=sent.event_time_us + 1_000_000,
    )


def rules(base: str) -> InstrumentRules:
    tick, fee = Decimal("0.01"), Decimal("0.001")
    step = Decimal("0.00001")
    return InstrumentRules(
        "binance", f"{base}/USDT", base, "USDT", tick, step, step, Decimal(5), fee, fee, tradable=True
    )


@dataclass
class MovingMarket:
    """25 frames a second, a full one each second; books show one unit a side, less than some orders are for."""

    publisher: KafkaPublisher
    mids: dict[str, int] = field(default_factory=lambda: {"BTC": 6_000_000, "ETH": 300_000})
    chance: random.Random = field(default_factory=lambda: random.Random(7))

    async def run(self) -> None:
        session, sequence, last_full_us = f"session-{time.time_ns()}", 0, 0
        while True:
            now_us = time.time_ns() // 1_000
            full = now_us - last_full_us >= 1_000_000
            last_full_us = now_us if full else last_full_us
            for base in self.mids:
                self.mids[base] += self.chance.randint(-20, 20)
            quotes = tuple(self._quote(base, now_us, sequence) for base in self.mids)
            listed = tuple(rules(base) for base in self.mids) if full else ()
            self.publisher.publish_nowait(Frame(session, sequence, now_us, full, listed, quotes))
            sequence += 1
            await asyncio.sleep(0.04)

    def _quote(self, base: str, now_us: int, sequence: int) -> FrameQuote:
        mid = self.mids[base]
        bids = tuple(count for level in range(10) for count in (mid - level, 10_000))
        asks = tuple(count for level in range(10) for count in (mid + 1 + level, 10_000))
        return FrameQuote("binance", f"{base}/USDT", now_us, sequence, bids, asks)


class Reading:
    """A topic (named without prefix) read from its beginning, as often as asked."""

    def __init__(self, settings: Settings, codec: Codec, topic: str, *, decoded: bool = True) -> None:
        self._codec, self._topic, self._decoded = codec, topic, decoded
        name = f"{settings.kafka.topic_prefix}{topic}"
        self._consumer = Consumer(
            {"bootstrap.servers": settings.kafka.bootstrap_servers, "group.id": "unused", "enable.auto.commit": False}
        )
        partitions = self._consumer.list_topics(name, timeout=10).topics[name].partitions
        self._consumer.assign([TopicPartition(name, number, OFFSET_BEGINNING) for number in partitions])
        self.records: list[Any] = []

    def more(self, seconds: float = 0.1) -> list[Any]:
        """Return what came since the last call: records, or raw messages if they are not to be decoded."""
        messages = [m for m in self._consumer.consume(10_000, seconds) if m.error() is None]
        found = [
            Record(self._codec.decode(self._topic, m.value()), self._topic, m.partition() or 0, m.offset() or 0)
            if self._decoded
            else m
            for m in messages
        ]
        self.records += found
        return found

    def everything(self) -> list[Any]:
        """Return all records there are now."""
        places = self._consumer.assignment()
        ends = {place.partition: self._consumer.get_watermark_offsets(place, timeout=10)[1] for place in places}
        while any(0 < ends[place.partition] > place.offset for place in self._consumer.position(places)):
            self.more()
        return self.records

    def close(self) -> None:
        self._consumer.close()


class Settling:
    """Stands in for the executor: settles one signal per (portfolio, version), which makes a new version."""

    def __init__(self, publisher: KafkaPublisher, signals: Reading, portfolios: list[str]) -> None:
        self._publisher, self.signals = publisher, signals
        self.versions = dict.fromkeys(portfolios, 1)
        self.accepted: list[str] = []
        self.superseded: list[str] = []

    async def begin(self) -> None:
        for portfolio_id, version in self.versions.items():
            await self._publisher.publish(state(portfolio_id, version))

    async def until(self, done: Callable[[], bool], seconds_max: float = SECONDS_MAX) -> None:
        """Settle what comes until `done`."""
        deadline = time.monotonic() + seconds_max
        while not done():
            assert time.monotonic() < deadline, f"not done after {seconds_max} s: {self.versions}"
            for record in await asyncio.to_thread(self.signals.more):
                await self._settle(record.message)

    async def _settle(self, found: Any) -> None:
        if found.ledger_version != self.versions[found.portfolio_id]:
            self.superseded.append(found.signal_id)
            return
        self.accepted.append(found.signal_id)
        self.versions[found.portfolio_id] += 1
        await self._publisher.publish(state(found.portfolio_id, self.versions[found.portfolio_id]))


class Worker:
    """One drift process."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self.process, self.log = process, log

    async def end(self, number: int = signal.SIGTERM) -> int:
        if self.process.returncode is None:
            self.process.send_signal(number)
        return await asyncio.wait_for(self.process.wait(), 30)

    async def says(self, text: str, seconds_max: float = SECONDS_MAX) -> None:
        """Wait until its log has this text."""
        deadline = time.monotonic() + seconds_max
        while text not in self.log.read_text():
            assert self.process.returncode is None, self.log.read_text()
            assert time.monotonic() < deadline, self.log.read_text()
            await asyncio.sleep(0.05)


@asynccontextmanager
async def drift_worker(settings: Settings, folder: Path) -> AsyncIterator[Worker]:
    """Run a worker; end it in any case."""
    log = folder / f"drift-{time.monotonic_ns()}.log"
    chosen = {
        "TRIMTAB_KAFKA__BOOTSTRAP_SERVERS": settings.kafka.bootstrap_servers,
        "TRIMTAB_KAFKA__TOPIC_PREFIX": settings.kafka.topic_prefix,
        "TRIMTAB_REGISTRY__URL": settings.registry.url,
        "TRIMTAB_DRIFT__RISK_OBSERVATIONS_MIN": "3",
        "TRIMTAB_DRIFT__RISK_PUBLISH_SECONDS": "1",
        "TRIMTAB_DRIFT__RISK_SAMPLE_SECONDS": "0.2",
        "TRIMTAB_DRIFT__SIGNAL_LIFETIME_SECONDS": "5",
    }
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("TRIMTAB_")}
    with log.open("wb") as output:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "trimtab.drift", env=inherited | chosen, cwd=folder, stderr=output, stdout=output
        )
    worker = Worker(process, log)
    try:
        yield worker
    finally:
        await worker.end(signal.SIGKILL)
