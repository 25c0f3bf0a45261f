"""From signals to orders and fills, through the ledger."""
