"""Settlement of slots: deliveries, postings, the run that settles, corrections and disputes.

Begin with `delivery.py` and `postings.py`, which are pure functions; `run.py` drives them.
"""
