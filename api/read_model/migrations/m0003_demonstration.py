"""Adds whether an area is a demonstration."""

from __future__ import annotations

from tortoise import fields, migrations
from tortoise.migrations import operations as ops


class Migration(migrations.Migration):
    """Adds a column."""

    dependencies = [("read_model", "m0002_oracle")]
    operations = [
        ops.AddField(
            model_name="Area", name="demonstration", field=fields.BooleanField(default=False)
        ),
    ]
