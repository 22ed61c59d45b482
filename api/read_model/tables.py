"""The tables of the read model as Tortoise models; `migrations` has their migrations.

The tables of meters, their supply and who reads them are in `metering_tables.py`; Tortoise finds all
models here.

All rows except those of `MeterHealth` follow from the ledger's events and can be rebuilt. Integers
have 64 bits. Money is in nano-currency. One line of the books fits into 64 bits; the sums of an
account may not, so they are stored as decimal texts and added up in Python. Tortoise writes the first
sentence of a model to the database as a comment; it must not contain a semicolon. JSON is stored as
text on SQLite and PostgreSQL alike. An order's `steps` are empty if the order has one step, because
`limit_price` and `quantity_wh` say the same.
"""

from __future__ import annotations

from tortoise import fields
from tortoise.models import Model

from api.read_model.slot_tables import NAME_MAX

ORDER_NAME_MAX = 256  # characters of a trader with a client's id
SUM_CHARACTERS_MAX = 64  # of an account's sum: 10^45 payments of the largest amount
TABLES = (
    "account",
    "area",
    "certificate",
    "checkpoint",
    "claim",
    "market_rules",
    "meter",
    "meter_health",
    "oracle_set",
    "order_row",
    "organisation",
    "participant",
    "posting",
    "reading",
    "revoked_node",
    "slot",
    "slot_seed",
    "supply",
    "trade",
    "zone",
    "zone_price",
)
"""The names of all tables, which a rebuild drops."""


class Checkpoint(Model):
    """How far the tables are, in one row: the last transaction they hold, and of which ledger.

    `hash` is the hash of the block, by which another chain with the same names is noticed; `layout`
    is the version of the projected rows; `postings` is the number of lines of the books.
    """

    id = fields.IntField(primary_key=True, generated=False)
    block = fields.BigIntField()
    place = fields.IntField()
    hash = fields.CharField(max_length=64)
    time_s = fields.BigIntField()
    channel = fields.CharField(max_length=NAME_MAX)
    contract = fields.CharField(max_length=NAME_MAX)
    layout = fields.IntField()
    postings = fields.BigIntField()

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "checkpoint"


class Organisation(Model):
    """A member of the consortium."""

    name = fields.CharField(max_length=NAME_MAX, primary_key=True)
    role = fields.CharField(max_length=16)

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "organisation"


class Area(Model):
    """An area with its clock, whose rate is 0 as long as it has none."""

    area = fields.CharField(max_length=NAME_MAX, primary_key=True)
    dso = fields.CharField(max_length=NAME_MAX)
    slot_s = fields.IntField()
    real_anchor_s = fields.BigIntField()
    market_anchor_s = fields.BigIntField()
    rate = fields.IntField()
    demonstration = fields.BooleanField(default=False)

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "area"


class MarketRules(Model):
    """An area's rules from a slot on, as JSON."""

    id = fields.BigIntField(primary_key=True)
    area = fields.CharField(max_length=NAME_MAX)
    from_slot = fields.BigIntField()
    rules = fields.TextField()

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "market_rules"
        unique_together = (("area", "from_slot"),)


class Zone(Model):
    """A zone in its area's tree."""

    zone = fields.CharField(max_length=NAME_MAX, primary_key=True)
    area = fields.CharField(max_length=NAME_MAX)
    parent = fields.CharField(max_length=NAME_MAX, null=True)
    grid_level = fields.IntField()
    paused = fields.BooleanField()

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "zone"


class Participant(Model):
    """A prosumer or consumer by its trading DID."""

    did = fields.CharField(max_length=NAME_MAX, primary_key=True)
    retailer = fields.CharField(max_length=NAME_MAX)
    locked = fields.BooleanField()

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "participant"
        indexes = (("retailer", "did"),)


class OrderRow(Model):
    """An order as it stands."""

    id = fields.BigIntField(primary_key=True)
    area = fields.CharField(max_length=NAME_MAX)
    slot = fields.BigIntField()
    trader = fields.CharField(max_length=NAME_MAX)
    client_id = fields.CharField(max_length=64)
    meter = fields.CharField(max_length=NAME_MAX)
    zone = fields.CharField(max_length=NAME_MAX)
    side = fields.CharField(max_length=4)
    quantity_wh = fields.BigIntField()
    limit_price = fields.BigIntField()
    steps = fields.TextField()
    expires_s = fields.BigIntField(null=True)
    revision = fields.BigIntField(default=0)
    open = fields.BooleanField(default=True)
    matched_wh = fields.BigIntField(default=0)
    settled_wh = fields.BigIntField(default=0)
    disputed = fields.BooleanField(default=False)
    left_out = fields.CharField(max_length=16, default="")
    placed_s = fields.BigIntField()
    block = fields.BigIntField()

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "order_row"
        unique_together = (("trader", "slot", "client_id", "area"),)
        indexes = (("slot", "zone"),)


