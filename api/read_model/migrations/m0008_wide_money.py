"""Holds the money of an account as a decimal text, since its sum may need more than 64 bits."""

from __future__ import annotations

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """Makes the table of accounts again: its rows are read from the ledger again."""

    dependencies = [("read_model", "m0007_claims")]
    operations = [
        ops.DeleteModel(name="Account"),
        ops.CreateModel(
            name="Account",
            fields=[
                ("id", fields.BigIntField(primary_key=True)),
                ("area", fields.CharField(max_length=128)),
                ("owner", fields.CharField(max_length=128)),
                ("balance_nano", fields.CharField(default="0", max_length=64)),
                ("reserved_nano", fields.CharField(default="0", max_length=64)),
                ("minted_wh", fields.BigIntField(default=0)),
                ("live_wh", fields.BigIntField(default=0)),
                ("retired_wh", fields.BigIntField(default=0)),
                ("block", fields.BigIntField()),
                ("claims_nano", fields.CharField(default="0", max_length=64)),
            ],
            options={
                "table": "account",
                "app": "read_model",
                "unique_together": (("area", "owner"),),
                "pk_attr": "id",
                "table_description": "What an owner has, the balance being the sum of its postings.",
            },
            bases=["Model"],
        ),
    ]
