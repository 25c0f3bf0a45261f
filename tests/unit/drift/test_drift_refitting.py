"""Who refits fees, when, and that decisions stand on what was recorded."""

from dataclasses import replace

import pytest
from drift_fills import COEFFICIENT, fill, recorded, signalled, stretch
from drift_ports import LOG, frame, held, watch
from drift_trades import LIFETIME_US, at, learn, signal_of, taken, trade
from drift_worlds import (
    PRICES,
    SETTINGS,
    D,
    instrument,
    market,
    portfolio,
    quote,
    risk,
    state,
    weights_to_positions,
)

from trimtab.domain.errors import UnreachableError
from trimtab.domain.portfolio import CostAdjusted, NoTradeRegion, Policy
from trimtab.drift.decision import decide
from trimtab.drift.explanation import explain
from trimtab.drift.refit import refit
from trimtab.drift.refitting import FILLS_MAX, REFIT_US, SIGNALS_MAX, Refitting
from trimtab.drift.tariff import explain_costs
from trimtab.frames import Feed
from trimtab.messages import Costs, Fill, Frame, Signal
from trimtab.ports.topics import Record, Stretch

MINUTE = REFIT_US / 1_000_000


class World:
    """A worker that owns the frames, the fills and signals so far, and market.costs as it would be read back.

    What the worker signals is not among the signals.
    """

    def __init__(self) -> None:
        self.worker, self.sent, self.counted = watch()
        self.fills: list[Fill] = []
        self.signals: list[Signal] = []
        self.asked: list[tuple[int, ...]] = []
        self.broken = False
        self.costs: list[Record[Costs]] = []
        self.stated = Feed()
        self.refitting = self.owner()

    def owner(self) -> Refitting:
        latest = self.worker.latest_costs
        return Refitting(self.sent, LOG, self.read, self.read_signals, latest, self.worker.settings.impact_coefficient)

    async def read_signals(self, begin: tuple[int, ...], records_max: int) -> Stretch[Signal]:
        assert records_max == SIGNALS_MAX
        return signalled(self.signals[sum(begin) :], end=len(self.signals))

    async def read(self, begin: tuple[int, ...], records_max: int) -> Stretch[Fill]:
        self.asked.append(begin)
        assert records_max == FILLS_MAX
        if self.broken:
            raise UnreachableError("Kafka", "nowhere", "test")
        return stretch(self.fills[sum(begin) :], end=len(self.fills))

    async def frame(self, record: Record[Frame], *owners: Refitting) -> None:
        """Let a frame pass; costs come back at its end, in the order in which they were sent."""
        self.stated = self.stated.advance(record.message, record.offset)
        self.worker.on_frame(record)
        for owner in owners or (self.refitting,):
            if record.message.full:
                owner.look(self.stated.market)
        for owner in owners or (self.refitting,):
            await owner.settled()
        await self.worker.settled()
        made = [message for message in self.sent.messages if isinstance(message, Costs)]
        for message in made[len(self.costs) :]:
            self.costs.append(recorded(message, len(self.costs)))
            self.worker.on_costs(self.costs[-1])


@pytest.fixture
def world() -> World:
    return World()


async def test_fills_lead_to_a_record_and_the_next_signal_cites_it_and_stands_on_it(world: World) -> None:
    world.worker.portfolios.put(held())
    world.fills = [fill(n, "0.003") for n in range(100)]
    await world.frame(frame(1, full=True))
    world.worker.portfolios.put(held(version=2, offset=1))
    await world.frame(frame(2))
    world.worker.portfolios.put(held(version=3, offset=2))
    await world.frame(frame(3, full=True))
    assert [signal.costs_offset for signal in world.sent.signals] == [-1, -1, 0]
    before, _, after = ({term.asset: term.cost for term in signal.terms} for signal in world.sent.signals)
    assert after["BTC"] - before["BTC"] == world.costs[0].message.fees[0].fee - D("0.001") > D("0.0015")
    assert after["ETH"] == before["ETH"]
    assert len({signal.signal_id for signal in world.sent.signals}) == 3


