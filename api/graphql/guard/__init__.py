"""What a GraphQL document may cost, decided before it is validated.

Begin with `admission.py`.
"""
