"""What the projection writes, as SQL that SQLite and PostgreSQL both understand."""

from __future__ import annotations

from collections.abc import Sequence


def upsert(table: str, key: Sequence[str], values: Sequence[str]) -> str:
    """Insert a row of key and values, in this order, or change the values of the one there is."""
    columns = (*key, *values)
    places = ", ".join("?" for _ in columns)
    changes = ", ".join(f"{name} = excluded.{name}" for name in values)
    return (
        f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places}) "
        f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {changes}"
    )


def insert(table: str, columns: Sequence[str]) -> str:
    """Insert a row."""
    places = ", ".join("?" for _ in columns)
    return f"INSERT INTO {table} ({', '.join(columns)}) VALUES ({places})"


PUT_ORGANISATION = upsert("organisation", ["name"], ["role"])
PUT_AREA = upsert("area", ["area"], ["dso", "slot_s", "real_anchor_s", "market_anchor_s", "rate"])
SET_CLOCK = "UPDATE area SET real_anchor_s = ?, market_anchor_s = ?, rate = ? WHERE area = ?"
PUT_RULES = upsert("market_rules", ["area", "from_slot"], ["rules"])
PUT_ORACLE = upsert("oracle_set", ["area", "from_slot"], ["oracle"])
PUT_ZONE = upsert("zone", ["zone"], ["area", "parent", "grid_level", "paused"])
SET_PAUSED = "UPDATE zone SET paused = ? WHERE zone = ?"
PUT_PARTICIPANT = upsert("participant", ["did"], ["retailer", "locked"])
SET_LOCKED = "UPDATE participant SET locked = ? WHERE did = ?"
PUT_METER = upsert(
    "meter",
    ["meter", "from_slot"],
    [
        "area", "holder", "retailer", "zone", "grid_level", "import_w", "export_w", "source",
    ],
)  # fmt: skip

_SUMS = ("settled_wh", "residual_wh", "surplus_wh", "minted_wh", "retired_wh", "estimated")
SLOT_COLUMNS = ("area", "slot", "phase", "gate_s", *_SUMS, "block")
OPEN_SLOT = f"{insert('slot', SLOT_COLUMNS)} ON CONFLICT (area, slot) DO NOTHING"
PUT_PHASE = (
    f"{insert('slot', SLOT_COLUMNS)} ON CONFLICT (area, slot) DO UPDATE SET "
    "phase = excluded.phase, block = excluded.block"
)
PUT_SLOT = upsert("slot", ["area", "slot"], ["phase", "gate_s", *_SUMS, "block"])
PUT_PRICE = upsert(
    "zone_price",
    ["area", "zone", "slot"],
    ["price", "volume_wh", "orders", "trades", "block"],
)

PUT_ORDER = upsert(
    "order_row",
    ["trader", "slot", "client_id", "area"],
    [
        "meter", "zone", "side", "quantity_wh", "limit_price", "steps", "expires_s", "revision",
        "open", "matched_wh", "settled_wh", "disputed", "left_out", "placed_s", "block",
    ],
)  # fmt: skip
_ORDER_KEY = "WHERE trader = ? AND slot = ? AND client_id = ? AND area = ?"
AMEND_ORDER = (
    "UPDATE order_row SET quantity_wh = ?, "
    "limit_price = CASE WHEN side = 'buy' THEN CAST(? AS BIGINT) ELSE CAST(? AS BIGINT) END, "
    "steps = ?, revision = ?, block = ? "
    f"{_ORDER_KEY}"
)
CANCEL_ORDER = f"UPDATE order_row SET open = ?, block = ? {_ORDER_KEY}"
LEAVE_OUT_ORDER = f"UPDATE order_row SET left_out = ?, block = ? {_ORDER_KEY}"
MATCH_ORDER = f"UPDATE order_row SET matched_wh = ?, settled_wh = ?, block = ? {_ORDER_KEY}"
DISPUTE_ORDER = (
    "UPDATE order_row SET disputed = EXISTS (SELECT 1 FROM trade WHERE trade.area = order_row.area "
    "AND trade.slot = order_row.slot AND trade.disputed "
    f"AND (trade.buy_order = ? OR trade.sell_order = ?)), block = ? {_ORDER_KEY}"
)

PUT_TRADE = upsert(
    "trade",
    ["area", "slot", "number"],
    [
        "buyer", "seller", "buy_order", "sell_order", "buy_meter", "sell_meter", "zone_path",
        "quantity_wh", "buy_price", "sell_price", "relation", "tariff", "buy_cover_nano",
        "sell_cover_nano", "settled_wh", "retired_wh", "disputed", "block",
    ],
)  # fmt: skip
SETTLE_TRADE = (
    "UPDATE trade SET settled_wh = ?, retired_wh = ?, block = ? "
    "WHERE area = ? AND slot = ? AND number = ?"
)
DISPUTE_TRADE = (
    "UPDATE trade SET disputed = ?, block = ? WHERE area = ? AND slot = ? AND number = ?"
)

ADD_POSTING = insert(
    "posting",
    [
        "sequence", "area", "slot", "number", "account", "amount_nano", "kind", "trade", "explain",
        "cause", "transaction_id", "block",
    ],
)  # fmt: skip
PUT_ACCOUNT = upsert(
    "account",
    ["area", "owner"],
    ["balance_nano", "reserved_nano", "minted_wh", "live_wh", "retired_wh", "block"],
)
PUT_CERTIFICATE = upsert(
    "certificate",
    ["owner", "slot", "meter", "area"],
    ["zone", "source", "minted_wh", "retired_wh", "block"],
)
DROP_CERTIFICATES = "DELETE FROM certificate WHERE area = ? AND slot = ?"
PUT_READING = upsert(
    "reading",
    ["meter", "slot", "version"],
    [
        "import_from_wh", "import_to_wh", "export_from_wh", "export_to_wh", "quality",
        "resolution_wh", "block",
    ],
)  # fmt: skip
PUT_HEALTH = (
    f"{upsert('meter_health', ['meter', 'node'], ['state', 'sentence', 'at_s', 'said_ms'])} "
    "WHERE excluded.said_ms > meter_health.said_ms"
)

_CHECKPOINT = (
    "id", "block", "place", "hash", "time_s", "channel", "contract", "layout", "postings",
)  # fmt: skip
START_CHECKPOINT = f"{insert('checkpoint', _CHECKPOINT)} ON CONFLICT (id) DO NOTHING"
MOVE_CHECKPOINT = (
    "UPDATE checkpoint SET block = ?, place = ?, hash = ?, time_s = ?, postings = ? "
    "WHERE id = 1 AND block = ? AND place = ?"
)
