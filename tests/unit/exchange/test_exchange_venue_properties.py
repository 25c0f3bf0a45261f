"""A whole venue under arbitrary requests on a moving market: its journal explains every balance, and is the same again.

The market, orders by request and by hand, transfers, dust and redenominations go through the venue as they do in the
process; the clock is stepped by hand. (test_exchange_engine_properties.py has who trades with whom, and at what price.)
"""

import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from stepped_venue import ASSETS, NAMES, RATIOS, SYMBOLS, Asked, SteppedVenue, trade_at_random

from trimtab.exchange.accounts import FEES
from trimtab.exchange.binance import Binance
from trimtab.exchange.book import ZERO
from trimtab.exchange.coinbase.dialect import Coinbase
from trimtab.exchange.dialect import Dialect
from trimtab.exchange.instruments import PREVENTIONS, Prevention
from trimtab.exchange.journal import JournalContents, read_journal
from trimtab.exchange.liquidity import Side
from trimtab.exchange.orders import Order, OrderType, TimeInForce

D = Decimal
names = st.sampled_from(NAMES)
offs = st.one_of(st.just(0), st.integers(-60, 60))  # at the mid price accounts meet one another, and themselves
Holdings = dict[str, defaultdict[str, Decimal]]


def needed(order: Order, dearer: Decimal) -> Decimal:
    """What an open order has to hold: what is left of it, in the asset that it pays with; of a buy, with its fee."""
    left = order.quantity - order.executed
    return order.price * left * dearer if order.side == "BUY" else left


def explained(journal: JournalContents) -> Holdings:
    """What everybody has, from what the journal says came in, was converted, traded and paid in fees."""
    held: Holdings = {name: defaultdict(Decimal) for name in journal.accounts}
    for change in (*journal.transfers, *journal.conversions):
        held[change.account][change.asset] += change.delta_free
    for fill in journal.executions:
        base, quote = (fill.symbol[:-4], "USDT") if fill.symbol.endswith("USDT") else (fill.symbol[:-3], "BTC")
        sign = 1 if fill.side == "BUY" else -1
        held[fill.account][base] += sign * fill.quantity
        held[fill.account][quote] -= sign * fill.price * fill.quantity
        held[fill.account][fill.fee_asset] -= fill.fee
    return held


