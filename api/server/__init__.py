"""The app and what every request meets: routes, headers, bounded heads, logs, metrics, files.

Begin with `app.py`. GraphQL itself is answered in `graphql/`.
"""