async def test_a_decision_can_be_worked_out_again_from_what_it_cites(world: World) -> None:
    world.worker.portfolios.put(held())
    world.fills = [fill(n, "0.003") for n in range(100)]
    frames = [frame(1, full=True), frame(2, full=True), frame(3)]
    await world.frame(frames[0])
    world.worker.portfolios.put(held(version=2, offset=1))
    await world.frame(frames[1])
    world.worker.on_costs(recorded(replace(world.costs[0].message, sequence=7), 5))
    world.worker.portfolios.put(held(version=3, offset=2))
    await world.frame(frames[2])
    for version, signal in enumerate(world.sent.signals, 1):
        cited = {-1: None, 0: world.costs[0]}[signal.costs_offset]
        feed = Feed()
        for record in frames[: signal.frame_offset]:
            feed = feed.advance(record.message, record.offset, cited)
        risk = world.worker.deciding.risks["USDT"]
        state = held(version=version).message
        portfolio = world.worker.portfolios.parse(state.document, 1)
        assert decide(feed.market, risk, state, portfolio, world.worker.settings) == signal
    assert len(world.sent.signals) == 3


async def test_fills_are_looked_at_once_a_minute_from_where_the_record_ends(world: World) -> None:
    world.fills = [fill(1)]
    for number, seconds in enumerate((0, 1, MINUTE - 0.001, MINUTE, 3 * MINUTE), 1):
        await world.frame(frame(number, seconds=seconds, full=True))
    assert world.asked == [(), (1,), (1,)]
    world.fills.append(fill(2))
    await world.frame(frame(6, seconds=5 * MINUTE, full=True))
    assert [record.message.fills_offsets for record in world.costs] == [(1,), (2,)]


async def test_of_two_owners_one_counts_and_both_go_on_from_it(world: World) -> None:
    world.fills = [fill(n) for n in range(5)]
    mine, other = world.owner(), world.owner()
    await world.frame(frame(1, full=True), mine, other)
    world.fills += [fill(n) for n in range(5, 8)]
    await world.frame(frame(2, seconds=MINUTE, full=True), mine, other)
    assert [record.message.sequence for record in world.costs] == [0, 0, 1, 1]
    assert [record.message.previous_offset for record in world.costs] == [-1, -1, 0, 0]
    assert world.worker.latest_costs() == world.costs[2]
    assert world.costs[2].message.fees[0].fills > D("7.99")


async def test_a_worker_that_starts_goes_on_from_the_last_record(world: World) -> None:
    world.fills = [fill(n) for n in range(5)]
    await world.frame(frame(1, full=True))
    world.fills += [fill(n) for n in range(5, 8)]
    await world.frame(frame(2, seconds=1, full=True), world.owner())
    assert world.asked == [(), (5,)]
    found = refit(world.stated.market, stretch(world.fills[5:], end=8), signalled(), world.costs[0], COEFFICIENT)
    assert world.costs[1].message == found


async def test_frames_that_are_only_caught_up_on_bring_nothing(world: World) -> None:
    world.fills = [fill(1)]
    await world.frame(frame(5, full=True))
    late = World()
    late.worker.on_costs(world.costs[0])
    late.fills = [fill(1), fill(2)]
    await late.frame(frame(4, full=True))
    assert late.asked == []


async def test_fills_that_cannot_be_read_are_read_a_minute_later(world: World) -> None:
    world.fills, world.broken = [fill(1)], True
    await world.frame(frame(1, full=True))
    world.broken = False
    await world.frame(frame(2, seconds=MINUTE, full=True))
    assert len(world.costs) == 1


async def test_an_incomplete_market_is_not_looked_at(world: World) -> None:
    world.fills = [fill(1)]
    world.refitting.look(replace(world.stated.market, complete=False))
    await world.refitting.settled()
    assert world.asked == []


async def test_own_orders_past_the_depth_move_the_coefficient_from_the_next_full_frame_on(world: World) -> None:
    order = trade()
    world.fills = [fill(1)]
    await world.frame(frame(1, full=True))
    world.signals.append(signal_of(order))
    world.fills.append(taken(order, D("1.5"), number=2))
    await world.frame(frame(2, seconds=MINUTE, full=True))
    await world.frame(frame(3, seconds=2 * MINUTE, full=True))
    assert [len(record.message.pending) for record in world.costs] == [0, 1, 0]
    assert world.worker.deciding.feed.market.impact_coefficient == COEFFICIENT
    await world.frame(frame(4, seconds=2 * MINUTE + 1))
    assert world.worker.deciding.feed.market.impact_coefficient == COEFFICIENT
    await world.frame(frame(5, seconds=2 * MINUTE + 2, full=True))
    learnt = world.costs[2].message.impact_coefficient
    assert world.worker.deciding.feed.market.impact_coefficient == learnt > COEFFICIENT
    await world.frame(frame(6, seconds=4 * MINUTE, full=True))
    assert len(world.costs) == 3


