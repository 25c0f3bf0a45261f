"""ccxt's Binance client, told where the exchange is, and made to keep what an answer really said."""

from collections.abc import Sequence
from typing import Any

import ccxt.pro
from ccxt.base.errors import BadResponse, BaseError, NetworkError

from trimtab.adapters.venues.answers import Failure
from trimtab.adapters.venues.transport import Transport, common_config, retry_after_ms
from trimtab.settings import VenueSettings


class BinanceClient(Transport, ccxt.pro.binance):  # type: ignore[misc]  # ccxt ships no complete types
    """ccxt's own client but for four things: the address, the session, the evidence kept, and raw events."""

    def __init__(self, settings: VenueSettings, credentials: tuple[str, str] | None = None) -> None:
        super().__init__(_config(settings, credentials))
        # ccxt picks the spot error codes by the address it knows; merged, they hold at any address.
        self.exceptions["exact"] = {**self.exceptions["exact"], **self.exceptions["spot"]["exact"]}
        if settings.rest_url is not None:
            self.urls["api"].update(_rest_urls(settings.rest_url))
        if settings.websocket_url is not None:
            self.urls["api"]["ws"].update(_websocket_urls(settings.websocket_url))

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
        """Raise for everything that is not a JSON answer of success, and keep the evidence on the exception.

        ccxt lets an empty, foreign or cut answer and some statuses pass as success, and drops Retry-After.
        """
        try:
            super().handle_errors(code, reason, url, method, headers, body, response, request_headers, request_body)
            if code >= 400:
                self.handle_http_status_code(code, reason or "", url, method, body or "")
            if code >= 400 or not isinstance(response, dict | list):
                raise BadResponse(f"{self.id} {method} {code}: no JSON answer of success")
        except BaseError as error:
            error.evidence = _evidence(error, code, headers, response)
            raise

    def handle_message(self, client: Any, message: Any) -> None:
        """Offer an event to `on_event`, else to ccxt. An error in either ends the connection, never silently."""
        try:
            event = message
            if isinstance(message, dict):
                event = message.get("data") or message.get("event") or message
            if not (isinstance(event, dict) and "e" in event and self.on_event(event)):
                super().handle_message(client, message)
        except Exception as error:  # noqa: BLE001 - ccxt's reader would die without a word
            client.on_error(NetworkError(f"an event could not be handled: {error!r}"))

    async def subscribe(self, streams: Sequence[str]) -> None:
        """Subscribe market streams on one connection, connecting if need be; return when the venue has confirmed."""
        url = f"{self.urls['api']['ws']['spot']}/0"
        number = self.request_id(url)
        request = {"method": "SUBSCRIBE", "params": list(streams), "id": number}
        subscription = {"id": str(number), "method": _confirm}
        await self.watch(url, str(number), request, str(number), subscription)


def _confirm(client: Any, message: dict[str, Any]) -> None:
    client.resolve(message, str(message["id"]))


def _config(settings: VenueSettings, credentials: tuple[str, str] | None) -> dict[str, Any]:
    config = common_config(settings)
    config["options"] |= {
        "fetchMarkets": {"types": ["spot"]},
        "fetchMargins": False,
        "fetchCurrencies": False,
        "recvWindow": settings.recv_window_ms,
    }
    if credentials is not None:
        config["apiKey"], config["secret"] = credentials
    return config


def _rest_urls(base: str) -> dict[str, str]:
    base = base.rstrip("/")
    return {
        "public": f"{base}/api/v3",
        "private": f"{base}/api/v3",
        "v1": f"{base}/api/v1",
        "sapi": f"{base}/sapi/v1",
    }


def _websocket_urls(base: str) -> dict[str, Any]:
    # ccxt knows spot by "/stream" in the address.
    base = base.rstrip("/").removesuffix("/stream").removesuffix("/ws")
    return {"spot": f"{base}/stream", "margin": f"{base}/stream", "ws-api": {"spot": f"{base}/ws-api/v3"}}


def _evidence(error: BaseError, status: int, headers: dict[str, str], response: object) -> Failure:
    body = response if isinstance(response, dict) else {}
    code = str(body.get("code", ""))
    return Failure(
        text=f"{type(error).__name__}: {error}",
        status=status,
        code=int(code) if code.lstrip("-").isdigit() else None,
        message=str(body.get("msg", "")),
        retry_after_ms=retry_after_ms(headers),
    )
