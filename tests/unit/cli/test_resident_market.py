"""What `trimtab up` refuses to trade on, before anything but the exchange has started."""

from decimal import Decimal
from typing import Any, cast

import pytest

from trimtab.cli.resident import _start
from trimtab.embedded.errors import RefusedConfigurationError


class Staged:
    """Stands in for a stage whose exchange plays a recording of Coinbase."""

    def start_exchange(self) -> "Staged":
        return self

    def prices(self) -> dict[str, Decimal]:
        return {"BTCUSD": Decimal(8040)}

    def start_stack(self) -> None:
        raise AssertionError("something was started")


def test_a_tape_without_a_market_in_its_currency_is_refused() -> None:
    with pytest.raises(RefusedConfigurationError, match="found markets BTCUSD; allowed: some in USDT"):
        _start(cast("Any", Staged()))
