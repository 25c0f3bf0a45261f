"""How risk is estimated where the market is only heard of once a bar."""

from trimtab.settings import DriftSettings

_DAY_SECONDS = 86_400
_HALF_LIFE_BARS = 30
_PUBLISH_SECONDS = 3_600
_DAY_BARS_MAX = 288  # a day's of five minutes
_DAY_BARS_MIN = 30


def on_bars(settings: DriftSettings, bar_seconds: int) -> DriftSettings:
    """Return the settings with a sample a bar, and a memory of a day at least; all else stays as it is.

    A drift lasts for weeks, so the estimate may remember a day. Closes come all at once and without the noise of single
    quotes: there is nothing to average away. A price counts until the next bar has closed.
    """
    sample = min(bar_seconds, _DAY_SECONDS)
    half_life = max(_DAY_SECONDS, _HALF_LIFE_BARS * sample)
    return settings.model_copy(
        update={
            "risk_sample_seconds": float(sample),
            "risk_span_points": 2,
            "risk_half_life_seconds": float(half_life),
            "risk_correlation_half_life_seconds": float(half_life),
            "risk_publish_seconds": float(max(_PUBLISH_SECONDS, sample)),
            "risk_observations_min": max(_DAY_BARS_MIN, min(_DAY_BARS_MAX, half_life // sample)),
            "quote_age_max_seconds": float(max(settings.quote_age_max_seconds, sample)),
        }
    )
