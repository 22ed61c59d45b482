"""Who is signed in, a retailer's clients, and sign-in itself as fields.

Begin with `types.py`.
"""
