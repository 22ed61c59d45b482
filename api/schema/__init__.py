"""The GraphQL schema: types, queries, mutations, subscriptions, and the plan for hot lists."""
