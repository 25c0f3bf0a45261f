"""Venues and accounts by their names in the settings."""

import asyncio
import base64
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import structlog

from trimtab.adapters.venues.account import CcxtVenue
from trimtab.adapters.venues.binance import BinanceClient
from trimtab.adapters.venues.budget import Budget
from trimtab.adapters.venues.coinbase.account import CoinbaseVenue
from trimtab.adapters.venues.coinbase.client import CoinbaseClient
from trimtab.adapters.venues.coinbase.feed import CoinbaseFeed
from trimtab.adapters.venues.feed import CcxtFeed
from trimtab.domain.errors import InvalidValueError, UnreachableError
from trimtab.ports.clock import Clock
from trimtab.ports.metrics import Meter, Unmetered
from trimtab.settings import AccountSettings, Settings, VenueSettings

# One websocket of Binance takes 1,024 streams, and an instrument has two.
_INSTRUMENTS_MAX = 512
# What Coinbase allows an address for public requests, and a profile for its fills; for others 15.
_COINBASE_PER_SECOND = 10.0

OpenAccount = CcxtVenue | CoinbaseVenue
"""An account at a venue of any kind."""

_log = structlog.get_logger("trimtab.venues")


def open_feed(name: str, settings: Settings, clock: Clock, budget: Budget | None = None) -> CcxtFeed:
    """Return the market feed of a venue; nothing is sent before it is asked for something.

    With an account of that venue in the settings, instruments carry that account's fees.

    Raises:
        InvalidValueError: if the settings have no such venue, or no instruments for it.

    """
    venue = _venue(name, settings)
    account = next((item for item in settings.accounts.values() if item.venue == name), None)
    budget, levels = budget or budget_of(venue), settings.ingest.ladder_levels
    if venue.kind == "coinbase":
        keys = None if account is None else _keys(account)
        return CoinbaseFeed(name, venue, CoinbaseClient(venue, keys), budget, clock, levels)
    client = BinanceClient(venue, None if account is None else account.credentials())
    return CcxtFeed(name, venue, client, budget, clock, levels)


def open_account(
    name: str, settings: Settings, budget: Budget | None = None, meter: Meter | None = None
) -> OpenAccount:
    """Return an account at its venue; nothing is sent before it is asked for something.

    Accounts of one venue in one process share the venue's budget: hand the same one in.

    Raises:
        InvalidValueError: if the settings have no such account, or no instruments for its venue.

    """
    account = settings.accounts.get(name)
    if account is None:
        raise InvalidValueError("account", name, f"one of {sorted(settings.accounts)}")
    venue = _venue(account.venue, settings)
    budget, meter = budget or budget_of(venue), meter or Unmetered()
    if venue.kind == "coinbase":
        client = CoinbaseClient(venue, _keys(account))
        return CoinbaseVenue(account.venue, name, venue, client, budget, meter)
    return CcxtVenue(account.venue, name, venue, BinanceClient(venue, account.credentials()), budget, meter)


@asynccontextmanager
async def accounts_of(settings: Settings, meter: Meter | None = None) -> AsyncIterator[dict[str, OpenAccount]]:
    """Open every account of the settings, by name; accounts of one venue share its budget.

    Raises:
        InvalidValueError: if a venue has no instruments, or an account's key may do more than trade.

    """
    budgets = {name: budget_of(venue) for name, venue in settings.venues.items()}
    opened = {
        name: open_account(name, settings, budgets[account.venue], meter) for name, account in settings.accounts.items()
    }
    try:
        for account in opened.values():
            await _check(account)
        yield opened
    finally:
        await asyncio.gather(*(account.close() for account in opened.values()))


@asynccontextmanager
async def feeds_of(settings: Settings, clock: Clock) -> AsyncIterator[list[CcxtFeed]]:
    """Open the market feed of every venue of the settings.

    Raises:
        InvalidValueError: if there is no venue, or one has no instruments.

    """
    if not settings.venues:
        raise InvalidValueError("venues", {}, "at least one venue")
    feeds = [open_feed(name, settings, clock) for name in settings.venues]
    try:
        yield feeds
    finally:
        await asyncio.gather(*(feed.close() for feed in feeds))


def budget_of(venue: VenueSettings) -> Budget:
    """Return the requests a second that a venue gets from this process: those of the settings, if it allows as many."""
    allowed = _COINBASE_PER_SECOND if venue.kind == "coinbase" else venue.requests_per_second
    return Budget(min(venue.requests_per_second, allowed))


async def _check(account: OpenAccount) -> None:
    """Find a wrong key now rather than at the first order; a venue that does not answer is no reason not to start."""
    try:
        await account.refuse_withdrawals()
    except UnreachableError as error:
        _log.warning("key not checked yet", account=account.account, reason=str(error))


def _keys(account: AccountSettings) -> tuple[str, str, str]:
    """Return key, secret and passphrase of an account at Coinbase.

    Raises:
        InvalidValueError: if there is none, or the secret is none of Coinbase's.

    """
    (key, secret), passphrase = account.credentials(), account.key_passphrase()
    try:
        base64.b64decode(secret, validate=True)
    except ValueError:
        raise InvalidValueError("accounts.*.secret", "no base64", "a secret as Coinbase gives it, base64") from None
    return key, secret, passphrase


def _venue(name: str, settings: Settings) -> VenueSettings:
    venue = settings.venues.get(name)
    if venue is None:
        raise InvalidValueError("venue", name, f"one of {sorted(settings.venues)}")
    if not venue.instruments:
        raise InvalidValueError(f"venues.{name}.instruments", (), "at least one instrument, such as BTC/USDT")
    if len(venue.instruments) > _INSTRUMENTS_MAX:
        raise InvalidValueError(f"venues.{name}.instruments", len(venue.instruments), f"at most {_INSTRUMENTS_MAX}")
    return venue
