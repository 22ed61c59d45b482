"""The table of claims; see `tables.py`."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from api.read_model.slot_tables import NAME_MAX


class Claim(Model):
    """What a retailer has paid for a client and not got back yet."""

    id = fields.BigIntField(primary_key=True)
    area = fields.CharField(max_length=NAME_MAX)
    retailer = fields.CharField(max_length=NAME_MAX)
    client = fields.CharField(max_length=NAME_MAX)
    amount_nano = fields.BigIntField(default=0)
    block = fields.BigIntField()

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "claim"
        unique_together = (("area", "client", "retailer"),)
