"""Adds the claims that retailers hold on clients."""

from __future__ import annotations

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """Adds a table and a column."""

    dependencies = [("read_model", "m0006_disputes_by_party")]
    operations = [
        ops.CreateModel(
            name="Claim",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("area", fields.CharField(max_length=128)),
                ("retailer", fields.CharField(max_length=128)),
                ("client", fields.CharField(max_length=128)),
                ("amount_nano", fields.BigIntField(default=0)),
                ("block", fields.BigIntField()),
            ],
            options={
                "table": "claim",
                "app": "read_model",
                "unique_together": (("area", "client", "retailer"),),
                "pk_attr": "id",
                "table_description": "What a retailer has paid for a client and not got back yet.",
            },
            bases=["Model"],
        ),
        ops.AddField(model_name="Account", name="claims_nano", field=fields.BigIntField(default=0)),
    ]
