"""Market data that others recorded, as market topics: through the exchange's readers and ingest's own code."""
