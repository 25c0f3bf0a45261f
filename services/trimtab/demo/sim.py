"""The simulated exchange's controls, as the demo uses them."""

import json
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from trimtab.domain.errors import InvalidValueError, TrimtabError, UnreachableError

_SECONDS_MAX = 10.0


@dataclass(frozen=True)
class Sim:
    """One running exchange at `base` ("http://127.0.0.1:9000")."""

    base: str

    def prices(self) -> dict[str, Decimal]:
        """Return mid prices by symbol ("BTCUSDT")."""
        tops = self._call("/api/v3/ticker/bookTicker")
        return {top["symbol"]: (Decimal(top["bidPrice"]) + Decimal(top["askPrice"])) / 2 for top in tops}

    def open_account(self, terms: Mapping[str, Any]) -> None:
        """Open an account; `terms` as the exchange's accounts file has them."""
        self._call("/sim/accounts", terms)

    def deposit(self, account: str, asset: str, amount: Decimal) -> None:
        """Credit an account, as if somebody had sent it money."""
        self._call("/sim/deposit", {"account": account, "asset": asset, "amount": str(amount)})

    def balances(self, account: str) -> dict[str, Decimal]:
        """Return what an account really has, free and locked together, by asset; zeros left out."""
        found = self._call(f"/sim/accounts/{account}")["balances"]
        totals = {asset: Decimal(held["free"]) + Decimal(held["locked"]) for asset, held in found.items()}
        return {asset: total for asset, total in totals.items() if total}

    def limit(self, **limits: int) -> None:
        """Set the exchange's limits; what is not named is as on Binance."""
        self._call("/sim/limits", limits)

    def resume(self) -> None:
        """Let the market run."""
        self._call("/sim/resume", {})

    def pause(self) -> None:
        """Let the market stand still."""
        self._call("/sim/pause", {})

    def status(self) -> dict[str, Any]:
        """Return market time, events, whether the tape has ended."""
        found: dict[str, Any] = self._call("/sim/status")
        return found

    def over(self) -> bool:
        """Tell whether the tape has ended. Raise InvalidValueError if it broke in the middle."""
        status = self.status()
        if status["broken"]:
            raise InvalidValueError("--tape", status["broken"], "a recording that can be read to its end")
        return bool(status["ended"])

    def _call(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self.base + path, data=data, headers={"content-type": "application/json"})  # noqa: S310 - our own loopback address
        try:
            with urllib.request.urlopen(request, timeout=_SECONDS_MAX) as answer:  # noqa: S310 - as above
                return json.load(answer)
        except urllib.error.HTTPError as error:
            answer = error.read().decode("utf-8", "replace")
            raise TrimtabError(f"the simulated exchange refused {path}: {answer or error}") from error
        except OSError as error:
            reason = str(getattr(error, "reason", error))
            raise UnreachableError("the simulated exchange", self.base, reason) from error
