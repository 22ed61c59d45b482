"""The state that follows from the blocks: rows in SQLite, rows in memory, copies, look-ups.

Begin with `state_store.py`. Nothing here decides whether a transaction commits; `commit/` does.
"""
