"""The signed-in user, a retailer's clients, and the fields for sign-in.

Begin with `types.py`.
"""
