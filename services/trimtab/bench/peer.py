"""One threshold portfolio through real candles: this screen and exact decision against bt, a backtesting library.

Both start on target at the first close, look at every close, and bring everything back to its target when a weight is
off by a part of its target; nobody pays a fee. bt looks at each asset, ours at cash too, of which there is so much that
an asset always comes first. Times are of the processor, as both use one.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from importlib import metadata
from pathlib import Path

import numpy as np

from trimtab.bench.row import Against, Row
from trimtab.bench.value.book import Floats
from trimtab.bench.value.candles import ASSETS, Candles, CandlesError
from trimtab.bench.value.measure import Findings
from trimtab.bench.value.region import QUOTE, quoted
from trimtab.demo.measures import percentile
from trimtab.domain.amounts import ZERO
from trimtab.domain.instruments import Instrument
from trimtab.domain.market import Level, Market, Quote
from trimtab.domain.portfolio import Limits, Portfolio, Threshold
from trimtab.drift.batch import Batch, Prices
from trimtab.drift.decision import judge, prepare
from trimtab.messages import PortfolioState, Position, Signal
from trimtab.settings import DriftSettings

GOAL = 0.02  # of bt's time
_UNIT = "us a candle"
_BOUNDS = (Decimal("0.1"), Decimal("0.25"))  # of the target weight
_CASH, _EQUITY = Decimal("0.5"), Decimal(1_000_000)
_WEIGHT = (1 - _CASH) / len(ASSETS)
_STEP, _THIN, _DEPTH = Decimal("1e-8"), Decimal("1e-9"), Decimal(10**12)
_BLOCK = 1_024  # candles screened at once
_ROUNDS = 3
_SETTINGS = DriftSettings()
_ONES = np.ones(len(ASSETS))
_HERE = Prices(_ONES, _ONES, np.zeros(len(ASSETS), dtype=np.int8), _ONES.astype(bool))  # values are in cash already


class PeerError(CandlesError):
    """The library to compare with is not there."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """At which candles a portfolio was traded, and what it is worth after the last one (quote currency)."""

    traded: tuple[int, ...]
    equity: float


def measure(folder: Path) -> Findings:
    """Return the rows; without bt or candles theirs have no value, and a note says what is missing."""
    try:
        candles, version = Candles.read(folder), _version()
    except CandlesError as error:
        return Findings([Row(_name(bound), None, _UNIT, goal=GOAL) for bound in _BOUNDS], [str(error)])
    return Findings([row for bound in _BOUNDS for row in _rows(candles, bound, f"bt {version}")], [])


def ours(candles: Candles, bound: Decimal) -> Outcome:
    """Return what the product's threshold does: floats find the candles to look at, decimals decide there."""
    held = {asset: _whole(_WEIGHT * _EQUITY / _price(candles, 0, row)) for row, asset in enumerate(ASSETS)}
    held[QUOTE] = _EQUITY - sum((held[asset] * _price(candles, 0, row) for row, asset in enumerate(ASSETS)), ZERO)
    traded, place, portfolio, batch, rules = [0], 1, _portfolio(bound), _batch(bound), _rules()
    closes = np.ascontiguousarray(candles.closes.T)
    while (place := _unsure(batch, closes, held, place)) < len(candles.ends_us):
        market = _market(candles, place, rules)
        decision = judge(market, prepare(None, _state(held), portfolio, _SETTINGS), explain=False)
        if isinstance(decision, Signal):
            traded.append(place)
            for trade in decision.trades:
                held[trade.base] += trade.quantity * trade.side.sign
                held[trade.quote] -= trade.quantity * trade.side.sign * trade.decision_price
        place += 1
    last = len(candles.ends_us) - 1
    worth = (held[asset] * _price(candles, last, row) for row, asset in enumerate(ASSETS))
    return Outcome(tuple(traded), float(sum(worth, held[QUOTE])))


def theirs(candles: Candles, bound: Decimal) -> Outcome:
    """Return what bt does."""
    import bt  # noqa: PLC0415 - only this benchmark needs it
    import pandas as pd  # noqa: PLC0415 - as bt

    index = pd.to_datetime(list(candles.ends_us), unit="us")
    closes = pd.DataFrame(candles.closes, index=index, columns=list(ASSETS))
    rule = bt.algos.Or([bt.algos.RunOnce(), bt.algos.RunIfOutOfBounds(float(bound))])
    weights = bt.algos.WeighSpecified(**dict.fromkeys(ASSETS, float(_WEIGHT)))
    strategy = bt.Strategy("threshold", [weights, rule, bt.algos.Rebalance()])
    run = bt.Backtest(strategy, closes, initial_capital=float(_EQUITY), integer_positions=False, progress_bar=False)
    run.run()
    dates = run.strategy.get_transactions().index.get_level_values(0).unique()
    return Outcome(tuple(map(int, index.get_indexer(dates))), float(run.strategy.value))


