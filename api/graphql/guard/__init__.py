"""Limits what a GraphQL document may cost, before the document is validated.

Begin with `admission.py`.
"""
