"""Adds who supplies a meter, retired meters, and revoked oracle nodes."""

from __future__ import annotations

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """Adds two tables; a meter's retailer moves into one of them."""

    dependencies = [("read_model", "m0002_oracle")]
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
        ops.RemoveField(model_name="Meter", name="retailer"),
        ops.AddField(model_name="Meter", name="retired", field=fields.BooleanField(default=False)),
    ]
