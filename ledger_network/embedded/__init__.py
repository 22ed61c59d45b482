"""The embedded ledger: one process, one folder, one trust domain."""
