"""GraphQL, sessions, read model and dashboard."""
