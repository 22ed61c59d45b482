"""The read model: the content of the ledger's events, in tables that answer the API's queries."""
