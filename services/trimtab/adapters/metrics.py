"""Every metric of trimtab, in one catalogue, published in Prometheus' format.

Dashboards, alerts and documentation may use these names and no others; tests hold them, and every name that the code
measures, against the catalogue.
"""

from dataclasses import dataclass
from typing import Literal

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    PlatformCollector,
    ProcessCollector,
    start_http_server,
)

from trimtab.domain.errors import InvalidValueError
from trimtab.settings import MetricsSettings

_FAST = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0)
_SLOW = (0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
_SHARE = (0.1, 0.25, 0.5, 0.75, 0.9, 0.99, 1.0, 1.25, 1.5, 2.0, 5.0)


@dataclass(frozen=True, slots=True)
class Metric:
    """One entry: name, kind, what it says (with its unit), its labels, and a histogram's buckets."""

    name: str
    kind: Literal["counter", "gauge", "histogram"]
    says: str
    labels: tuple[str, ...] = ()
    buckets: tuple[float, ...] = ()


CATALOGUE: tuple[Metric, ...] = (
    # Market data, by ingest
    Metric("ticks_total", "counter", "public trades received", ("venue",)),
    Metric("books_total", "counter", "book updates received", ("venue",)),
    Metric("book_resyncs_total", "counter", "times that a book had to be fetched anew", ("venue",)),
    Metric("stale_instruments", "gauge", "instruments whose book must not be traded on", ("venue",)),
    Metric("frame_age_seconds", "histogram", "age of the oldest update in a frame when it is published", (), _FAST),
    # Decisions, by drift
    Metric("portfolio_drift_ratio", "gauge", "largest drift of any asset over its half band", ("portfolio_id",)),
    Metric("drift_velocity", "gauge", "change of portfolio_drift_ratio per minute", ("portfolio_id",)),
    Metric("decisions_total", "counter", "decisions, to hold ones included", ("outcome", "reason")),
    # Orders, by the executor
    Metric("signals_total", "counter", "signals settled, by outcome: accepted or why not", ("outcome",)),
    Metric("tick_to_order_seconds", "histogram", "from a tick received to its first order answered", (), _FAST),
    Metric("rebalance_duration_seconds", "histogram", "from a tick received to its signal's orders sent", (), _FAST),
    Metric("execution_latency_seconds", "histogram", "from an order sent to the venue's answer", ("venue",), _FAST),
    Metric("orders_total", "counter", "orders answered, by the state the answer left them in", ("venue", "state")),
    Metric("orders_unknown_total", "counter", "orders whose outcome was unknown at first", ("venue",)),
    Metric("unknown_orders", "gauge", "orders whose outcome is unknown now", ("venue", "account")),
    Metric("unknown_order_age_seconds", "gauge", "age of the oldest of them; 0 if there is none", ("venue", "account")),
    Metric("order_fill_ratio", "histogram", "filled share of a parent order when it closes", ("venue",), _SHARE),
    Metric("slippage_ratio", "gauge", "last fill's price against its decision price, worse is more", ("venue",)),
    Metric("slippage_budget_utilization", "histogram", "slippage over the signal's budget", ("venue",), _SHARE),
    Metric("rebalance_cost_ratio", "gauge", "cost of the last rebalance over its modelled benefit", ("portfolio_id",)),
    Metric("exchange_rate_limit_remaining", "gauge", "share of the venue's request limit that is left", ("venue",)),
    Metric("circuit_breaker_state", "gauge", "0 closed, 1 half open, 2 open", ("venue",)),
    # The ledger, by executor and reconciler
    Metric("shadow_ledger_lock_failures_total", "counter", "transactions that gave in to another one"),
    Metric("outbox_lag_seconds", "gauge", "age of the oldest message in the outbox that is not sent"),
    Metric("fills_settled_total", "counter", "fills booked", ("venue",)),
    Metric("settlement_seconds", "histogram", "from a fill at the venue to its booking", ("venue",), _SLOW),
    Metric("reconciliation_breaks_total", "counter", "differences found between ledger and venue", ("kind",)),
    Metric("open_breaks", "gauge", "differences that are not explained yet", ("kind",)),
    # Topics, by every process
    Metric("consumer_records_total", "counter", "records handled", ("topic", "group")),
    Metric("consumer_failures_total", "counter", "times that a record's handler failed", ("topic", "group")),
    Metric("consumer_lag", "gauge", "records not handled yet", ("topic", "partition", "group")),
    Metric("publish_failures_total", "counter", "market data records that were not published", ("topic",)),
    Metric("dead_letters_total", "counter", "records given up: not decodable, or failing each time", ("topic",)),
)

_BY_NAME = {metric.name: metric for metric in CATALOGUE}


class PrometheusMeter:
    """Implements ports.metrics.Meter on a registry of its own, beside the usual figures of the process."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        GCCollector(registry=self.registry)
        self._made: dict[str, Counter | Gauge | Histogram] = {
            name: _made(metric, self.registry) for name, metric in _BY_NAME.items()
        }

    def count(self, name: str, /, amount: float = 1, **labels: str) -> None:
        """Add to a counter."""
        metric = self._made[name]
        assert isinstance(metric, Counter), f"{name} is no counter"
        (metric.labels(**labels) if labels else metric).inc(amount)

    def observe(self, name: str, value: float, /, **labels: str) -> None:
        """Put a value into a histogram."""
        metric = self._made[name]
        assert isinstance(metric, Histogram), f"{name} is no histogram"
        (metric.labels(**labels) if labels else metric).observe(value)

    def set(self, name: str, value: float, /, **labels: str) -> None:
        """Set a gauge."""
        metric = self._made[name]
        assert isinstance(metric, Gauge), f"{name} is no gauge"
        (metric.labels(**labels) if labels else metric).set(value)


def serve_metrics(settings: MetricsSettings, meter: PrometheusMeter) -> int | None:
    """Answer Prometheus in a thread; return the port, or None if it is switched off.

    Raises:
        InvalidValueError: if the address is not to be had.

    """
    if settings.port is None:
        return None
    try:
        server, _ = start_http_server(settings.port, settings.host, meter.registry)
    except OSError as error:
        address = f"{settings.host}:{settings.port}"
        raise InvalidValueError("metrics", address, f"a free address ({error.strerror})") from None
    return int(server.server_port)


def _made(metric: Metric, registry: CollectorRegistry) -> Counter | Gauge | Histogram:
    if metric.kind == "counter":
        return Counter(metric.name, metric.says, metric.labels, registry=registry)
    if metric.kind == "gauge":
        return Gauge(metric.name, metric.says, metric.labels, registry=registry)
    return Histogram(metric.name, metric.says, metric.labels, registry=registry, buckets=metric.buckets)
