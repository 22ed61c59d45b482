"""The tables of slots: their phases, who reveals seeds for them, and their prices.

`tables.py` has the other tables, and the list of all of them.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

NAME_MAX = 128  # characters of the name of a DID, member, account, zone or meter


class Slot(Model):
    """A slot that somebody has ordered for, or whose gate is closed."""

    id = fields.BigIntField(primary_key=True)
    area = fields.CharField(max_length=NAME_MAX)
    slot = fields.BigIntField()
    phase = fields.CharField(max_length=8)
    gate_s = fields.BigIntField(null=True)
    settled_wh = fields.BigIntField(default=0)
    residual_wh = fields.BigIntField(default=0)
    surplus_wh = fields.BigIntField(default=0)
    minted_wh = fields.BigIntField(default=0)
    retired_wh = fields.BigIntField(default=0)
    estimated = fields.IntField(default=0)
    block = fields.BigIntField()

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "slot"
        unique_together = (("area", "slot"),)


class SlotSeed(Model):
    """A member that takes part in the draw of a slot, and its seed once revealed."""

    id = fields.BigIntField(primary_key=True)
    area = fields.CharField(max_length=NAME_MAX)
    slot = fields.BigIntField()
    member = fields.CharField(max_length=NAME_MAX)
    seed = fields.CharField(max_length=64, null=True)

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "slot_seed"
        unique_together = (("area", "slot", "member"),)


class ZonePrice(Model):
    """What a zone cleared at in a slot."""

    id = fields.BigIntField(primary_key=True)
    area = fields.CharField(max_length=NAME_MAX)
    zone = fields.CharField(max_length=NAME_MAX)
    slot = fields.BigIntField()
    price = fields.BigIntField(null=True)
    volume_wh = fields.BigIntField()
    orders = fields.IntField()
    trades = fields.IntField()
    block = fields.BigIntField()

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "zone_price"
        unique_together = (("area", "zone", "slot"),)
        indexes = (("area", "slot"),)
