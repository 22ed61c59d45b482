"""Adds the seed members of slots and what they revealed."""

from __future__ import annotations

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """Adds a table."""

    dependencies = [("read_model", "m0003_demonstration")]
    operations = [
        ops.CreateModel(
            name="SlotSeed",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("area", fields.CharField(max_length=128)),
                ("slot", fields.BigIntField()),
                ("member", fields.CharField(max_length=128)),
                ("seed", fields.CharField(null=True, max_length=64)),
            ],
            options={
                "table": "slot_seed",
                "app": "read_model",
                "unique_together": (("area", "slot", "member"),),
                "pk_attr": "id",
                "table_description": "A member that takes part in the draw of a slot, and its seed once revealed.",
            },
            bases=["Model"],
        ),
    ]
