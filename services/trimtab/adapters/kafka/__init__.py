"""Kafka over confluent-kafka: publisher, group consumer, broadcast reader, dead letters, administration."""
