"""Recorded history under another policy: what both worlds begin with, what arrives in them, and what they come to."""

import math
from decimal import Decimal
from itertools import accumulate

import pytest
from recorded_lives import Life, ask, document, risk, threshold

from frame_tapes import SECOND_US, Writer
from recorded_topics import Topics
from trimtab.domain.errors import InvalidValueError
from trimtab.domain.orders import Side
from trimtab.whatif.differences import sent
from trimtab.whatif.errors import UnanswerableError
from trimtab.whatif.result import bill
from trimtab.whatif.result import document as result_of

D = Decimal
REGION = document(policy={"kind": "no_trade_region"})


@pytest.fixture
def topics() -> Topics:
    return Topics()


@pytest.fixture
def writer(topics: Topics) -> Writer:
    return Writer(topics.keep, "BTC")


def rising(writer: Writer, *mids: int) -> None:
    for mid in mids:
        writer.wait(10)
        writer.prices(BTC=mid)


def test_both_begin_with_what_was_held_and_only_the_other_policy_trades(topics: Topics, writer: Writer) -> None:
    life = Life(writer)
    life.has(BTC="100", USDT="100000")
    rising(writer, 100_000, 100_000, 150_000, 150_000, 150_000)

    found = ask(topics, threshold("0.05"))

    assert found.engine.holdings == {"BTC": D(100), "USDT": D(100_000)}
    assert found.recorded.holdings == found.engine.holdings
    assert found.engine.score.final_equity == found.recorded.score.final_equity == 250_000
    # A hundred BTC are 60 % of it once they have risen by a half: ten points, less the tolerance, are sold.
    assert 80 < found.other.holdings["BTC"] < 100
    (only,) = sent(found.other.diary)
    assert (only.trades.keys(), only.reason) == ({("BTC/USDT", Side.SELL)}, "threshold_reached")
    said = result_of(found, 60 * SECOND_US)
    counts = {name: each for name, each in said["comparisons"]["other"].items() if name != "differences"}
    assert counts == {"against": "engine", "same": 0, "otherwise": 0, "only_one": 0, "only_other": 1}
    assert said["comparisons"]["engine"]["differences"] == []
    (row,) = said["comparisons"]["other"]["differences"]
    assert (row["one"], row["other"]["signal_id"]) == (None, only.signal_id)
    assert said["bill"]["difference"]["fees"] == bill(found, found.other)["fees"] > 0
    lost = said["bill"]["engine"]["final_equity"] - said["bill"]["other"]["final_equity"]
    paid = sum(said["bill"]["other"][name] for name in ("fees", "spread_cost", "impact_cost", "delay_cost"))
    assert lost == pytest.approx(paid, rel=1e-6)


def test_what_comes_from_outside_and_goes_there_does_so_in_both_worlds_at_its_time(
    topics: Topics, writer: Writer
) -> None:
    life = Life(writer)
    life.has(BTC="100", USDT="100000")
    rising(writer, 100_000, 100_000)
    life.has(USDT="150000")
    rising(writer, 100_000, 100_000)
    arrived_us = writer.now_us
    life.has("withdrawal", BTC="90")
    rising(writer, 100_000, 100_000)

    found = ask(topics, threshold("0.9"))

    assert found.engine.holdings == found.other.holdings == {"BTC": D(90), "USDT": D(150_000)}
    for side in (found.recorded, found.engine, found.other):
        equities = dict(zip(side.score.times_us, side.score.equities, strict=True))
        assert equities[arrived_us - 10 * SECOND_US] == 250_000
        assert side.score.final_equity == 240_000
    assert [funds for _, funds in found.life.transfers()] == [{"USDT": D(50_000)}, {"BTC": D(-10)}]


def test_what_is_not_there_to_go_out_goes_out_when_it_is_and_is_owed_until_then(topics: Topics, writer: Writer) -> None:
    """The other policy has bought BTC for the dollars that were really taken out."""
    life = Life(writer)
    life.has(BTC="100", USDT="100000")
    rising(writer, 100_000, 100_000, 50_000, 50_000, 50_000)
    life.has("withdrawal", USDT="1000")
    rising(writer, 50_000)
    poor = ask(topics, threshold("0.05"))
    life.has(USDT="90000")
    rising(writer, 50_000)

    rich = ask(topics, threshold("0.05"))

    assert poor.engine.holdings["USDT"] == 1_000
    owed = poor.owed["other"]["USDT"]
    assert poor.owed == {"other": {"USDT": owed}}
    assert 10_000 < owed < 50_000
    assert rich.owed == {}
    assert rich.other.score.final_equity == pytest.approx(rich.engine.score.final_equity, rel=0.001)