def _version() -> str:
    try:
        return metadata.version("bt")
    except metadata.PackageNotFoundError:
        raise PeerError("threshold on candles: needs the package bt (pip install 'trimtab[peers]')") from None


def _name(bound: Decimal) -> str:
    return f"peer.threshold_{bound * 100:.0f}_percent"


def _rows(candles: Candles, bound: Decimal, peer: str) -> list[Row]:
    runs = [(_timed(ours, candles, bound), _timed(theirs, candles, bound)) for _ in range(_ROUNDS)]
    (mine, _), (other, _) = runs[0]
    least, most = (percentile([run[which][1] for run in runs], 0.5) or 0.0 for which in (0, 1))
    a_candle, name = 1e6 / len(candles.ends_us), _name(bound)
    return [
        Row(name, least * a_candle, _UNIT, Against(peer, most * a_candle), GOAL),
        Row(f"{name}.rebalances", len(mine.traded), "", Against(f"by {peer}", len(other.traded))),
        Row(f"{name}.elsewhere", len({*mine.traded} ^ {*other.traded}), "rebalances", goal=0.0),
        Row(f"{name}.equity", mine.equity, QUOTE, Against(f"by {peer}", other.equity)),
    ]


def _timed(run: Callable[[Candles, Decimal], Outcome], candles: Candles, bound: Decimal) -> tuple[Outcome, float]:
    began = time.process_time()
    return run(candles, bound), time.process_time() - began


def _unsure(batch: Batch, closes: Floats, held: Mapping[str, Decimal], start: int) -> int:
    """Return the first candle from `start` on at which the screen is not sure of a hold; the number of all if none.

    `closes` has a column a candle, and so has the batch: as if each were a portfolio.
    """
    quantities = np.array([[float(held[asset])] for asset in ASSETS])
    batch.cash[:] = float(held[QUOTE])
    count = int(closes.shape[1])
    while start < count:
        part = closes[:, start : start + _BLOCK]
        batch.count = part.shape[1]
        np.multiply(part, quantities, out=batch.quantities[:, : batch.count])
        found = np.flatnonzero(~batch.look(_HERE).clear)
        if found.size:
            return start + int(found[0])
        start += _BLOCK
    return count


def _batch(bound: Decimal) -> Batch:
    """Return room for as many candles as are screened at once."""
    batch = Batch(ASSETS, _BLOCK)
    batch.targets[:], batch.cash_target[:] = float(_WEIGHT), float(_CASH)
    batch.deviation[:], batch.cash_deviation[:] = float(bound * _WEIGHT), float(bound * _CASH)
    return batch


def _portfolio(bound: Decimal) -> Portfolio:
    targets = {**dict.fromkeys(ASSETS, _WEIGHT), QUOTE: _CASH}
    limits = Limits(min_trade=ZERO, max_trade_share=Decimal(1))
    return Portfolio("peer", QUOTE, tuple(sorted(targets.items())), ("main",), Threshold(relative=bound), limits)


def _rules() -> tuple[Instrument, ...]:
    """Return what is traded: to the eighth decimal, in any size, without a fee."""
    bare = (quoted(asset).instrument for asset in ASSETS)
    return tuple(replace(rules, tick=_STEP, step=_STEP, min_quantity=_STEP, taker_fee=ZERO) for rules in bare)


def _market(candles: Candles, place: int, rules: Sequence[Instrument]) -> Market:
    quotes = {}
    for row, instrument in enumerate(rules):
        price = _price(candles, place, row)
        half = price * _THIN
        bids, asks = (Level(price - half, _DEPTH),), (Level(price + half, _DEPTH),)
        quotes[instrument.key] = Quote(instrument, candles.ends_us[place], bids, asks)
    instruments = {instrument.key: instrument for instrument in rules}
    return Market(place, candles.ends_us[place], complete=True, instruments=instruments, quotes=quotes)


def _state(held: Mapping[str, Decimal]) -> PortfolioState:
    positions = tuple(Position("main", "value", asset, held[asset], ZERO) for asset in sorted(held))
    return PortfolioState("peer", "peer", 1, 0, 1, "{}", False, "", 0, positions, (), ())  # noqa: FBT003 - a record


def _price(candles: Candles, place: int, row: int) -> Decimal:
    return Decimal(repr(float(candles.closes[place, row])))  # the printed price


def _whole(quantity: Decimal) -> Decimal:
    return quantity.quantize(_STEP)
