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
    """A difference as it is now, and since when (wall clock) its size has been the same."""

    difference: Difference
    since_us: int


def confirmed(
    before: Mapping[str, Sighting], now: tuple[Difference, ...], now_us: int
) -> tuple[dict[str, Sighting], tuple[Sighting, ...]]:
    """Return (sightings to remember, those that have stood unchanged since the comparison before).

    One look is not enough: a fill may be executed at the venue a moment before the ledger hears of it. What must not
    change is the size: both sides move together while orders fill.
    """
    seen: dict[str, Sighting] = {}
    standing = []
    for difference in now:
        earlier = before.get(difference.asset)
        if earlier is not None and earlier.difference.size == difference.size:
            sighting = Sighting(difference, earlier.since_us)
            standing.append(sighting)
        else:
            sighting = Sighting(difference, now_us)
        seen[difference.asset] = sighting
    return seen, tuple(standing)


def ripe(standing: Iterable[Sighting], now_us: int, bound_seconds: float) -> tuple[Sighting, ...]:
    """Return the differences that have stood for this long."""
    return tuple(sighting for sighting in standing if now_us - sighting.since_us >= bound_seconds * 1_000_000)


def lacking(sightings: Iterable[Sighting]) -> set[str]:
    """Return the assets of which the venue has less than the ledger."""
    return {sighting.difference.asset for sighting in sightings if sighting.difference.size < 0}
