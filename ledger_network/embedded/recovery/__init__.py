"""Work on a data folder: start, rebuild, verify, export.

Begin with `start.py`. `replay.py` holds what a start, a rebuild and a check share.
"""
