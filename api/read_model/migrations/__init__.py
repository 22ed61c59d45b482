"""Migrations of the tables: one module for each change of their layout, applied in order.

`tortoise makemigrations` writes one from `tables.py`; name it `m<number>_<what changed>` and list
it here.
"""

from api.read_model.migrations import m0001_first_layout as m0001_first_layout
from api.read_model.migrations import m0002_oracle as m0002_oracle
from api.read_model.migrations import m0003_demonstration as m0003_demonstration
from api.read_model.migrations import m0004_seeds as m0004_seeds
from api.read_model.migrations import m0005_supply as m0005_supply
from api.read_model.migrations import m0006_disputes_by_party as m0006_disputes_by_party
from api.read_model.migrations import m0007_claims as m0007_claims
from api.read_model.migrations import m0008_wide_money as m0008_wide_money
