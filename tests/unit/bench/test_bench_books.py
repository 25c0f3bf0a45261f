"""The benchmark beside nautilus_trader: our side trades as the rule says, on every update of both books."""

from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import numpy as np

from trimtab.backtest.tape import Tape
from trimtab.bench import books
from trimtab.exchange.instruments import listed
from trimtab.exchange.market import DepthUpdate, Snapshot

SYMBOLS = {"BTCUSDT": Decimal(60_000), "ETHUSDT": Decimal(2_500)}
START_US = 1_700_000_000_000_000


class Listed:
    """A market that only says what is listed: its updates are given to the benchmark directly."""

    def __init__(self) -> None:
        self.instruments = {symbol: rules for symbol in SYMBOLS if (rules := listed(symbol)) is not None}

    def events(self) -> list[Snapshot]:
        return []


def book(symbol: str, number: int, mid: Decimal) -> Snapshot:
    size = Decimal(50)
    bids, asks = ((mid - 1, size), (mid - 2, size)), ((mid + 1, size), (mid + 2, size))
    return Snapshot(symbol, START_US + number * 100_000, number, bids, asks)


def moved(symbol: str, number: int, before: Decimal, mid: Decimal) -> DepthUpdate:
    """Take the levels of the book around `before` away and put those around `mid` there."""
    old, new = book(symbol, number, before), book(symbol, number, mid)
    bids, asks = (
        tuple({**{price: Decimal(0) for price, _ in gone}, **dict(come)}.items())
        for gone, come in ((old.bids, new.bids), (old.asks, new.asks))
    )
    return DepthUpdate(symbol, new.time_us, new.time_us, number, number, bids, asks)


def walk(count: int) -> books.Recording:
    rng, mids = np.random.default_rng(3), dict(SYMBOLS)
    updates: list[books.Update] = [book(symbol, number, mid) for number, (symbol, mid) in enumerate(mids.items(), 1)]
    for number in range(3, count + 3):
        symbol = list(SYMBOLS)[number % 2]
        before = mids[symbol]
        mids[symbol] = round(before * Decimal(1 + 0.0005 * float(rng.standard_normal())), 0)
        updates.append(moved(symbol, number, before, mids[symbol]))
    market = Listed()
    tape = Tape(market, updates[-1].time_us, books._PACE, None)  # type: ignore[arg-type]  # nothing is asked of it
    return books.Recording.of(tape, tuple(updates))


def test_it_hears_of_every_update_and_rebalances_when_a_weight_is_off() -> None:
    recording = walk(300)
    found = books.ours(recording)
    assert found.updates == 302
    # Whole steps, never past a target: a weight may be off by its bound at another update than in floats.
    assert abs(found.rebalances - rebalances(recording)) <= 2
    assert found.rebalances > 100


def rebalances(recording: books.Recording) -> int:
    """Count by the rule itself, in floats, what is traded at the touch."""
    held = {asset: float(amount) for asset, amount in recording.start.items()}
    mids, found = dict[str, float](), 0
    for update in recording.updates:
        bid, ask = max(price for price, size in update.bids if size), min(price for price, size in update.asks if size)
        mids[update.symbol[:3]] = float(bid + ask) / 2
        if len(mids) < 2:
            continue
        equity = held["USDT"] + sum(held[asset] * mid for asset, mid in mids.items())
        drifts = {asset: held[asset] * mid / equity - float(books.TARGETS[asset]) for asset, mid in mids.items()}
        if max(*map(abs, drifts.values()), abs(sum(drifts.values()))) < float(books.BOUND):
            continue
        found += 1
        for asset, drift in drifts.items():
            units = drift * equity / mids[asset]
            held[asset] -= units
            held["USDT"] += units * (mids[asset] - (1 if drift > 0 else -1))
    return found


def test_what_is_held_is_worth_what_the_last_books_say() -> None:
    recording = walk(10)
    last = {asset: Decimal(str(mid)) for asset, mid in recording.mids.items()}
    held = replace(recording, start={}).equity({"BTC": Decimal(2), "USDT": Decimal(7)})
    assert held == float(2 * last["BTC"] + 7)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    found = books.measure(tmp_path / "nothing")
    assert [(row.value, row.met) for row in found.rows] == [(None, False)]
    assert "nautilus_trader" in found.notes[0] or "not there" in found.notes[0]
