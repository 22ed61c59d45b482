"""Reference pages that are written from the code, and the picture of the market in the README.

Begin with `pages.py`.
"""
