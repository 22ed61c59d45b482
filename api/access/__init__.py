"""Who may see or do what: a table of fields and a table of rows.

Begin with `table.py`.
"""