@pytest.mark.filterwarnings("error")
def test_who_takes_everything_out_has_nothing_that_drifts_until_there_is_something_again(
    topics: Topics, writer: Writer
) -> None:
    life = Life(writer)
    life.has(BTC="100", USDT="100000")
    rising(writer, 100_000, 100_000)
    life.has("withdrawal", BTC="0", USDT="0")
    rising(writer, 100_000, 110_000, 120_000)
    gone = ask(topics, threshold("0.05"))
    life.has(BTC="90", USDT="10000")
    rising(writer, 120_000, 120_000, 120_000)

    back = ask(topics, threshold("0.05"))

    for side in (gone.recorded, gone.engine, gone.other):
        said = bill(gone, side)
        assert (said["final_equity"], said["total_bp"], said["turnover"]) == (0, 0, 0)
    said = result_of(back, 60 * SECOND_US)["bill"]
    assert (said["engine"]["trading_bp"], said["engine"]["final_equity"]) == (0, 118_000)
    assert said["other"]["fees"] > 0
    assert 0 < said["other"]["trading_bp"] < math.inf


@pytest.mark.filterwarnings("error")
def test_what_has_no_price_here_is_worth_nothing_here(topics: Topics, writer: Writer) -> None:
    life = Life(writer)
    life.has(XYZ="7")
    rising(writer, 100_000, 100_000)
    late = ask(topics, document())
    life.has(USDT="1000")
    rising(writer, 100_000, 100_000)

    found = ask(topics, document())

    assert (bill(late, late.engine)["turnover"], found.left_out) == (0, {"XYZ": D(7)})
    assert [bill(found, each)["final_equity"] for each in (found.recorded, found.engine)] == [1_000, 1_000]


def test_lots_are_of_what_each_side_really_had(topics: Topics, writer: Writer) -> None:
    """The other policy has sold some of the BTC that are taken out; what it buys goes out first, without a lot."""
    life = Life(writer)
    life.has(BTC="100", USDT="100000")
    rising(writer, 100_000, 100_000, 150_000, 150_000)
    life.has("withdrawal", BTC="0")
    rising(writer, 150_000, 150_000, 150_000, 150_000)
    life.has(BTC="1", USDT="110000")
    rising(writer, 150_000, 250_000, 250_000)

    found = ask(topics, threshold("0.05"))

    assert sum(deal.filled for deal in found.other.diary.deals.values() if deal.trade.side is Side.BUY) > 16
    for side in (found.recorded, found.engine, found.other):
        moves = [(each.time_us, each.amount) for each in found.arrivals[side.name] if each.asset == "BTC"]
        moves += [(fill.event_time_us, fill.quantity * fill.side.sign) for fill, _ in side.diary.fills]
        moves += [(fill.event_time_us, -fill.fee) for fill, _ in side.diary.fills if fill.fee_asset == "BTC"]
        held = list(accumulate(amount for _, amount in sorted(moves, key=lambda move: move[0])))
        assert (min(held) >= 0, held[-1]) == (True, side.holdings.get("BTC", 0)), side.name


def test_a_document_that_was_applied_meanwhile_counts_for_the_recorded_policy_alone(
    topics: Topics, writer: Writer
) -> None:
    life = Life(writer)
    life.has(BTC="100", USDT="100000")
    rising(writer, 150_000, 150_000)
    life.apply(threshold("0.05"))
    rising(writer, 150_000, 150_000)

    found = ask(topics, document())

    (decided,) = sent(found.engine.diary)
    assert decided.time_us > writer.now_us - 20 * SECOND_US
    assert found.other.bill.signals == 0
    versions = [each["version"] for each in result_of(found, SECOND_US)["documents"]]
    assert versions == [1, 2]


def test_nobody_trades_while_it_was_halted(topics: Topics, writer: Writer) -> None:
    life = Life(writer)
    life.halted = True
    life.has(BTC="100", USDT="100000")
    rising(writer, 150_000, 150_000)
    resumed_us = writer.now_us
    life.halt(halted=False)
    rising(writer, 150_000, 150_000)
    life.halt(halted=True)
    rising(writer, 250_000, 250_000)

    found = ask(topics, threshold("0.05"))

    (decided,) = sent(found.other.diary)
    assert resumed_us < decided.time_us <= resumed_us + 10 * SECOND_US


def test_worlds_decide_with_the_recorded_estimates(topics: Topics, writer: Writer) -> None:
    life = Life(writer)
    life.has(BTC="100", USDT="100000")
    rising(writer, 200_000, 200_000)
    none = ask(topics, REGION)
    risk(writer)
    known_us = writer.now_us
    rising(writer, 200_000, 200_000)

    some = ask(topics, REGION)

    assert none.other.bill.signals == 0
    assert sent(some.other.diary)[0].time_us > known_us


