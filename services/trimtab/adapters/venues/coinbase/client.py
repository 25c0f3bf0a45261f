"""ccxt's Coinbase Exchange client, told where the exchange is, and made to keep what an answer really said."""

import re
from collections.abc import Sequence
from typing import Any

import ccxt.pro
from ccxt.base.errors import BadResponse, BaseError, NetworkError

from trimtab.adapters.venues.answers import Failure
from trimtab.adapters.venues.transport import Transport, common_config, retry_after_ms
from trimtab.settings import VenueSettings

STAMP_MS = "trimtab_stamp_ms"
"""A parameter that never leaves: the time a request is to be signed with, in place of now."""

PRODUCT_OF_CANCELLED = "trimtab_product"
"""A parameter of a cancellation: the product of its order, for the query, where ccxt has none."""

_SUBSCRIBED = "trimtab:subscribed"
# A cancellation is answered with the order's id, as a JSON text.
_ORDER_ID = re.compile(r'"?[0-9a-fA-F-]{36}"?')


class CoinbaseClient(Transport, ccxt.pro.coinbaseexchange):  # type: ignore[misc]  # ccxt ships no complete types
    """ccxt's own client but for six things: address, session, evidence, raw events, a request's stamp and product."""

    def __init__(self, settings: VenueSettings, credentials: tuple[str, str, str] | None = None) -> None:
        super().__init__(_config(settings, credentials))
        self.has["fetchCurrencies"] = False
        self._stamp_ms: int | None = None
        if settings.rest_url is not None:
            rest_url = settings.rest_url.rstrip("/")
            self.urls["api"].update({"public": rest_url, "private": rest_url})
        if settings.websocket_url is not None:
            self.urls["api"]["ws"] = settings.websocket_url.rstrip("/")

    def nonce(self) -> str:
        """Return the time a request is signed with: seconds, in the same digits wherever it is written."""
        stamp_ms = self.milliseconds() if self._stamp_ms is None else self._stamp_ms
        return f"{stamp_ms / 1_000:.3f}"

    def sign(self, path: str, api: Any = "public", method: str = "GET", params: Any = None) -> Any:
        """Sign a request with the stamp among its parameters, if there is one; a cancellation with its product."""
        asked = dict(params or {})
        self._stamp_ms = asked.pop(STAMP_MS, None)
        if (product := asked.pop(PRODUCT_OF_CANCELLED, None)) is not None:
            path = f"{path}?{self.urlencode({'product_id': product})}"
        try:
            return super().sign(path, api, method, asked)
        finally:
            self._stamp_ms = None

    def handle_errors(
        self,
        code: int,
        reason: str,
        url: str,
        method: str,
        headers: dict[str, str],
        body: str,
        response: object,
        request_headers: object,
        request_body: object,
    ) -> None:
        """Raise for everything that is not an answer of success, and keep the evidence on the exception.

        ccxt lets an empty, foreign or cut answer and some statuses pass as success, and stumbles over an empty refusal.
        """
        try:
            if code >= 400 and isinstance(response, dict):
                super().handle_errors(code, reason, url, method, headers, body, response, request_headers, request_body)
            if code >= 400:
                self.handle_http_status_code(code, reason or "", url, method, body or "")
            is_id = method == "DELETE" and _ORDER_ID.fullmatch((body or "").strip()) is not None
            if code >= 400 or not (isinstance(response, dict | list) or is_id):
                raise BadResponse(f"{self.id} {method} {code}: no answer of success")
        except BaseError as error:
            error.evidence = _evidence(error, code, headers, response)
            raise

    def handle_message(self, client: Any, message: Any) -> None:
        """Offer an event to `on_event`, else to ccxt. An error in either ends the connection, never silently."""
        try:
            kind = message.get("type") if isinstance(message, dict) else None
            if kind == "subscriptions":
                client.resolve(message, _SUBSCRIBED)
            elif kind in {"error", None} or not self.on_event(message):
                super().handle_message(client, message)  # of an error it tells who waits
        except Exception as error:  # noqa: BLE001 - ccxt's reader would die without a word
            client.on_error(NetworkError(f"an event could not be handled: {error!r}"))

    async def subscribe(self, channels: Sequence[str], products: Sequence[str], *, signed: bool = False) -> None:
        """Subscribe channels on one connection, connecting if need be; return when the venue has confirmed."""
        request = {"type": "subscribe", "product_ids": list(products), "channels": list(channels)}
        signature = self.authenticate() if signed else {}
        await self.watch(self.urls["api"]["ws"], _SUBSCRIBED, {**request, **signature}, _SUBSCRIBED)


def _config(settings: VenueSettings, credentials: tuple[str, str, str] | None) -> dict[str, Any]:
    config = common_config(settings)
    if credentials is not None:
        config["apiKey"], config["secret"], config["password"] = credentials
    return config


def _evidence(error: BaseError, status: int, headers: dict[str, str], response: object) -> Failure:
    body = response if isinstance(response, dict) else {}
    return Failure(
        text=f"{type(error).__name__}: {error}",
        status=status,
        message=str(body.get("message", "")),
        retry_after_ms=retry_after_ms(headers),
    )
