"""The first layout of the tables in `metering_tables.py`."""

from __future__ import annotations

from tortoise import fields
from tortoise.indexes import Index
from tortoise.migrations import operations as ops

from api.read_model.new_tables import NewTables


class Migration(NewTables):
    """Makes the tables of meters, their supply and who reads them."""

    dependencies = [("read_model", "m0001_first_layout")]
    operations = [
        ops.CreateModel(
            name="Meter",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("meter", fields.CharField(max_length=128)),
                ("from_slot", fields.BigIntField()),
                ("area", fields.CharField(max_length=128)),
                ("holder", fields.CharField(max_length=128)),
                ("zone", fields.CharField(max_length=128)),
                ("grid_level", fields.IntField()),
                ("import_w", fields.BigIntField()),
                ("export_w", fields.BigIntField()),
                ("source", fields.TextField(unique=False)),
                ("retired", fields.BooleanField(default=False)),
            ],
            options={
                "table": "meter",
                "app": "read_model",
                "unique_together": (("meter", "from_slot"),),
                "indexes": [Index(fields=["holder"]), Index(fields=["area", "meter"])],
                "pk_attr": "id",
                "table_description": "A certified meter from a slot on, or a retired one.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="MeterHealth",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("meter", fields.CharField(max_length=128)),
                ("node", fields.CharField(max_length=128)),
                ("state", fields.CharField(max_length=32)),
                ("sentence", fields.TextField(unique=False)),
                ("at_s", fields.BigIntField()),
                ("said_ms", fields.BigIntField(default=0)),
            ],
            options={
                "table": "meter_health",
                "app": "read_model",
                "unique_together": (("meter", "node"),),
                "pk_attr": "id",
                "table_description": "How a node of the oracle finds a meter, told by the node and not by the ledger.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="OracleSet",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("area", fields.CharField(max_length=128)),
                ("from_slot", fields.BigIntField()),
                ("oracle", fields.TextField(unique=False)),
            ],
            options={
                "table": "oracle_set",
                "app": "read_model",
                "unique_together": (("area", "from_slot"),),
                "pk_attr": "id",
                "table_description": "An area's oracle nodes from a slot on, as JSON.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Reading",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("meter", fields.CharField(max_length=128)),
                ("boundary", fields.BigIntField()),
                ("slot", fields.BigIntField()),
                ("rank", fields.CharField(max_length=16)),
                ("import_wh", fields.BigIntField()),
                ("export_wh", fields.BigIntField()),
                ("generation_wh", fields.BigIntField(null=True)),
                ("resolution_wh", fields.IntField()),
                ("block", fields.BigIntField()),
            ],
            options={
                "table": "reading",
                "app": "read_model",
                "unique_together": (("meter", "boundary"),),
                "pk_attr": "id",
                "table_description": "A meter's registers at a boundary, which is the end of `slot`.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="RevokedNode",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("area", fields.CharField(max_length=128)),
                ("node", fields.CharField(max_length=128)),
                ("from_s", fields.BigIntField()),
            ],
            options={
                "table": "revoked_node",
                "app": "read_model",
                "unique_together": (("area", "node"),),
                "pk_attr": "id",
                "table_description": "An oracle node whose signature counts for no slot, from a second of market time on.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Supply",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("meter", fields.CharField(max_length=128)),
                ("from_slot", fields.BigIntField()),
                ("holder", fields.CharField(max_length=128)),
                ("retailer", fields.CharField(max_length=128)),
                ("offtaker", fields.CharField(max_length=128)),
            ],
            options={
                "table": "supply",
                "app": "read_model",
                "unique_together": (("meter", "from_slot"),),
                "pk_attr": "id",
                "table_description": "Who supplies a meter from a slot on, with empty names where nobody does.",
            },
            bases=["Model"],
        ),
    ]
