"""The port `Ledger` and its engines."""
