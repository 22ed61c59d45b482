"""Migrations of the tables: one module for each change of their layout, applied in order.

`tortoise makemigrations` writes one from `tables.py`; name it `m<number>_<what changed>` and list
it here.
"""

from api.read_model.migrations import m0001_first_layout as m0001_first_layout
