"""Subscriptions to changes of the read model, and the age of its answers.

Begin with `subscriptions.py`.
"""
