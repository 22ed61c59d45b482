"""What changes while somebody watches: subscriptions, and how old an answer is.

Begin with `subscriptions.py`.
"""
