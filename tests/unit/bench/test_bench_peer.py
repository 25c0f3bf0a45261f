"""The benchmark beside bt: the screen along time misses no candle at which the exact decision trades."""

from decimal import Decimal
from pathlib import Path

import numpy as np
import pytest

from trimtab.bench import peer
from trimtab.bench.value.candles import ASSETS, CANDLE_SECONDS, Candles
from trimtab.drift.decision import judge, prepare
from trimtab.messages import Signal

BOUND = Decimal("0.1")


def walk(candles: int) -> Candles:
    rng = np.random.default_rng(5)
    closes = np.round(100 * np.exp(np.cumsum(rng.standard_normal((candles, len(ASSETS))) * 0.01, axis=0)), 2)
    return Candles(closes, tuple((i + 1) * CANDLE_SECONDS * 1_000_000 for i in range(candles)))


def test_it_trades_where_the_exact_decision_does_at_every_candle(monkeypatch: pytest.MonkeyPatch) -> None:
    candles = walk(400)
    screened = peer.ours(candles, BOUND)
    monkeypatch.setattr(peer, "_unsure", lambda *given: given[-1])  # every candle in decimals
    assert screened == peer.ours(candles, BOUND)
    assert len(screened.traded) > 3


def test_a_trade_brings_every_asset_back_to_its_target() -> None:
    candles = walk(400)
    place = peer.ours(candles, BOUND).traded[1]
    start = {
        asset: peer._whole(peer._WEIGHT * peer._EQUITY / peer._price(candles, 0, i)) for i, asset in enumerate(ASSETS)
    }
    held = {**start, "USDT": peer._CASH * peer._EQUITY}
    subject = prepare(None, peer._state(held), peer._portfolio(BOUND), peer._SETTINGS)
    decision = judge(peer._market(candles, place, peer._rules()), subject, explain=False)
    assert isinstance(decision, Signal)
    assert {trade.base for trade in decision.trades} == set(ASSETS)


def test_what_is_missing_is_said(tmp_path: Path) -> None:
    found = peer.measure(tmp_path)
    assert [(row.value, row.met) for row in found.rows] == [(None, False)] * 2
    assert "which is not there" in found.notes[0]
