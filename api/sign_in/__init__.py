"""Who is asking: sign-in by wallet, sessions, access tokens.

Begin with `session.py`.
"""
