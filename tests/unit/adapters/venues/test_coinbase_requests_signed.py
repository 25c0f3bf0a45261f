"""What leaves for Coinbase: signed as its documentation says, with what trimtab adds and nothing of its own words."""

from urllib.parse import urlsplit

from trimtab.adapters.venues.coinbase.client import PRODUCT_OF_CANCELLED, STAMP_MS, CoinbaseClient
from trimtab.exchange.coinbase.signing import signature
from trimtab.settings import VenueSettings

SECRET = "c2VjcmV0"
OID = "00000000-0000-4000-8000-000000000001"


def client() -> CoinbaseClient:
    settings = VenueSettings(kind="coinbase", rest_url="http://127.0.0.1:9", instruments=("BTC/USD",))
    return CoinbaseClient(settings, ("key", SECRET, "words"))


def test_a_cancellation_names_the_orders_product_in_its_query() -> None:
    asked = {"client_oid": OID, PRODUCT_OF_CANCELLED: "BTC-USD"}
    signed = client().sign("orders/client:{client_oid}", ["private"], "DELETE", asked)
    parts = urlsplit(signed["url"])
    assert (parts.path, parts.query, signed["body"]) == (f"/orders/client:{OID}", "product_id=BTC-USD", None)
    stamp, target = signed["headers"]["CB-ACCESS-TIMESTAMP"], f"{parts.path}?{parts.query}"
    assert signed["headers"]["CB-ACCESS-SIGN"] == signature(stamp, "DELETE", target, "", SECRET)


def test_an_order_is_signed_with_its_own_stamp() -> None:
    signed = client().sign("orders", ["private"], "POST", {"size": "1", STAMP_MS: 1_700_000_000_123})
    assert signed["headers"]["CB-ACCESS-TIMESTAMP"] == "1700000000.123"
    assert signed["body"] == '{"size":"1"}'