class Asking(RuleBasedStateMachine):
    folder: tempfile.TemporaryDirectory[str]
    dialect: Dialect = Binance()
    dearer = D(1)  # what a buy holds for each unit of its cost

    @initialize(seed=st.integers(0, 999))
    def open(self, seed: int) -> None:
        self.folder = tempfile.TemporaryDirectory()
        self.seed = seed
        self.stepped = SteppedVenue(Path(self.folder.name) / "journal", seed, self.dialect)
        self.engine = self.stepped.venue.engine

    @rule(microseconds=st.sampled_from((0, 1, 99_999, 100_000, 1_000_000)))
    def wait(self, microseconds: int) -> None:
        self.stepped.wait(microseconds)

    @rule(
        name=names, symbol=st.sampled_from(SYMBOLS), side=st.sampled_from(("BUY", "SELL")),
        kind=st.sampled_from(("LIMIT", "LIMIT", "LIMIT_MAKER", "MARKET")),
        force=st.sampled_from(("GTC", "GTC", "IOC", "FOK")), mode=st.sampled_from((None, *PREVENTIONS)),
        size=st.integers(1, 60), off=offs, by_hand=st.booleans(),
    )  # fmt: skip
    def place(
        self, name: str, symbol: str, side: Side, kind: OrderType, force: TimeInForce, mode: Prevention | None,
        size: int, off: int, *, by_hand: bool,
    ) -> None:  # fmt: skip
        new = self.stepped.order(symbol, side, kind, force, mode, size=size, off=off)
        self.stepped.ask(Asked("place", (name, new), by_hand))

    @rule(name=names, pick=st.integers(0, 99), by_hand=st.booleans())
    def cancel(self, name: str, pick: int, *, by_hand: bool) -> None:
        found = self.stepped.open_order(name, pick)
        if found is not None:
            assert self.stepped.ask(Asked("cancel", (name, *found, None, "x"), by_hand))

    @rule(name=names, asset=st.sampled_from(ASSETS), sixteenths=st.integers(-90, 90))
    def transfer(self, name: str, asset: str, sixteenths: int) -> None:
        self.stepped.ask(Asked("transfer", (name, asset, D(sixteenths) / 16)))

    @rule(name=names, asset=st.sampled_from(ASSETS))
    def dust(self, name: str, asset: str) -> None:
        self.stepped.ask(Asked("convert_dust", (name, (asset,), "BNB")))

    @rule(ratio=st.sampled_from(RATIOS))
    def redenominate(self, ratio: Decimal) -> None:
        self.stepped.ask(Asked("redenominate", ("ETH", ratio)))

    @invariant()
    def nothing_is_made_or_lost(self) -> None:
        for asset in ASSETS:
            assert self.engine.accounts.total(asset) == 0

    @invariant()
    def what_is_locked_is_what_open_orders_need(self) -> None:
        for name, account in self.engine.accounts.by_name.items():
            held: defaultdict[str, Decimal] = defaultdict(Decimal)
            for order in self.engine.history.open_orders(name):
                rules = self.engine.instruments[order.symbol]
                held[rules.quote if order.side == "BUY" else rules.base] += needed(order, self.dearer)
            for asset, balance in account.balances.items():
                assert balance.free >= 0
                assert balance.locked == held[asset], f"{name} {asset}"

    def teardown(self) -> None:
        if not hasattr(self, "stepped"):
            return
        path = self.stepped.venue.journal.path
        self.stepped.venue.journal.close()
        journal = read_journal(path)
        held = explained(journal)
        for name, account in self.engine.accounts.by_name.items():
            for asset, balance in account.balances.items():
                assert held[name][asset] == balance.free + balance.locked, f"{name} {asset}"
        fees: defaultdict[str, Decimal] = defaultdict(Decimal)
        for fill in journal.executions:
            fees[fill.fee_asset] += fill.fee
        assert all(paid == self.engine.accounts.held(FEES)[asset] for asset, paid in fees.items())
        self.no_fill_is_beyond_its_limit(journal)
        self.the_same_requests_leave_the_same_journal(path)
        self.folder.cleanup()

    @staticmethod
    def no_fill_is_beyond_its_limit(journal: JournalContents) -> None:
        filled: defaultdict[tuple[str, str, int], Decimal] = defaultdict(Decimal)
        for fill in journal.executions:
            key = fill.account, fill.symbol, fill.order_id
            order = journal.orders[key]
            filled[key] += fill.quantity
            if order.type != "MARKET":
                assert fill.price <= order.price if order.side == "BUY" else fill.price >= order.price
            if fill.maker:
                assert fill.price == order.price
        for key, order in journal.orders.items():
            assert filled[key] == order.executed <= order.quantity

    def the_same_requests_leave_the_same_journal(self, path: Path) -> None:
        again = SteppedVenue(path.with_name("again"), self.seed, self.dialect)
        for asked in self.stepped.log[1:]:  # the first is its own
            again.ask(asked)
        again.venue.journal.close()
        assert again.venue.journal.path.read_bytes() == path.read_bytes()


class AskingCoinbase(Asking):
    """The same where fees are paid in the quote asset on both sides, and client ids may come twice."""

    dialect = Coinbase()
    dearer = D("1.0015")

    @invariant()
    def fees_are_paid_in_the_quote_asset_to_the_last_digit(self) -> None:
        for name in NAMES:
            for symbol in SYMBOLS:
                for fill in self.engine.history.executions(name, symbol):
                    rate = D("0.001") if fill.maker else D("0.0015")
                    assert fill.fee_asset == self.engine.instruments[symbol].quote
                    assert abs(fill.fee - fill.price * fill.quantity * rate) < D("1E-16")


for machine in (Asking, AskingCoinbase):
    machine.TestCase.settings = settings(max_examples=50, stateful_step_count=40)
TestAsking = Asking.TestCase
TestAskingCoinbase = AskingCoinbase.TestCase


@pytest.mark.parametrize("seed", [3, 4])
def test_the_same_seed_and_requests_leave_the_same_journal_in_any_process(tmp_path: Path, seed: int) -> None:
    """Not even the order in which Python hashes texts, another in every process, is to be seen in it."""
    stepped = trade_at_random(tmp_path / "here", seed, 400)
    written = stepped.venue.journal.path.read_bytes()
    script = Path(__file__).with_name("stepped_venue.py")
    for hashing in ("1", "77"):
        path = tmp_path / f"hashed-{hashing}"
        environment = os.environ | {"PYTHONHASHSEED": hashing}
        subprocess.run([sys.executable, str(script), str(seed), str(path), "400"], env=environment, check=True)
        assert path.read_bytes() == written
    journal = read_journal(tmp_path / "here")
    kinds = {line["method"] for line in journal.requests}
    assert kinds == {"order.place", "order.cancel"}
    assert len(journal.executions) > 100
    assert any(fill.maker for fill in journal.executions)
    assert journal.by_hand
    assert journal.conversions
    assert {order.status for order in journal.orders.values()} >= {"FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"}
    assert sum((fill.fee for fill in journal.executions if fill.fee_asset == "BNB"), ZERO) > 0
    other = trade_at_random(tmp_path / "other", seed + 1, 20)
    assert not written.startswith(other.venue.journal.path.read_bytes())
