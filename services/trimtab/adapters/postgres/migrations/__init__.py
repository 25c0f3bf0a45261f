"""Alembic's environment and the ledger's migrations, in order. Each is plain SQL and runs once."""
