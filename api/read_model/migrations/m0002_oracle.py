"""Adds the oracle's nodes as the ledger names them, and the time of each node's last report."""

from __future__ import annotations

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """Adds a table and a column."""

    dependencies = [("read_model", "m0001_first_layout")]
    operations = [
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
        ops.AddField(model_name="MeterHealth", name="said_ms", field=fields.BigIntField(default=0)),
    ]
