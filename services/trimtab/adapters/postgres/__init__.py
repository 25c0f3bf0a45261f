"""The shadow ledger in PostgreSQL."""
