"""Adds who supplies a meter, retired meters, and revoked oracle nodes."""

from __future__ import annotations

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """Adds two tables, and makes that of meters again: their rows are read from the ledger again."""

    dependencies = [("read_model", "m0004_seeds")]
    operations = [
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
                "table_description": (
                    "Who supplies a meter from a slot on, with empty names where nobody does."
                ),
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
                "table_description": (
                    "An oracle node whose signature counts for no slot, from a second of market "
                    "time on."
                ),
            },
            bases=["Model"],
        ),
        ops.DeleteModel(name="Meter"),
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
    ]
