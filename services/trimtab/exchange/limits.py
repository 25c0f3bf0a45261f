"""How much an address may ask and an account may order (Binance spot API, "LIMITS"). Pure: time comes in, wall clock.

Every limit counts in fixed intervals of UTC: a minute's count is zero again when the next minute begins. Where Binance
says no more than "repeatedly" and "scale in duration", the numbers are the constants here.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from trimtab.exchange import errors

SECOND_US = 1_000_000
MINUTE_US = 60 * SECOND_US
DAY_US = 86_400 * SECOND_US

RAW_REQUESTS_5M = 300_000
"""Shown as Binance shows it; nothing here is refused for it."""

_BAN_SECONDS, _BAN_SECONDS_MAX = 120, 3 * 86_400
_FORGIVEN_US = 3 * DAY_US  # an address that behaved so long starts over with the shortest ban
_MAKER_CREDIT = 5  # what the first fill of an order that rested takes off the count, as in Binance's example


@dataclass(frozen=True, slots=True)
class Limits:
    """What is allowed: weight an address and minute, the same for each path under /sapi (of an account: a second),
    unfilled orders an account and interval, and how many refusals in a row bring a ban.
    """

    request_weight_1m: int = 6_000
    sapi_weight_1m: int = 12_000
    sapi_account_weight_1s: int = 180_000
    orders_10s: int = 100
    orders_1d: int = 200_000
    refusals_before_ban: int = 10

    def shown(self) -> list[dict[str, str | int]]:
        """The `rateLimits` of exchangeInfo."""
        return [
            {**_REQUEST_WEIGHT, "limit": self.request_weight_1m},
            *self.orders(),
            {"rateLimitType": "RAW_REQUESTS", "interval": "MINUTE", "intervalNum": 5, "limit": RAW_REQUESTS_5M},
        ]

    def orders(self) -> list[dict[str, str | int]]:
        """The limits of orders, the shorter interval first."""
        kind = {"rateLimitType": "ORDERS"}
        return [
            {**kind, "interval": "SECOND", "intervalNum": 10, "limit": self.orders_10s},
            {**kind, "interval": "DAY", "intervalNum": 1, "limit": self.orders_1d},
        ]

    def weight(self, used: int) -> list[dict[str, str | int]]:
        """The `rateLimits` of a websocket API answer."""
        return [{**_REQUEST_WEIGHT, "limit": self.request_weight_1m, "count": used}]


_REQUEST_WEIGHT: Mapping[str, str | int] = {"rateLimitType": "REQUEST_WEIGHT", "interval": "MINUTE", "intervalNum": 1}


@dataclass(slots=True)
class Window:
    """A count that begins anew with every interval of UTC. `peak` is the most it ever was."""

    length_us: int
    count: int = 0
    peak: int = 0
    number: int = -1

    def at(self, now_us: int) -> "Window":
        """Itself, in the interval of this moment."""
        if self.number != (number := now_us // self.length_us):
            self.number, self.count = number, 0
        return self

    def add(self, units: int) -> None:
        """Count more, or less; never below zero."""
        self.count = max(0, self.count + units)
        self.peak = max(self.peak, self.count)

    def seconds_left(self, now_us: int) -> int:
        """Whole seconds until the next interval, at least one."""
        return _seconds((self.number + 1) * self.length_us - now_us)


@dataclass(slots=True)
class Caller:
    """What is known of one address: its weight, its refusals in a row, its bans."""

    weight: Window = field(default_factory=lambda: Window(MINUTE_US))
    refused: int = 0
    refused_in_a_row: int = 0
    bans: int = 0
    banned_until_us: int = 0


class Requests:
    """The weight that addresses have used, and who is banned."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.callers: dict[str, Caller] = {}

    def charge(self, address: str, weight: int, now_us: int) -> int:
        """Count a request before it is carried out; what the address has used in this minute.

        Raises VenueError -1003: 429 over the limit, 418 while banned. A refused request counts as well.
        """
        caller = self.callers.setdefault(address, Caller())
        if now_us < caller.banned_until_us:
            caller.refused += 1
            raise self._ban(caller, now_us)
        window = caller.weight.at(now_us)
        window.add(weight)
        if window.count <= self.limits.request_weight_1m:
            caller.refused_in_a_row = 0
            return window.count
        caller.refused += 1
        caller.refused_in_a_row += 1
        if caller.refused_in_a_row <= self.limits.refusals_before_ban:
            left = window.seconds_left(now_us)
            raise errors.too_much_weight(self.limits.request_weight_1m, "1 MINUTE", left)
        if now_us > caller.banned_until_us + _FORGIVEN_US:
            caller.bans = 0
        caller.banned_until_us = now_us + min(_BAN_SECONDS << caller.bans, _BAN_SECONDS_MAX) * SECOND_US
        caller.bans = min(caller.bans + 1, 32)
        caller.refused_in_a_row = 0
        raise self._ban(caller, now_us)

    def refund(self, address: str, weight: int, now_us: int) -> None:
        """Take back what a request was charged that costs nothing after all; not into another minute."""
        window = self.callers[address].weight
        if window.number == now_us // window.length_us:
            window.add(-weight)

    def used(self, address: str, now_us: int) -> int:
        """The weight an address has used in this minute."""
        caller = self.callers.get(address)
        return caller.weight.at(now_us).count if caller is not None else 0

    @staticmethod
    def _ban(caller: Caller, now_us: int) -> errors.VenueError:
        return errors.banned(caller.banned_until_us // 1000, _seconds(caller.banned_until_us - now_us))


class PathRequests:
    """The weight that each path under /sapi has been asked for, by an address or an account; nobody is banned."""

    def __init__(self, limit: int, length_us: int, interval: str) -> None:
        self._limit, self._length_us, self._interval = limit, length_us, interval
        self._windows: dict[tuple[str, str], Window] = {}

    def charge(self, who: str, path: str, weight: int, now_us: int) -> int:
        """Count a request; what has been used in this interval.

        Raises VenueError -1003 over the limit.
        """
        window = self._windows.setdefault((who, path), Window(self._length_us)).at(now_us)
        window.add(weight)
        if window.count > self._limit:
            raise errors.too_much_weight(self._limit, self._interval, window.seconds_left(now_us))
        return window.count


@dataclass(slots=True)
class _Counts:
    ten_seconds: Window = field(default_factory=lambda: Window(10 * SECOND_US))
    day: Window = field(default_factory=lambda: Window(DAY_US))


class Orders:
    """The unfilled orders that accounts have placed: every accepted order counts, its first fill takes it off again."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._accounts: dict[str, _Counts] = {}

    def check(self, account: str, now_us: int) -> None:
        """Let an order through.

        Raises VenueError -1015 when the account has placed too many.
        """
        counts = self._accounts.setdefault(account, _Counts())
        for window, limit, interval in (
            (counts.day.at(now_us), self._limits.orders_1d, "1 DAY"),
            (counts.ten_seconds.at(now_us), self._limits.orders_10s, "10 SECOND"),
        ):
            if window.count >= limit:
                raise errors.too_many_orders(limit, interval, window.seconds_left(now_us))

    def placed(self, account: str, now_us: int) -> None:
        """Count an accepted order."""
        self._add(account, 1, now_us)

    def first_filled(self, account: str, now_us: int, *, maker: bool) -> None:
        """Count the first fill of an order."""
        self._add(account, -_MAKER_CREDIT if maker else -1, now_us)

    def counts(self, account: str, now_us: int) -> tuple[int, int]:
        """Unfilled orders of these ten seconds and of this day."""
        counts = self._accounts.setdefault(account, _Counts())
        return counts.ten_seconds.at(now_us).count, counts.day.at(now_us).count

    def peaks(self) -> dict[str, tuple[int, int]]:
        """The most there ever were, by account."""
        return {name: (counts.ten_seconds.peak, counts.day.peak) for name, counts in self._accounts.items()}

    def _add(self, account: str, orders: int, now_us: int) -> None:
        counts = self._accounts.setdefault(account, _Counts())
        for window in (counts.ten_seconds, counts.day):
            window.at(now_us).add(orders)


class Meters:
    """All counts of one exchange."""

    def __init__(self, limits: Limits) -> None:
        self.limits = limits
        self.requests = Requests(limits)
        self.sapi = PathRequests(limits.sapi_weight_1m, MINUTE_US, "1 MINUTE")
        self.sapi_account = PathRequests(limits.sapi_account_weight_1s, SECOND_US, "1 SECOND")
        self.orders = Orders(limits)


def _seconds(microseconds: int) -> int:
    return max(1, -(-microseconds // SECOND_US))
