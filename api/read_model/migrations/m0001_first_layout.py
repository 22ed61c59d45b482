"""The first layout of the tables."""

from __future__ import annotations

from tortoise import fields, migrations
from tortoise.indexes import Index
from tortoise.migrations import operations as ops
from tortoise.migrations.schema_editor.base import BaseSchemaEditor
from tortoise.migrations.schema_generator.state import State


class Migration(migrations.Migration):
    """Makes every table."""

    initial = True
    operations = [
        ops.CreateModel(
            name="Account",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("area", fields.CharField(max_length=128)),
                ("owner", fields.CharField(max_length=128)),
                ("balance_nano", fields.BigIntField(default=0)),
                ("reserved_nano", fields.BigIntField(default=0)),
                ("minted_wh", fields.BigIntField(default=0)),
                ("live_wh", fields.BigIntField(default=0)),
                ("retired_wh", fields.BigIntField(default=0)),
                ("block", fields.BigIntField()),
                ("claims_nano", fields.BigIntField(default=0)),
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
        ops.CreateModel(
            name="Area",
            fields=[
                (
                    "area",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=128),
                ),
                ("dso", fields.CharField(max_length=128)),
                ("slot_s", fields.IntField()),
                ("real_anchor_s", fields.BigIntField()),
                ("market_anchor_s", fields.BigIntField()),
                ("rate", fields.IntField()),
                ("demonstration", fields.BooleanField(default=False)),
            ],
            options={
                "table": "area",
                "app": "read_model",
                "pk_attr": "area",
                "table_description": "An area with its clock, whose rate is 0 as long as it has none.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Certificate",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("area", fields.CharField(max_length=128)),
                ("slot", fields.BigIntField()),
                ("meter", fields.CharField(max_length=128)),
                ("owner", fields.CharField(max_length=128)),
                ("zone", fields.CharField(max_length=128)),
                ("source", fields.TextField(unique=False)),
                ("minted_wh", fields.BigIntField()),
                ("retired_wh", fields.BigIntField()),
                ("block", fields.BigIntField()),
            ],
            options={
                "table": "certificate",
                "app": "read_model",
                "unique_together": (("owner", "slot", "meter", "area"),),
                "indexes": [Index(fields=["area", "slot"])],
                "pk_attr": "id",
                "table_description": "Certificates of one slot at one meter.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Checkpoint",
            fields=[
                ("id", fields.IntField(primary_key=True, unique=True, db_index=True)),
                ("block", fields.BigIntField()),
                ("place", fields.IntField()),
                ("hash", fields.CharField(max_length=64)),
                ("time_s", fields.BigIntField()),
                ("channel", fields.CharField(max_length=128)),
                ("contract", fields.CharField(max_length=128)),
                ("layout", fields.IntField()),
                ("postings", fields.BigIntField()),
            ],
            options={
                "table": "checkpoint",
                "app": "read_model",
                "pk_attr": "id",
                "table_description": "How far the tables are, in one row: the last transaction they hold, and of which ledger.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Claim",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
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
        ops.CreateModel(
            name="MarketRules",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("area", fields.CharField(max_length=128)),
                ("from_slot", fields.BigIntField()),
                ("rules", fields.TextField(unique=False)),
            ],
            options={
                "table": "market_rules",
                "app": "read_model",
                "unique_together": (("area", "from_slot"),),
                "pk_attr": "id",
                "table_description": "An area's rules from a slot on, as JSON.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Meter",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
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
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
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
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
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
            name="OrderRow",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("area", fields.CharField(max_length=128)),
                ("slot", fields.BigIntField()),
                ("trader", fields.CharField(max_length=128)),
                ("client_id", fields.CharField(max_length=64)),
                ("meter", fields.CharField(max_length=128)),
                ("zone", fields.CharField(max_length=128)),
                ("side", fields.CharField(max_length=4)),
                ("quantity_wh", fields.BigIntField()),
                ("limit_price", fields.BigIntField()),
                ("steps", fields.TextField(unique=False)),
                ("expires_s", fields.BigIntField(null=True)),
                ("revision", fields.BigIntField(default=0)),
                ("open", fields.BooleanField(default=True)),
                ("matched_wh", fields.BigIntField(default=0)),
                ("settled_wh", fields.BigIntField(default=0)),
                ("disputed", fields.BooleanField(default=False)),
                ("left_out", fields.CharField(default="", max_length=16)),
                ("placed_s", fields.BigIntField()),
                ("block", fields.BigIntField()),
            ],
            options={
                "table": "order_row",
                "app": "read_model",
                "unique_together": (("trader", "slot", "client_id", "area"),),
                "indexes": [Index(fields=["slot", "zone"])],
                "pk_attr": "id",
                "table_description": "An order as it stands.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Organisation",
            fields=[
                (
                    "name",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=128),
                ),
                ("role", fields.CharField(max_length=16)),
            ],
            options={
                "table": "organisation",
                "app": "read_model",
                "pk_attr": "name",
                "table_description": "A member of the consortium.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Participant",
            fields=[
                (
                    "did",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=128),
                ),
                ("retailer", fields.CharField(max_length=128)),
                ("locked", fields.BooleanField()),
            ],
            options={
                "table": "participant",
                "app": "read_model",
                "indexes": [Index(fields=["retailer", "did"])],
                "pk_attr": "did",
                "table_description": "A prosumer or consumer by its trading DID.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Posting",
            fields=[
                ("sequence", fields.BigIntField(primary_key=True, unique=True, db_index=True)),
                ("area", fields.CharField(max_length=128)),
                ("slot", fields.BigIntField(null=True)),
                ("number", fields.IntField()),
                ("account", fields.CharField(max_length=128)),
                ("amount_nano", fields.BigIntField()),
                ("kind", fields.CharField(max_length=64)),
                ("trade", fields.IntField(null=True)),
                ("rule", fields.CharField(max_length=16)),
                ("quantity_wh", fields.BigIntField()),
                ("rate", fields.BigIntField()),
                ("in_price", fields.BigIntField()),
                ("base_nano", fields.BigIntField()),
                ("reference", fields.TextField(unique=False)),
                ("retailer", fields.CharField(max_length=128)),
                ("cause", fields.CharField(max_length=64)),
                ("transaction_id", fields.CharField(max_length=64)),
                ("block", fields.BigIntField()),
            ],
            options={
                "table": "posting",
                "app": "read_model",
                "indexes": [Index(fields=["account", "sequence"]), Index(fields=["slot", "trade"])],
                "pk_attr": "sequence",
                "table_description": "A line of the books, of a slot or of a payment, by a number over all of them.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Reading",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
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
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
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
            name="Slot",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("area", fields.CharField(max_length=128)),
                ("slot", fields.BigIntField()),
                ("phase", fields.CharField(max_length=8)),
                ("gate_s", fields.BigIntField(null=True)),
                ("settled_wh", fields.BigIntField(default=0)),
                ("residual_wh", fields.BigIntField(default=0)),
                ("surplus_wh", fields.BigIntField(default=0)),
                ("minted_wh", fields.BigIntField(default=0)),
                ("retired_wh", fields.BigIntField(default=0)),
                ("estimated", fields.IntField(default=0)),
                ("block", fields.BigIntField()),
            ],
            options={
                "table": "slot",
                "app": "read_model",
                "unique_together": (("area", "slot"),),
                "pk_attr": "id",
                "table_description": "A slot that somebody has ordered for, or whose gate is closed.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="SlotSeed",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
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
        ops.CreateModel(
            name="Supply",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
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
        ops.CreateModel(
            name="Trade",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("area", fields.CharField(max_length=128)),
                ("slot", fields.BigIntField()),
                ("number", fields.IntField()),
                ("buyer", fields.CharField(max_length=128)),
                ("seller", fields.CharField(max_length=128)),
                ("buy_order", fields.CharField(max_length=256)),
                ("sell_order", fields.CharField(max_length=256)),
                ("buy_meter", fields.CharField(max_length=128)),
                ("sell_meter", fields.CharField(max_length=128)),
                ("zone_path", fields.TextField(unique=False)),
                ("quantity_wh", fields.BigIntField()),
                ("buy_price", fields.BigIntField()),
                ("sell_price", fields.BigIntField()),
                ("relation", fields.CharField(max_length=16)),
                ("tariff", fields.BigIntField()),
                ("buy_cover_nano", fields.BigIntField()),
                ("sell_cover_nano", fields.BigIntField()),
                ("settled_wh", fields.BigIntField(null=True)),
                ("retired_wh", fields.BigIntField(default=0)),
                ("disputed", fields.BooleanField(default=False)),
                ("buyer_disputes", fields.BooleanField(default=False)),
                ("seller_disputes", fields.BooleanField(default=False)),
                ("block", fields.BigIntField()),
            ],
            options={
                "table": "trade",
                "app": "read_model",
                "unique_together": (("area", "slot", "number"),),
                "indexes": [
                    Index(fields=["buyer", "slot", "number"]),
                    Index(fields=["seller", "slot", "number"]),
                ],
                "pk_attr": "id",
                "table_description": "A trade of a slot with the covers it keeps reserved until it has settled.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="Zone",
            fields=[
                (
                    "zone",
                    fields.CharField(primary_key=True, unique=True, db_index=True, max_length=128),
                ),
                ("area", fields.CharField(max_length=128)),
                ("parent", fields.CharField(null=True, max_length=128)),
                ("grid_level", fields.IntField()),
                ("paused", fields.BooleanField()),
            ],
            options={
                "table": "zone",
                "app": "read_model",
                "pk_attr": "zone",
                "table_description": "A zone in its area's tree.",
            },
            bases=["Model"],
        ),
        ops.CreateModel(
            name="ZonePrice",
            fields=[
                (
                    "id",
                    fields.BigIntField(
                        generated=True, primary_key=True, unique=True, db_index=True
                    ),
                ),
                ("area", fields.CharField(max_length=128)),
                ("zone", fields.CharField(max_length=128)),
                ("slot", fields.BigIntField()),
                ("price", fields.BigIntField(null=True)),
                ("volume_wh", fields.BigIntField()),
                ("orders", fields.IntField()),
                ("trades", fields.IntField()),
                ("block", fields.BigIntField()),
            ],
            options={
                "table": "zone_price",
                "app": "read_model",
                "unique_together": (("area", "zone", "slot"),),
                "indexes": [Index(fields=["area", "slot"])],
                "pk_attr": "id",
                "table_description": "What a zone cleared at in a slot.",
            },
            bases=["Model"],
        ),
    ]

    async def apply(
        self,
        state: State,
        *,
        dry_run: bool = False,
        schema_editor: BaseSchemaEditor | None = None,
        collect_sql: bool = False,
    ) -> State:
        """Make all tables without the copies of all models that are taken before each operation.

        A new table needs no state before it, and the copies took most of an API's first start.
        """
        if dry_run or collect_sql or schema_editor is None:
            return await super().apply(
                state, dry_run=dry_run, schema_editor=schema_editor, collect_sql=collect_sql
            )
        for operation in self.operations:
            operation.state_forward(self.app_label, state)
            await operation.database_forward(self.app_label, state, state, schema_editor)
        return state
