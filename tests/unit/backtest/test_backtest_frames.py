"""A backtest's frames on recorded books are those that ingest would make of them, and orders come when they are due."""

from decimal import Decimal

from trimtab.backtest.entrant import Entrant
from trimtab.backtest.fees import Fees
from trimtab.backtest.shown import Shown, Top
from trimtab.backtest.terms import Pace, Terms
from trimtab.backtest.variants import document_of
from trimtab.backtest.worker import Worker
from trimtab.backtest.world import World
from trimtab.documents import canonical
from trimtab.domain.orders import OrderState
from trimtab.exchange.instruments import Instrument
from trimtab.exchange.market import DepthUpdate, MarketEvent, Quote, Snapshot
from trimtab.messages import Message, OrderEvent, Signal
from trimtab.settings import DriftSettings, ExecutorSettings

D = Decimal
START_US = 1_700_000_000_000_000
LISTED = {"BTCUSDT": Instrument("BTCUSDT", "BTC", "USDT", D("0.01"), D("0.00001"))}
DOCUMENT = {
    "portfolio": "core",
    "quote": "USDT",
    "targets": {"BTC": "0.5", "USDT": "0.5"},
    "policy": {"kind": "threshold", "absolute": "0.01"},
    "limits": {"max_trade_share": "1"},
}


def snapshot(at_us: int = START_US) -> Snapshot:
    return Snapshot("BTCUSDT", at_us, 1, ((D("100"), D(9)),), ((D("100.01"), D(9)),))


def moved(last_id: int, at_us: int, bid: str) -> DepthUpdate:
    """A higher bid, stamped 3 ms before it is due."""
    return DepthUpdate("BTCUSDT", at_us, at_us - 3_000, last_id, last_id, ((D(bid), D(5)),), ())


def quoted(update_id: int, at_us: int) -> Quote:
    return Quote("BTCUSDT", at_us, update_id, D("100"), D(9), D("100.05"), D(2))


def test_frames_tell_depth_updates_at_the_venue_s_times_and_best_prices_are_for_orders_alone() -> None:
    shown = Shown(LISTED, Fees())
    shown.take(snapshot())
    shown.frame(START_US)
    shown.take(quoted(2, START_US + 10_000))
    assert not shown.changed
    assert shown.top("BTCUSDT") == Top(D("100"), D("100.05"))
    shown.take(moved(3, START_US + 100_000, "100.00"))
    assert shown.changed
    frame = shown.frame(START_US + 100_000)
    (quote,) = frame.quotes
    assert (frame.event_time_us, quote.event_time_us, quote.update_id) == (*(START_US + 97_000,) * 2, 3)
    assert (quote.bids[:2], quote.asks[:2]) == ((10_000, 500_000), (10_001, 900_000))


def test_time_passes_for_a_market_that_says_nothing() -> None:
    shown = Shown(LISTED, Fees())
    shown.take(snapshot())
    shown.frame(START_US)
    assert shown.frame(START_US + 5_000).event_time_us == START_US + 5_000


class Onlooker:
    """Keeps when frames were decided on, signals decided, and orders sent."""

    def __init__(self) -> None:
        self.frames: list[int] = []
        self.signals: list[int] = []
        self.orders: list[int] = []

    def decided(self, signal: Signal, now_us: int) -> None:
        assert signal.trades
        self.signals.append(now_us)

    def looked(self, worker: Worker, now_us: int) -> None:
        assert worker.market().complete
        self.frames.append(now_us)

    def heard(self, message: Message, now_us: int) -> None:
        if isinstance(message, OrderEvent) and message.state is OrderState.SUBMITTED:
            self.orders.append(now_us)


async def played(events: list[MarketEvent], btc: int) -> Onlooker:
    """Begin with so many BTC at 100 and what makes 2,000 of it, half of which is to be BTC."""
    found = Onlooker()
    text = canonical(document_of(DOCUMENT))
    entrant = Entrant(
        "core", text, "USDT", {"BTC": D("0.5"), "USDT": D("0.5")}, {"BTC": D(btc), "USDT": D(2_000 - 100 * btc)}
    )
    pace = Pace(1, 100_000, 1_000_000, stands=False, latency_us=20_000, burst=2, burst_us=10_000, looks=1)
    terms = Terms(D(0), Fees(), DriftSettings(), ExecutorSettings(), pace)
    await World([entrant], Shown(LISTED, Fees()), terms, witness=found).play(iter(events), lambda _: None)
    return found


async def test_a_signal_reaches_the_venue_when_it_is_due_whatever_the_market_says_meanwhile() -> None:
    events: list[MarketEvent] = [snapshot(), *(quoted(n, START_US + n * 7_000) for n in range(2, 20))]
    found = await played(events, btc=11)
    assert found.signals[0] == START_US
    assert found.orders[0] == START_US + 20_000


async def test_changes_make_frames_at_once_but_no_more_than_ingest_would() -> None:
    burst = [moved(n, START_US + 1_000_000 + n * 1_000, f"99.9{n % 2}") for n in range(2, 9)]
    found = await played([snapshot(), quoted(2, START_US + 500_000), *burst], btc=10)
    within = [at_us - START_US - 1_000_000 for at_us in found.frames if at_us > START_US + 1_000_000]
    assert within == [2_000, 3_000, 12_000], "two at once, as many as may be saved; what came since when it is due"
