"""Who delivered what, which postings follow, the run that settles, corrections, disputes.

Begin with `delivery.py` and `postings.py`, which are pure functions; `run.py` drives them.
"""
