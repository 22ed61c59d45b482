"""Meters, their readings and health, and what a household may offer.

Begin with `types.py`.
"""