def test_every_record_follows_from_the_one_before_and_the_topics() -> None:
    """However they were read: what stands in the first two records of a topic may come in one."""
    order = trade()
    halves = [taken(order, D(2), D("0.5"), number) for number in (1, 2)]
    first = recorded(learn(at(LIFETIME_US), [signal_of(order)], halves[:1]))
    second = learn(at(), [], halves[1:], first, ends=(2, 1))
    at_once = learn(at(), [signal_of(order)], halves)
    assert replace(second, event_id="", sequence=0, previous_offset=0) == replace(
        at_once, event_id="", sequence=0, previous_offset=0, fees=second.fees
    )


@pytest.mark.parametrize("policy", [NoTradeRegion(), CostAdjusted(absolute=D("0.01"))], ids=["region", "cost_adjusted"])
def test_decisions_reckon_with_the_coefficient_of_the_market_and_without_one_with_the_setting(policy: Policy) -> None:
    shallow = market(quotes=[quote(instrument("BTC"), PRICES["BTC"], depth=D("0.001"))])
    held = state(weights_to_positions({"BTC": D("0.75"), "ETH": D("0.15")}))

    def found(coefficient: str | None, setting: str) -> Signal:
        brought = replace(shallow, impact_coefficient=D(coefficient) if coefficient else None)
        settings = SETTINGS.model_copy(update={"impact_coefficient": D(setting)})
        decision = decide(brought, risk(), held, portfolio(policy=policy), settings)
        assert isinstance(decision, Signal)
        return decision

    low, middle, high = (found(coefficient, "0.9") for coefficient in ("0.5", "0.6", "0.7"))
    costs = [next(term.cost for term in each.terms if term.asset == "BTC") for each in (low, middle, high)]
    assert costs[0] < costs[1] < costs[2]
    assert costs[2] - costs[1] == pytest.approx(costs[1] - costs[0], abs=D("1e-17"))
    assert found(None, "0.6") == middle
    (order,) = (order for order in middle.trades if order.base == "BTC")
    assert order.depth == D("0.01") < order.quantity
    assert order.depth_worst < order.depth_vwap < order.decision_price
    (deep,) = (order for order in middle.trades if order.base == "ETH")
    assert deep.depth == deep.depth_vwap == deep.depth_worst == 0


async def test_the_parameters_in_use_are_told(world: World) -> None:
    world.fills = [fill(n, "0.003") for n in range(20)]
    await world.frame(frame(1, full=True))
    market = Feed().advance(frame(2, full=True).message, 2, world.costs[0]).market
    state = held().message
    portfolio = world.worker.portfolios.parse(state.document, 1)
    decision = decide(market, world.worker.deciding.risks["USDT"], state, portfolio, world.worker.settings)
    rows = list(explain_costs(market, world.costs[0], {"BTC", "ETH"}, "USDT", world.worker.settings))
    told = {row.term: (row.value, row.unit) for row in rows}
    assert told["costs"] == ("0", "offset")
    assert told["Y"] == ("0.7", "")
    assert told["binance:BTC/USDT fee"] == told["binance:BTC/USDT taker"] == ("0.002", "of the trade")
    assert told["binance:ETH/USDT fee"] == ("0.001", "of the trade")
    assert "binance:SOL/USDT fee" not in told
    assert all(row.meaning for row in rows)
    assert not {row.term for row in rows} & {row.term for row in explain(decision, portfolio, None)}


def test_without_costs_the_stated_fees_are_told() -> None:
    market = Feed().advance(frame(2, full=True).message, 2).market
    worker, _, _ = watch()
    told = {row.term: row.value for row in explain_costs(market, None, {"BTC"}, "USDT", worker.settings)}
    assert told == {"costs": "-1", "Y": "0.7", "binance:BTC/USDT fee": "0.001"}