def test_a_portfolio_that_came_later_begins_with_all_that_its_owner_brought_at_first(
    topics: Topics, writer: Writer
) -> None:
    rising(writer, 100_000, 100_000)
    life = Life(writer)
    life.has("version 1 applied")
    life.has(BTC="100")
    life.has(USDT="100000")
    rising(writer, 100_000, 100_000)

    found = ask(topics, document())

    assert (found.life.first, found.market.start_us) == (2, writer.now_us - 10 * SECOND_US)
    assert found.engine.score.start_equity == 200_000
    assert not list(found.life.transfers())


def test_a_span_begins_with_what_was_held_then(topics: Topics, writer: Writer) -> None:
    life = Life(writer)
    life.has(BTC="100", USDT="100000")
    rising(writer, 100_000)
    life.has(USDT="150000")
    rising(writer, 100_000, 100_000)

    found = ask(topics, document(), begin=(1, None))

    assert found.engine.score.start_equity == 250_000
    assert not list(found.life.transfers())


def test_what_never_has_a_book_is_left_out_unless_a_policy_wants_it(topics: Topics) -> None:
    writer = Writer(topics.keep, "BTC", "BNB")
    Life(writer).has(BTC="100", USDT="100000", BNB="3")
    rising(writer, 100_000, 100_000, 150_000, 150_000)

    found = ask(topics, threshold("0.05"))

    assert (found.left_out, found.other.bill.signals) == ({"BNB": D(3)}, 1)
    with pytest.raises(InvalidValueError, match=r"targets\.BNB: found 'BNB/USDT'; allowed: what is on the tape: BTC"):
        ask(topics, document(targets={"BTC": "0.5", "BNB": "0.1", "USDT": "0.4"}))


def test_all_three_begin_when_everything_that_is_held_has_a_book(topics: Topics) -> None:
    writer = Writer(topics.keep, "BTC", "ETH")
    life = Life(writer)
    life.has(BTC="100", USDT="100000", ETH="1")
    rising(writer, 100_000)
    life.signal("3", "1000")
    rising(writer, 100_000)
    life.has(USDT="150000")
    for _ in range(3):
        writer.wait(10)
        writer.prices(BTC=150_000, ETH=5_000)

    found = ask(topics, document())

    span = result_of(found, SECOND_US)["span"]
    assert (span["first_frame"], found.life.first, found.recorded.bill.signals) == (2, 2, 0)
    sides = found.recorded, found.engine, found.other
    assert [side.score.start_equity for side in sides] == [300_050, 300_050, 300_050]
    assert {side.score.times_us[0] for side in sides} == {found.market.start_us}
    assert not list(found.life.transfers())


def test_what_cannot_be_answered_gets_one_line(topics: Topics, writer: Writer) -> None:
    cash = document("cash", targets={"USDT": "1"})
    Life(writer, name="empty").has()
    Life(writer, name="two", venue="coinbase").has(BTC="1")
    Life(writer, name="abroad", venue="kraken").has(BTC="1")
    Life(writer, cash, name="cash").has(USDT="1")
    life = Life(writer)
    life.has(BTC="100", USDT="100000")
    rising(writer, 100_000, 100_000)
    two = Life(writer, name="two")
    two.ledger_version = 1
    two.has(BTC="2")
    life.ledger_version += 2
    life.has(USDT="5")
    rising(writer, 100_000)
    for name, line in (
        ("cora", "portfolio cora: not recorded; recorded: abroad, cash, core, empty, two"),
        ("empty", "portfolio empty: it had nothing on frames 0 to 2; needed: a span in which it has"),
        ("abroad", "portfolio abroad: it has its funds at kraken, frames are of binance; needed: frames of the same"),
        ("two", "portfolio two: it had funds at binance, coinbase; needed: at one venue"),
        ("core", "no state of ledger versions 2 to 3, compacted away; needed: a span that begins later"),
    ):
        with pytest.raises(UnanswerableError, match=line):
            ask(topics, document(), name)
    with pytest.raises(UnanswerableError, match="portfolio cash: nothing but USDT is held or wanted; needed:"):
        ask(topics, cash, "cash")
    with pytest.raises(
        InvalidValueError, match=r"targets\.ETH: found 'ETH/USDT'; allowed: what is on the tape: BTC/USDT"
    ):
        ask(topics, document(targets={"BTC": "0.5", "ETH": "0.5"}), begin=(2, None))
    with pytest.raises(InvalidValueError, match="core: quote: found 'BTC'; allowed: USDT, as core is recorded"):
        ask(topics, document(quote="BTC", targets={"BTC": "1"}), begin=(2, None))
