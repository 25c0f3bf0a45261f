"""The outside world: Kafka, Avro, PostgreSQL, venues, clock, metrics, tracing."""
