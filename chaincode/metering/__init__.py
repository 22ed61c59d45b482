"""Certified meters, who supplies them, who reads them, oracle reports, stored readings, estimates.

Begin with `meters.py` (the rows), then `certification.py` and `supply.py`, which write them. Oracles are
in `oracles.py`, their reports in `reports.py`.
"""
