"""Migrations of the tables: one module for each change of their layout, applied in order.

`tortoise makemigrations` writes one from `tables.py`; name it `m<number>_<what changed>` and list
it here. One that only makes tables is a `NewTables`.
"""

from api.read_model.migrations import m0001_first_layout as m0001_first_layout
from api.read_model.migrations import m0002_oracle as m0002_oracle
