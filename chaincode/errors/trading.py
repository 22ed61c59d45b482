"""Refusals of signed documents and the orders in them."""

from __future__ import annotations

from chaincode.errors.refusal import Refusal

# Signed tokens
BATCH_BYTES = Refusal(
    "BATCH_BYTES",
    "The batch has {count} bytes; at most {limit} are accepted.",
    "Split the batch.",
)
BATCH_FULL = Refusal(
    "BATCH_FULL",
    "The batch is full before this token.",
    "Send this token again, in another batch. The tokens before it were answered.",
    repeatable=True,
)
SHEET_UNREADABLE = Refusal(
    "SHEET_UNREADABLE",
    "The token cannot be read: {reason}",
    "The reason says what is wrong with the token; the page on identity lists all reasons. The command commonwatt wallet sign makes tokens that can be read.",
)
CHANNEL_WRONG = Refusal(
    "CHANNEL_WRONG",
    "The token is for channel {channel!r}; this is {here!r}.",
    "Sign the document again for this channel: it was made for another market.",
)
CONTRACT_WRONG = Refusal(
    "CONTRACT_WRONG",
    "The token is for contract {contract!r}; this is {here!r}.",
    "Sign the document again for this contract.",
)
SIGNATURE_INVALID = Refusal(
    "SIGNATURE_INVALID",
    "The signature was not made by {did}.",
    "The token was changed after it was signed, or signed with another key. Sign it again; in a browser, open the wallet page and import the key again.",
)
INTENT_EXPIRED = Refusal(
    "INTENT_EXPIRED",
    "The token was valid until {valid_until_s}; it is {now_s}.",
    "The token was carried too late, and nothing was done. Sign it again if you still want it.",
)
INTENT_TOO_LONG = Refusal(
    "INTENT_TOO_LONG",
    "The token is valid until {valid_until_s}; it may be valid until {limit_s} at most.",
    "Sign it again with a valid_until_s up to the second named: for orders, the gate of the last slot.",
)
STEPS_TOO_MANY = Refusal(
    "STEPS_TOO_MANY",
    "The token has {count} steps; at most {limit} are accepted.",
    "Split the sheet: fewer orders on each.",
)
ROWS_TOO_LARGE = Refusal(
    "ROWS_TOO_LARGE",
    "The token changes rows of {count} bytes; at most {limit} are accepted.",
    "Split the sheet: orders for fewer slots on each.",
)

# Orders
ORDERS_COUNT = Refusal(
    "ORDERS_COUNT",
    "The sheet has {count} orders; 1 to {limit} are accepted.",
    "Split the orders over several sheets, with at least one order on each.",
)
ID_REPEATED = Refusal(
    "ID_REPEATED",
    "Order id {id} is used twice for slot {slot} in one sheet.",
    "Give each order of a slot an id of its own.",
)
ID_USED = Refusal(
    "ID_USED",
    "Order id {id} of slot {slot} is used: for another order, or by a cancel that came first.",
    "Choose a new id. An id is used up by its order, and by a cancel too.",
)
TRADER_UNKNOWN = Refusal(
    "TRADER_UNKNOWN",
    "{did} is not a registered participant.",
    "Join the market first: sign a join, which your retailer registers. After wallet rotate, sign one with the new key too.",
)
TRADER_LOCKED = Refusal(
    "TRADER_LOCKED",
    "The regulator has locked {did}.",
    "Ask your retailer why the account is locked. Only the regulator can unlock it.",
)
METER_NOT_HELD = Refusal(
    "METER_NOT_HELD",
    "{did} does not hold meter {meter}.",
    "Choose a meter of your own and sign with its holder's key, or have the DSO certify the new holder.",
)
ZONE_WRONG = Refusal(
    "ZONE_WRONG",
    "Meter {meter} lies in zone {right}, not in {zone}.",
    "Name the zone in which the meter lies.",
)
AREA_WRONG = Refusal(
    "AREA_WRONG",
    "Meter {meter} lies in area {right}, not in {area}.",
    "Name the area in which the meter lies.",
)
GATE_CLOSED = Refusal(
    "GATE_CLOSED",
    "The gate of slot {slot} in area {area} closed at {gate_s}.",
    "The gate has closed. Choose a later slot.",
)
SLOT_NOT_OPEN = Refusal(
    "SLOT_NOT_OPEN",
    "Slot {slot} takes orders from {opening_s} on.",
    "Choose a slot that is open now, or send the order again when this one opens.",
)
ZONE_PAUSED = Refusal(
    "ZONE_PAUSED",
    "Zone {zone} is paused.",
    "The grid operator has paused the zone. Send the order again when the zone is open.",
)
ORDER_EXPIRED = Refusal(
    "ORDER_EXPIRED",
    "Order {id} expired at {expires_s}.",
    "Sign a new order with a later expiry, or without one.",
)
ORDERS_TOO_MANY = Refusal(
    "ORDERS_TOO_MANY",
    "A participant has at most {limit} orders in slot {slot}.",
    "Change an order of this slot instead, or give one order several steps. Cancelled orders count too.",
)
STEPS_COUNT = Refusal(
    "STEPS_COUNT",
    "The order has {count} steps; 1 to {limit} are accepted.",
    "Put further steps into another order.",
)
SLOT_STEPS_TOO_MANY = Refusal(
    "SLOT_STEPS_TOO_MANY",
    "The participant's open orders would have {count} steps in slot {slot}; at most {limit} are accepted.",
    "Give the order fewer steps, or cancel another order of the same slot.",
)
QUANTITY_BOUNDS = Refusal(
    "QUANTITY_BOUNDS",
    "A step has {quantity_wh} Wh; it needs at least 1 Wh.",
    "Enter at least 1 Wh (0.001 kWh).",
)
PRICE_BAND = Refusal(
    "PRICE_BAND",
    "A limit of {price} micro/kWh lies outside the band from {low} to {high}.",
    "Choose a price within the band of the market rules. 1 ct/kWh is 10,000 micro-currency per kWh.",
)
CAPACITY_EXCEEDED = Refusal(
    "CAPACITY_EXCEEDED",
    "Meter {meter} would {side} {wanted_wh} Wh in the slot; it is certified for {capacity_wh} Wh.",
    "Order less, or cancel another order of the same slot: together your orders may not exceed what the meter is certified for.",
)
SELF_CROSSING = Refusal(
    "SELF_CROSSING",
    "The trader's own bid at {bid} would meet its own ask at {ask} micro/kWh.",
    "Your own orders would trade with each other. Choose another price, or cancel the other order.",
)
ORDER_UNKNOWN = Refusal(
    "ORDER_UNKNOWN",
    "This trader has no order {id} in slot {slot}.",
    "Check area, slot and id. An order on a sheet that was refused does not exist.",
)
AMENDED_ALREADY = Refusal(
    "AMENDED_ALREADY",
    "Order {id} is at revision {revision} already.",
    "The order was changed elsewhere. Look at it again (list_orders), then sign the next revision if you still want the change.",
)
ORDER_NOT_OPEN = Refusal(
    "ORDER_NOT_OPEN",
    "Order {id} is cancelled.",
    "The order has ended. Place a new one under a new id.",
)
REVISION_WRONG = Refusal(
    "REVISION_WRONG",
    "Order {id} cannot take revision {revision}; {due} is due.",
    "The order was changed elsewhere. Look at it again, then sign the change with the revision that is due.",
)
