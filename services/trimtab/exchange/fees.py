"""What a fill costs, and in which asset it is paid."""

from collections.abc import Callable
from decimal import ROUND_DOWN, Decimal

from trimtab.exchange.accounts import Account
from trimtab.exchange.instruments import MIN_UNIT, Instrument
from trimtab.exchange.liquidity import Side

PriceOf = Callable[[str, str], Decimal | None]
"""Price of one asset in units of another, None if nobody knows it."""

_FINE_UNIT = Decimal("1E-16")


def commission(
    account: Account, rules: Instrument, side: Side, fill: tuple[Decimal, Decimal], *, maker: bool, price_of: PriceOf
) -> tuple[Decimal, str]:
    """Fee and its asset for a `fill` of (price in quote, quantity in base) units.

    Paid in the received asset; in the account's fee asset, discounted, if it has one, the price is known and enough is
    free, as Binance does with BNB. Rounded down to the smallest unit.
    """
    price, quantity = fill
    rate = account.maker_fee if maker else account.taker_fee
    received, amount = (rules.base, quantity) if side == "BUY" else (rules.quote, price * quantity)
    asset = account.fee_asset
    if asset is not None and asset != received:
        worth = price_of(asset, rules.quote)
        if worth:
            fee = _rounded(price * quantity * rate * (1 - account.fee_discount) / worth)
            if account.balance(asset).free >= fee:
                return fee, asset
    if asset is not None and asset == received:
        rate *= 1 - account.fee_discount
    return _rounded(amount * rate), received


def quote_commission(
    account: Account, rules: Instrument, fill: tuple[Decimal, Decimal], *, maker: bool
) -> tuple[Decimal, str]:
    """As `commission`, of an exchange that takes fees in the quote asset on both sides. Rounded down to 16 decimals."""
    price, quantity = fill
    fee = price * quantity * (account.maker_fee if maker else account.taker_fee)
    return fee.quantize(_FINE_UNIT, rounding=ROUND_DOWN), rules.quote


def _rounded(fee: Decimal) -> Decimal:
    return fee.quantize(MIN_UNIT, rounding=ROUND_DOWN)
