"""The app and the HTTP server: routes, limits of request heads, logs, health, static files.

Begin with `app.py`. The package `graphql/` answers GraphQL requests.
"""
