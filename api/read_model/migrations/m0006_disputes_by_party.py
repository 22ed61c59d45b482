"""Adds which party disputes a trade."""

from __future__ import annotations

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """Adds two columns."""

    dependencies = [("read_model", "m0005_supply")]
    operations = [
        ops.AddField(
            model_name="Trade",
            name="buyer_disputes",
            field=fields.BooleanField(default=False),
        ),
        ops.AddField(
            model_name="Trade",
            name="seller_disputes",
            field=fields.BooleanField(default=False),
        ),
    ]
