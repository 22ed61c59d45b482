"""Identifies the viewer of a request: sign-in by wallet, sessions, access tokens.

Begin with `session.py`.
"""
