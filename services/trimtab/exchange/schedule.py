"""Faults on a schedule that a seed determines: those that whoever trades here has to live with."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from random import Random

from trimtab.exchange.faults import PLACES, Fault, Kind

SCHEDULED: tuple[Kind, ...] = tuple(kind for kind in PLACES if kind != "delisting")
"""What the schedule draws from, each as likely as any other: all that is not for good."""

# Everybody connects and looks up again after one: two within a minute are more weight than an address has.
_MAINTENANCE_APART_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Targets:
    """What faults strike in one dialect.

    `requests` as likely as they are often there; `repeatable` those that may be carried out twice (never the placing of
    an order: no client can prevent that there are two); `streams` parts of the names of streams.
    """

    requests: tuple[str, ...]
    repeatable: tuple[str, ...]
    streams: tuple[str, ...]


BINANCE = Targets(
    requests=("POST /api/v3/order", "POST /api/v3/order", "DELETE /api/v3/order", "GET /api/v3/order", ""),
    repeatable=("DELETE /api/v3/order", "GET /api/v3/order", "GET /api/v3/myTrades"),
    streams=("@depth", "@executionReport", ""),
)

# Less than a client waits before it takes the absence of its order for proven.
_DURATION_MS_MAX = 2000
# Less than makes Binance refuse what a client signs.
_SKEW_MS_MAX = 450
_STATUSES = (500, 502, 503, 504, 520, 522, 524)


def schedule(
    seed: int, symbols: Sequence[str], mean_gap_seconds: float = 5.0, targets: Targets = BINANCE
) -> Iterator[tuple[float, Fault]]:
    """An endless seeded sequence of (seconds since start, fault to arm), orders struck most.

    `symbols` are those whose markets may have faults.
    """
    random = Random(seed)  # noqa: S311 - chances in a test venue, no secrets
    at, maintained = 0.0, -_MAINTENANCE_APART_SECONDS
    while True:
        at += random.expovariate(1 / mean_gap_seconds)
        kind = random.choice(SCHEDULED)
        while kind == "maintenance" and at < maintained + _MAINTENANCE_APART_SECONDS:
            kind = random.choice(SCHEDULED)
        if kind == "maintenance":
            maintained = at
        yield (
            at,
            Fault(
                kind=kind,
                endpoint=random.choice(_struck(kind, targets)),
                status=random.choice(_STATUSES),
                retry_after_seconds=random.randint(1, 3),
                latency_ms=random.randint(50, 3000),
                cut=random.choice(("body", "connection")),
                streams=random.choice(("market", "user", "all")),
                duration_ms=random.randint(200, _DURATION_MS_MAX),
                skew_ms=random.randint(-_SKEW_MS_MAX, _SKEW_MS_MAX),
                drift_ppm=random.randint(-1000, 1000),
                notice_ms=random.choice((0, 0, 500)),
                symbol=random.choice(symbols),
                share_percent=random.randint(1, 20),
                sides=random.choice(("bids", "asks", "both")),
                symbol_status=random.choice(("BREAK", "HALT")),
            ),
        )


def _struck(kind: Kind, targets: Targets) -> tuple[str, ...]:
    """What a fault of this kind is armed for."""
    if kind.startswith("stream_"):
        return targets.streams
    return targets.repeatable if kind == "duplicate_request" else targets.requests
