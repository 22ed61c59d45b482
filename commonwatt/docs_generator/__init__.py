"""Generates reference pages from the code, and the picture of the market in `docs/start.md`.

Begin with `pages.py`.
"""
