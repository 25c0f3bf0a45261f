"""How much an address and a profile may ask ("Rate Limits"): buckets that fill steadily. Pure: time comes in."""

from dataclasses import dataclass

from trimtab.exchange.coinbase.refusals import rate_limited


@dataclass(frozen=True, slots=True)
class Rate:
    """Requests a second, and how many may come at once. `whose` is the word of its refusal."""

    per_second: float
    burst: float
    whose: str


PUBLIC = Rate(10, 15, "Public")
PRIVATE = Rate(15, 30, "Private")
FILLS = Rate(10, 20, "Private")


@dataclass(slots=True)
class _Bucket:
    tokens: float
    at_us: int


class Buckets:
    """One rate's buckets, by who asks."""

    def __init__(self, rate: Rate) -> None:
        self._rate = rate
        self._buckets: dict[str, _Bucket] = {}

    def take(self, who: str, now_us: int) -> None:
        """Count a request.

        Raises VenueError 429 when the bucket is empty; such a request takes nothing out.
        """
        bucket = self._buckets.setdefault(who, _Bucket(self._rate.burst, now_us))
        gained = max(0, now_us - bucket.at_us) / 1e6 * self._rate.per_second
        bucket.tokens, bucket.at_us = min(self._rate.burst, bucket.tokens + gained), now_us
        if bucket.tokens < 1:
            raise rate_limited(self._rate.whose)
        bucket.tokens -= 1
