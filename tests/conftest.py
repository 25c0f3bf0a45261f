"""Fixtures that more than one kind of test needs."""

pytest_plugins = ["ledger_fixtures", "ledger_worlds"]