class Trade(Model):
    """A trade of a slot with the covers it keeps reserved until it has settled."""

    id = fields.BigIntField(primary_key=True)
    area = fields.CharField(max_length=NAME_MAX)
    slot = fields.BigIntField()
    number = fields.IntField()
    buyer = fields.CharField(max_length=NAME_MAX)
    seller = fields.CharField(max_length=NAME_MAX)
    buy_order = fields.CharField(max_length=ORDER_NAME_MAX)
    sell_order = fields.CharField(max_length=ORDER_NAME_MAX)
    buy_meter = fields.CharField(max_length=NAME_MAX)
    sell_meter = fields.CharField(max_length=NAME_MAX)
    zone_path = fields.TextField()
    quantity_wh = fields.BigIntField()
    buy_price = fields.BigIntField()
    sell_price = fields.BigIntField()
    relation = fields.CharField(max_length=16)
    tariff = fields.BigIntField()
    buy_cover_nano = fields.BigIntField()
    sell_cover_nano = fields.BigIntField()
    settled_wh = fields.BigIntField(null=True)
    retired_wh = fields.BigIntField(default=0)
    disputed = fields.BooleanField(default=False)
    buyer_disputes = fields.BooleanField(default=False)
    seller_disputes = fields.BooleanField(default=False)
    block = fields.BigIntField()

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "trade"
        unique_together = (("area", "slot", "number"),)
        indexes = (("buyer", "slot", "number"), ("seller", "slot", "number"))


class Posting(Model):
    """A line of the books, of a slot or of a payment, by a number over all of them."""

    sequence = fields.BigIntField(primary_key=True, generated=False)
    area = fields.CharField(max_length=NAME_MAX)
    slot = fields.BigIntField(null=True)
    number = fields.IntField()
    account = fields.CharField(max_length=NAME_MAX)
    amount_nano = fields.BigIntField()
    kind = fields.CharField(max_length=64)
    trade = fields.IntField(null=True)
    rule = fields.CharField(max_length=16)
    quantity_wh = fields.BigIntField()
    rate = fields.BigIntField()
    in_price = fields.BigIntField()
    base_nano = fields.BigIntField()
    reference = fields.TextField()
    retailer = fields.CharField(max_length=NAME_MAX)
    cause = fields.CharField(max_length=64)
    transaction_id = fields.CharField(max_length=64)
    block = fields.BigIntField()

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "posting"
        indexes = (("account", "sequence"), ("slot", "trade"))


class Account(Model):
    """What an owner has, the balance being the sum of its postings."""

    id = fields.BigIntField(primary_key=True)
    area = fields.CharField(max_length=NAME_MAX)
    owner = fields.CharField(max_length=NAME_MAX)
    balance_nano = fields.CharField(max_length=SUM_CHARACTERS_MAX, default="0")
    reserved_nano = fields.CharField(max_length=SUM_CHARACTERS_MAX, default="0")
    minted_wh = fields.BigIntField(default=0)
    live_wh = fields.BigIntField(default=0)
    retired_wh = fields.BigIntField(default=0)
    block = fields.BigIntField()
    claims_nano = fields.CharField(max_length=SUM_CHARACTERS_MAX, default="0")

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "account"
        unique_together = (("area", "owner"),)


class Certificate(Model):
    """Certificates of one slot at one meter."""

    id = fields.BigIntField(primary_key=True)
    area = fields.CharField(max_length=NAME_MAX)
    slot = fields.BigIntField()
    meter = fields.CharField(max_length=NAME_MAX)
    owner = fields.CharField(max_length=NAME_MAX)
    zone = fields.CharField(max_length=NAME_MAX)
    source = fields.TextField()
    minted_wh = fields.BigIntField()
    retired_wh = fields.BigIntField()
    block = fields.BigIntField()

    class Meta(Model.Meta):
        """The name and the keys of the table."""

        table = "certificate"
        unique_together = (("owner", "slot", "meter", "area"),)
        indexes = (("area", "slot"),)
