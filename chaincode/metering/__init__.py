"""Certified meters, oracle reports, stored readings, estimates.

Begin with `meters.py`, then `reports.py`.
"""
