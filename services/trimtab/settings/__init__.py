"""Every setting of trimtab, read once, checked, frozen.

Values come from a YAML file (named by `TRIMTAB_SETTINGS`) and from the environment, which wins:
`TRIMTAB_KAFKA__BOOTSTRAP_SERVERS` sets `kafka.bootstrap_servers`. Unknown keys are errors.
"""

from trimtab.settings.kafka import KafkaSettings, RegistrySettings
from trimtab.settings.loading import FILE_VARIABLE, OTHER_VARIABLES, Settings, load_settings
from trimtab.settings.postgres import PostgresSettings
from trimtab.settings.services import (
    DriftSettings,
    ExecutorSettings,
    IngestSettings,
    LogSettings,
    MetricsSettings,
    ReconcilerSettings,
)
from trimtab.settings.venues import AccountSettings, VenueSettings

__all__ = [
    "FILE_VARIABLE",
    "OTHER_VARIABLES",
    "AccountSettings",
    "DriftSettings",
    "ExecutorSettings",
    "IngestSettings",
    "KafkaSettings",
    "LogSettings",
    "MetricsSettings",
    "PostgresSettings",
    "ReconcilerSettings",
    "RegistrySettings",
    "Settings",
    "VenueSettings",
    "load_settings",
]
