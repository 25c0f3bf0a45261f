"""A recorded session as tests write it by hand: one portfolio's states, signals, orders and fills on frames of BTC."""

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from frame_tapes import Writer
from trimtab.backtest.variants import document_of
from trimtab.documents import canonical
from trimtab.domain.orders import Liquidity, OrderKind, OrderState, ParentState, Side, TimeInForce
from trimtab.messages import Fill, OrderEvent, ParentEvent, PortfolioState, Position, Risk, Signal, Trade
from trimtab.portfolio_file import Document
from trimtab.ports.recorded import Recorded
from trimtab.settings import Settings
from trimtab.whatif.question import Answer, Question, answered

D = Decimal
SECOND_US = 1_000_000
HELD = {"kind": "threshold", "absolute": "1"}


def document(name: str = "core", btc: str = "0.5", policy: Mapping[str, Any] | None = None, **more: Any) -> Document:
    return document_of(
        {
            "portfolio": name,
            "quote": "USDT",
            "targets": {"BTC": btc, "USDT": str(1 - D(btc))},
            "policy": dict(policy or HELD),
            "limits": {"max_trade_share": "1", "min_trade": "10"},
            **more,
        }
    )


def threshold(absolute: str) -> Document:
    return document(policy={"kind": "threshold", "absolute": absolute})


class Life:
    """Writes what a portfolio does; versions and ids count up. Frames of BTC are those of `writer`."""

    def __init__(self, writer: Writer, written: Document | None = None, name: str = "core", venue: str = "") -> None:
        self.writer = writer
        self.name = name
        self.venue = venue or writer.venue
        self.held = {"BTC": D(0), "USDT": D(0)}
        self.document, self.version = canonical(written or document(name)), 1
        self.ledger_version = 0
        self.halted = False
        self.event_us = 0
        self.sequence = 0

    def has(self, reason: str = "external_transfer", event_us: int | None = None, **amounts: str) -> None:
        """Publish a state in which these amounts are held."""
        self.held |= {asset: D(amount) for asset, amount in amounts.items()}
        self.ledger_version += 1
        self.event_us = self.event_us if event_us is None else event_us
        positions = tuple(Position("main", self.venue, asset, n, D(0)) for asset, n in sorted(self.held.items()) if n)
        state = PortfolioState(
            f"{self.name}/{self.ledger_version}", self.name, self.ledger_version, self.event_us, self.version,
            self.document, self.halted, reason, 0, positions, (), (),
        )  # fmt: skip
        self.writer.keep(state, self.writer.stamp_ms)

    def apply(self, written: Document) -> None:
        self.document, self.version = canonical(written), self.version + 1
        self.has(f"version {self.version} applied")

    def halt(self, *, halted: bool) -> None:
        self.halted = halted
        self.has("halted: by hand" if halted else "resumed")

    def signal(self, quantity: str, price: str, side: Side = Side.BUY, *, accepted: bool = True) -> Signal:
        """Publish a signal of one trade, and if it is accepted its order and that it works, all now; return it."""
        now_us, number = self.writer.now_us, self.sequence
        quote = D(price)
        trade = Trade(
            f"parent-{number}",
            self.venue,
            "main",
            "BTC/USDT",
            "BTC",
            "USDT",
            side,
            D(quantity),
            quote,
            quote * 2,
            D(0),
            (),
        )
        made = Signal(
            f"signal-{number}", self.name, self.ledger_version, self.version, 0, -1, now_us, now_us + 60 * SECOND_US,
            "threshold", "threshold_reached", D(1), D(1), (trade,), (),
        )  # fmt: skip
        self.writer.keep(made, self.writer.stamp_ms)
        self.sequence += 1
        if not accepted:
            return made
        self._parent(made, ParentState.WORKING, D(0))
        order = OrderEvent(
            f"order-{number}", self.name, self.sequence, made.signal_id, trade.trade_id, f"child-{number}", "",
            self.venue, "main", "BTC/USDT", side, OrderKind.LIMIT, TimeInForce.GTC, OrderState.SUBMITTED, quote,
            D(quantity), D(0), "", now_us, dry_run=False,
        )  # fmt: skip
        self.writer.keep(order, self.writer.stamp_ms)
        self.has("signal", now_us)
        return made

    def fill(
        self, of: Signal, quantity: str, price: str, fee: str, fee_asset: str = "USDT", *, maker: bool = False
    ) -> None:
        """Publish an execution of its trade, now, and what is held after it."""
        (trade,) = of.trades
        self.sequence += 1
        base, notional = D(quantity), D(quantity) * D(price)
        kind = Liquidity.MAKER if maker else Liquidity.TAKER
        row = Fill(
            f"fill-{self.sequence}", self.name, self.sequence, self.venue, "main", str(self.sequence), "BTC/USDT",
            "BTC", "USDT", trade.side, D(price), base, notional, D(fee), fee_asset, kind, D(0), of.signal_id,
            trade.trade_id, "child", "venue", self.writer.now_us, dry_run=False,
        )  # fmt: skip
        self.writer.keep(row, self.writer.stamp_ms)
        btc, usdt = self.held["BTC"] + base * trade.side.sign, self.held["USDT"] - notional * trade.side.sign
        usdt -= D(fee) if fee_asset == "USDT" else 0
        self.has("fill", self.writer.now_us, BTC=str(btc), USDT=str(usdt))

    def close(self, of: Signal, filled: str) -> None:
        self._parent(of, ParentState.CLOSED, D(filled))
        self.has("released", self.writer.now_us)

    def _parent(self, of: Signal, state: ParentState, filled: Decimal) -> None:
        (trade,) = of.trades
        self.sequence += 1
        event = ParentEvent(
            f"parent-{self.sequence}", self.name, self.sequence, of.signal_id, trade.trade_id, state, trade.quantity,
            filled, "filled", self.writer.now_us, dry_run=False,
        )  # fmt: skip
        self.writer.keep(event, self.writer.stamp_ms)


def risk(writer: Writer, variance: str = "0.25") -> None:
    made = Risk("risk", writer.now_us, 0, "USDT", "test", 1_000, ("BTC",), (D(variance),), (D(variance),), (D(0),))
    writer.keep(made, writer.stamp_ms)


def ask(recorded: Recorded, other: Document, name: str = "core", **span: tuple[int | None, int | None]) -> Answer:
    return answered(recorded, recorded, Question(name, other, **span), Settings(), lambda *_: lambda _: None)


def written(folder: Path, name: str = "core", absolute: str = "0.05", file: str = "other.yaml") -> Path:
    """Write the portfolio file that `document` means, with a threshold."""
    path = folder / file
    path.write_text(
        f"portfolio: {name}\nquote: USDT\ntargets: {{BTC: 0.5, USDT: 0.5}}\nlimits: {{max_trade_share: 1}}\n"
        f"policy: {{kind: threshold, absolute: {absolute}}}\n"
    )
    return path
