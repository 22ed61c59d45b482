"""The read model: what the ledger's events have told, in tables that answer the API's queries."""
