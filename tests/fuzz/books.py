"""What accounts have to have after everything, from what was asked and accepted alone."""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import orjson

from fuzz.draft import Draft
from fuzz.wire import Answer

ZERO = Decimal(0)
QUOTE = "USDT"
_ACCOUNTS = {"ann-key": "ann", "bob-key": "bob"}

Balances = dict[str, dict[str, tuple[Decimal, Decimal]]]


@dataclass(slots=True)
class Books:
    """The answers that said "done"."""

    placed: dict[tuple[str, int], Draft] = field(default_factory=dict)
    cancelled: set[tuple[str, int]] = field(default_factory=set)

    def hear(self, draft: Draft, answer: Answer) -> tuple[str, str] | None:
        """Note what an answer says was done; symbol and id of an order that was placed."""
        if answer.status != 200 or unquote(draft.path) not in {"/api/v3/order", "/api/v3/openOrders"}:
            return None
        if draft.method == "POST":
            told = orjson.loads(answer.body)
            self.placed[told["symbol"], told["orderId"]] = draft
            return told["symbol"], str(told["orderId"])
        if draft.method == "DELETE":
            told = orjson.loads(answer.body)
            self.cancelled |= {(row["symbol"], row["orderId"]) for row in (told if isinstance(told, list) else [told])}
        return None

    def audit(self, journal: Path, deposits: dict[str, dict[str, Decimal]]) -> Balances:
        """Hold the journal against what was asked; what every account has to have, free and locked by asset.

        Raises AssertionError where an account changed in a way that no accepted request explains.
        """
        lines = [orjson.loads(line) for line in journal.read_bytes().splitlines()]
        accepted = [line for line in lines if line["kind"] == "request"]
        assert {(r["symbol"], r["order_id"]) for r in accepted if r["method"] == "order.place"} == self.placed.keys()
        orders = {(o["symbol"], o["order_id"]): o for o in lines if o["kind"] == "order"}
        assert orders.keys() == self.placed.keys()
        assert {key for key, order in orders.items() if order["status"] == "CANCELED"} == self.cancelled
        fills: defaultdict[tuple[str, int], list[Any]] = defaultdict(list)
        for line in lines:
            if line["kind"] == "execution":
                fills[line["symbol"], line["order_id"]].append(line)
        held = {name: {asset: [amount, ZERO] for asset, amount in had.items()} for name, had in deposits.items()}
        for key, draft in self.placed.items():
            _as_asked(draft, orders[key], fills[key])
            _book(held[orders[key]["account"]], orders[key], fills[key])
        return {name: {asset: (pair[0], pair[1]) for asset, pair in had.items()} for name, had in held.items()}


def _as_asked(draft: Draft, order: dict[str, Any], fills: list[Any]) -> None:
    """An accepted order is the one that was asked for, and never trades beyond it."""
    sent = draft.sent
    assert order["account"] == _ACCOUNTS[draft.api_key or ""]
    assert (order["symbol"], order["side"], order["type"]) == (sent["symbol"], sent["side"], sent["type"])
    traded = sum((Decimal(fill["quantity"]) for fill in fills), ZERO)
    cost = sum((Decimal(fill["quantity"]) * Decimal(fill["price"]) for fill in fills), ZERO)
    assert Decimal(order["executed"]) == traded <= Decimal(order["quantity"])
    if "quantity" in sent:
        assert Decimal(order["quantity"]) == Decimal(sent["quantity"])
    else:
        assert cost <= Decimal(sent["quoteOrderQty"])
    if sent["type"] != "MARKET":
        limit = Decimal(sent["price"])
        assert Decimal(order["price"]) == limit
        for fill in fills:
            assert Decimal(fill["price"]) <= limit if sent["side"] == "BUY" else Decimal(fill["price"]) >= limit
    if "newClientOrderId" in sent:
        assert order["client_order_id"] == sent["newClientOrderId"]
    if order["status"] not in {"NEW", "PARTIALLY_FILLED"}:
        assert Decimal(order["locked"]) == 0


def _book(held: dict[str, list[Decimal]], order: dict[str, Any], fills: list[Any]) -> None:
    """Apply an order's fills, and lock what it still needs while it is open."""
    base, sign = order["symbol"].removesuffix(QUOTE), 1 if order["side"] == "BUY" else -1
    for fill in fills:
        quantity, price = Decimal(fill["quantity"]), Decimal(fill["price"])
        held[base][0] += sign * quantity
        held[QUOTE][0] -= sign * quantity * price
        held[fill["fee_asset"]][0] -= Decimal(fill["fee"])
    if order["status"] in {"NEW", "PARTIALLY_FILLED"}:
        leaves = Decimal(order["quantity"]) - Decimal(order["executed"])
        asset, amount = (QUOTE, leaves * Decimal(order["price"])) if sign > 0 else (base, leaves)
        held[asset][0] -= amount
        held[asset][1] += amount
