"""GraphQL over HTTP and WebSocket, from the bytes of a request to those of its answer.

Begin with `endpoint.py`. What each field means is in `features/`.
"""
