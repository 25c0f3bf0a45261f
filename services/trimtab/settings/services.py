"""How each service works, and what all of them write down."""

from decimal import Decimal
from typing import Annotated, Literal

from pydantic import Field

from trimtab.settings.section import Lasting, Port, Seconds, Section

Factor = Annotated[Decimal, Field(gt=0, le=1_000)]


class LogSettings(Section):
    """Structured logs on standard error."""

    level: Literal["debug", "info", "warning", "error"] = "info"
    format: Literal["json", "console"] = "json"


class MetricsSettings(Section):
    """Prometheus endpoint of a service; port 0 takes a free one, None switches it off."""

    host: str = "127.0.0.1"
    port: Port | None = None


class IngestSettings(Section):
    """How market data become frames."""

    frame_interval_ms: int = Field(10, ge=1, le=10_000)
    frames_saved_max: int = Field(5, ge=1, le=1_000)  # so many may follow at once after a quiet moment
    full_frame_interval_ms: int = Field(1_000, ge=10, le=600_000)
    ladder_levels: int = Field(10, ge=1, le=100)


class DriftSettings(Section):
    """How decisions are made; everything here is part of what a replay needs."""

    signal_lifetime_seconds: int = Field(60, ge=1, le=86_400)
    quote_age_max_seconds: Lasting = 10.0
    region_scale: Factor = Decimal(1)  # on every band; 1 has the least risk and cost
    trigger: Factor = Decimal("1.25")
    landing: Decimal = Field(Decimal("0.75"), ge=0, le=1)
    safety_factor: Factor = Decimal(1)
    impact_coefficient: Factor = Decimal("0.7")  # Y of the square-root law before own fills say more; 0.5 to 1
    risk_half_life_seconds: Lasting = 3_600.0  # of volatilities
    risk_correlation_half_life_seconds: Lasting = 21_600.0
    risk_sample_seconds: float = Field(1.0, ge=0.05, le=86_400)
    risk_span_points: int = Field(60, ge=2, le=2_000)  # samples that one averaged return spans
    risk_observations_min: int = Field(10, ge=2, le=1_000_000)
    risk_publish_seconds: Lasting = 5.0


class ExecutorSettings(Section):
    """How orders are worked."""

    depth_share_max: Decimal = Field(Decimal("0.01"), gt=0, le=1)
    rest_seconds_min: Lasting = 2.0  # event time a child rests before it is re-priced
    patience_seconds: Lasting = 15.0  # event time the passive fill probability looks ahead
    lookup_interval_seconds: Seconds = 0.25
    lookup_after_ms: int = Field(500, ge=0, le=86_400_000)  # age at which an unanswered order is looked up
    lookups_for_absence: int = Field(3, ge=1, le=1_000)
    outbox_sweep_seconds: Seconds = 1.0
    lease_seconds: Seconds = 6.0


class ReconcilerSettings(Section):
    """How ledger and venue are compared."""

    compare_interval_seconds: Seconds = 5.0
    missed_fill_after_ms: int = Field(
        3_000, ge=0, le=86_400_000
    )  # age at which an open order is asked for fills not heard of
    # How long a difference has to stand: two looks may both fall into a moment in which the venue's reads lag.
    confirm_seconds: Seconds = 3.0
    busy_confirm_seconds: Seconds = 30.0  # how long a difference has to stand while orders are out or fills unbooked
    tolerance: Decimal = Field(Decimal("0.00000001"), ge=0, le=1)
