"""Apache Kafka, a schema registry and PostgreSQL as child processes: no Docker, nothing installed system-wide.

The services take any Kafka, registry and PostgreSQL by settings; this package is one provider of addresses.
"""
