"""Orders as they stand, the depth of a book, and carrying what traders signed.

Begin with `types.py`.
"""
