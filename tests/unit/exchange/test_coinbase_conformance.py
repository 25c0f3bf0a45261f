"""What the feed sends in Coinbase's dialect is what Coinbase sent: every change and trade of ten minutes of April 2018.

The recording has lost the order of keys; of each message keys and values are compared, numbers and times as such.
"""

import ast
import csv
import sys
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import orjson
import pytest

from trimtab.exchange.clock import MarketClock
from trimtab.exchange.coinbase.dialect import Coinbase
from trimtab.exchange.coinbase.feed import Feed
from trimtab.exchange.coinbase.house import HOUSE
from trimtab.exchange.faults import Faults
from trimtab.exchange.journal import Journal
from trimtab.exchange.level2 import Level2Market
from trimtab.exchange.streams import Connection
from trimtab.exchange.venue import Venue

RAW = Path(__file__).resolve().parents[4] / "shared" / "data" / "gdax" / "raw_mongo_input.csv"
LISTS = ("asks", "bids", "changes", "channels")


def recorded() -> Iterator[dict[str, Any]]:
    """Messages as they came."""
    csv.field_size_limit(sys.maxsize)
    with RAW.open(newline="", encoding="utf-8") as file:
        for row in csv.DictReader(file):
            told: dict[str, Any] = {name: value for name, value in row.items() if value and name != "_id"}
            yield told | {name: ast.literal_eval(told[name]) for name in LISTS if name in told}


@pytest.fixture(scope="module")
def came() -> list[dict[str, Any]]:
    if not RAW.exists():
        pytest.skip("needs ../shared/data/gdax/raw_mongo_input.csv, which is not there")
    return list(recorded())


@pytest.fixture(scope="module")
def sent(came: list[dict[str, Any]], tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    """What somebody hears who has subscribed level2 and matches from the beginning on; then a newcomer's last match."""
    assert came  # it is there
    market, tmp_path = Level2Market(RAW), tmp_path_factory.mktemp("sent")
    venue = Venue(market, Journal(tmp_path / "j", lambda: 1), MarketClock(market.start_us), Faults(), house=HOUSE)
    Coinbase().endpoints(venue)
    heard = Connection(None, "market", "", combined=False)  # type: ignore[arg-type]  # nothing is written
    venue.hub.subscribe(heard, ["BTC-USD@level2", "BTC-USD@matches"])
    told: list[bytes] = []
    for event in market.events():
        venue.market(event)
        told += heard._queue
        heard._queue.clear()
    venue.journal.close()
    assert isinstance(venue.teller, Feed)
    return [orjson.loads(message) for message in (*told, *venue.teller.last("BTCUSD", "last_match"))]


def levels(rows: list[list[str]]) -> dict[Decimal, Decimal]:
    return {Decimal(price): Decimal(size) for price, size in rows}


def comparable(message: dict[str, Any]) -> dict[str, Any]:
    """A message's values but for ids of others' orders, and numbers of messages, which nobody recorded whole."""
    found = {name: message[name] for name in ("type", "product_id", "side", "price", "size") if name in message}
    if "changes" in message:
        found["changes"] = [(side, Decimal(price), Decimal(size)) for side, price, size in message["changes"]]
    if "trade_id" in message:
        found["trade_id"] = int(float(message["trade_id"]))  # the recording's have become floats
    return found | {"time": datetime.fromisoformat(message["time"])}


def test_every_change_and_trade_is_the_one_that_coinbase_sent(
    came: list[dict[str, Any]], sent: list[dict[str, Any]]
) -> None:
    came = [message for message in came if message["type"] in {"l2update", "match"}]
    told = [message for message in sent if message["type"] in {"l2update", "match"}]
    assert len(came) == len(told) == 18_093 + 256
    for before, after in zip(came, told, strict=True):
        assert after.keys() == before.keys()
        assert comparable(after) == comparable(before)
    trades = [message for message in told if message["type"] == "match"]
    assert all(UUID(message[f"{side}_order_id"]) for message in trades for side in ("maker", "taker"))
    numbers = [message["sequence"] for message in trades]
    assert numbers == sorted(set(numbers))


def test_what_a_subscription_begins_with_has_the_recorded_keys_and_levels(
    came: list[dict[str, Any]], sent: list[dict[str, Any]]
) -> None:
    began = {message["type"]: message for message in came if message["type"] in {"snapshot", "last_match"}}
    snapshot, last = sent[0], sent[-1]
    assert snapshot.keys() == began["snapshot"].keys() | {"time"}  # added since
    for side in ("bids", "asks"):
        assert levels(snapshot[side]) == levels(began["snapshot"][side])
        prices = [Decimal(price) for price, _ in snapshot[side]]
        assert prices == sorted(prices, reverse=side == "bids")
    assert last.keys() == began["last_match"].keys()
    assert (last["type"], comparable(last)["trade_id"]) == ("last_match", 41_766_820 + 256)
