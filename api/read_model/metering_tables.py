"""The tables of meters, their supply, their readings and who reads them; see `tables.py`."""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from api.read_model.slot_tables import NAME_MAX


class OracleSet(Model):
    """An area's oracle nodes from a slot on, as JSON."""

    id = fields.BigIntField(primary_key=True)
    area = fields.CharField(max_length=NAME_MAX)
    from_slot = fields.BigIntField()
    oracle = fields.TextField()

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "oracle_set"
        unique_together = (("area", "from_slot"),)


class RevokedNode(Model):
    """An oracle node whose signature counts for no slot, from a second of market time on."""

    id = fields.BigIntField(primary_key=True)
    area = fields.CharField(max_length=NAME_MAX)
    node = fields.CharField(max_length=NAME_MAX)
    from_s = fields.BigIntField()

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "revoked_node"
        unique_together = (("area", "node"),)


class Meter(Model):
    """A certified meter from a slot on, or a retired one."""

    id = fields.BigIntField(primary_key=True)
    meter = fields.CharField(max_length=NAME_MAX)
    from_slot = fields.BigIntField()
    area = fields.CharField(max_length=NAME_MAX)
    holder = fields.CharField(max_length=NAME_MAX)
    zone = fields.CharField(max_length=NAME_MAX)
    grid_level = fields.IntField()
    import_w = fields.BigIntField()
    export_w = fields.BigIntField()
    source = fields.TextField()
    retired = fields.BooleanField(default=False)

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "meter"
        unique_together = (("meter", "from_slot"),)
        indexes = (("holder",), ("area", "meter"))


class Supply(Model):
    """Who supplies a meter from a slot on, with empty names where nobody does."""

    id = fields.BigIntField(primary_key=True)
    meter = fields.CharField(max_length=NAME_MAX)
    from_slot = fields.BigIntField()
    holder = fields.CharField(max_length=NAME_MAX)
    retailer = fields.CharField(max_length=NAME_MAX)
    offtaker = fields.CharField(max_length=NAME_MAX)

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "supply"
        unique_together = (("meter", "from_slot"),)


class Reading(Model):
    """A meter's registers at a boundary, which is the end of `slot`."""

    id = fields.BigIntField(primary_key=True)
    meter = fields.CharField(max_length=NAME_MAX)
    boundary = fields.BigIntField()
    slot = fields.BigIntField()
    rank = fields.CharField(max_length=16)
    import_wh = fields.BigIntField()
    export_wh = fields.BigIntField()
    generation_wh = fields.BigIntField(null=True)
    resolution_wh = fields.IntField()
    block = fields.BigIntField()

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "reading"
        unique_together = (("meter", "boundary"),)


class MeterHealth(Model):
    """How a node of the oracle finds a meter, told by the node and not by the ledger."""

    id = fields.BigIntField(primary_key=True)
    meter = fields.CharField(max_length=NAME_MAX)
    node = fields.CharField(max_length=NAME_MAX)
    state = fields.CharField(max_length=32)
    sentence = fields.TextField()
    at_s = fields.BigIntField()
    said_ms = fields.BigIntField(default=0)

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "meter_health"
        unique_together = (("meter", "node"),)
