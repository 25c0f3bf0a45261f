"""Where ledger and venue differ, and what each difference means: pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal

from trimtab.domain.amounts import CONTEXT, ZERO, quantise
from trimtab.ports.ledger import FillRow


@dataclass(frozen=True, slots=True)
class Difference:
    """One asset of one account: what the ledger has, what the venue has."""

    asset: str
    ledger: Decimal
    at_venue: Decimal

    @property
    def size(self) -> Decimal:
        """Venue minus ledger: positive when the venue has more."""
        return self.at_venue - self.ledger


def with_fills(booked: Mapping[str, Decimal], fills: Iterable[FillRow]) -> dict[str, Decimal]:
    """Return booked sums as they will be once these fills are booked too, zeros left out.

    The venue has executed and charged a recorded fill, whether or not the ledger could book it yet.
    """
    sums = dict(booked)
    for fill in fills:
        notional = quantise(CONTEXT.multiply(fill.price, fill.quantity))
        base, quote = fill.quantity * fill.side.sign, notional * -fill.side.sign
        for asset, change in ((fill.base, base), (fill.quote, quote), (fill.fee_asset, -fill.fee)):
            sums[asset] = CONTEXT.add(sums.get(asset, ZERO), change)
    return {asset: amount for asset, amount in sums.items() if amount}


def differences(
    ledger: Mapping[str, Decimal], at_venue: Mapping[str, Decimal], tolerance: Decimal
) -> tuple[Difference, ...]:
    """Return every asset whose sums differ by more than `tolerance`, sorted by asset."""
    found = (
        Difference(asset, ledger.get(asset, ZERO), at_venue.get(asset, ZERO))
        for asset in sorted(ledger.keys() | at_venue.keys())
    )
    return tuple(item for item in found if abs(item.size) > tolerance)


@dataclass(frozen=True, slots=True)
class Sighting:
    """A difference and since when (wall clock) it has been seen unchanged."""

    difference: Difference
    since_us: int


def confirmed(
    before: Mapping[str, Sighting], now: tuple[Difference, ...], now_us: int
) -> tuple[dict[str, Sighting], tuple[Sighting, ...]]:
    """Return (sightings to remember, those that have stood unchanged since the comparison before).

    One look is not enough: a fill may be executed at the venue a moment before the ledger hears of it.
    """
    seen: dict[str, Sighting] = {}
    standing = []
    for difference in now:
        earlier = before.get(difference.asset)
        if earlier is not None and earlier.difference == difference:
            seen[difference.asset] = earlier
            standing.append(earlier)
        else:
            seen[difference.asset] = Sighting(difference, now_us)
    return seen, tuple(standing)
