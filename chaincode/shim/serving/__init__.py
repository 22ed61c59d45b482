"""The server that peers call: connections, streams, worker threads, settings, metrics.

Begin with `server.py`.
"""
