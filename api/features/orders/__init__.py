"""Orders with their states, the depth of a book, and the submission of signed tokens.

Begin with `types.py`.
"""
