"""Every refusal: its code, its sentence, and whether the same request may succeed later.

A handler raises `GATE_CLOSED(slot=…, area=…)`; the sentence is worded here alone. The list follows
a request through its examination: who calls, what is registered, the signature, then what the
request is about. Which of two faults a transaction names is pinned by its ladder in the contract
suite. A code once retired stays reserved.

`Refused` is a stranger's bad input; `Broken` is a broken invariant of our own and stops the
transaction without an answer that could be mistaken for one.
"""

from __future__ import annotations

from typing import NamedTuple


class Refused(Exception):
    """A request that the contract does not carry out; no state has changed."""

    def __init__(self, code: str, sentence: str, *, repeatable: bool = False) -> None:
        super().__init__(f"{code}: {sentence}")
        self.code = code
        self.sentence = sentence
        self.repeatable = repeatable

    def __reduce__(self) -> tuple[object, ...]:
        return (_refused, (self.code, self.sentence, self.repeatable))


def _refused(code: str, sentence: str, repeatable: bool) -> Refused:  # noqa: FBT001 pickling passes by position
    return Refused(code, sentence, repeatable=repeatable)


class Broken(Exception):
    """An invariant of ours does not hold; nothing is written and the fault must be found."""


class Refusal(NamedTuple):
    """A row of the table; calling it with the values of its places gives the exception."""

    code: str
    sentence: str
    repeatable: bool = False

    def __call__(self, **places: object) -> Refused:
        """The exception, its sentence filled with `places`."""
        return Refused(self.code, self.sentence.format(**places), repeatable=self.repeatable)


# Reaching a transaction
TRANSACTION_UNKNOWN = Refusal("TRANSACTION_UNKNOWN", "There is no transaction {name!r}.")
ARGUMENTS_INVALID = Refusal(
    "ARGUMENTS_INVALID",
    "The arguments of {name} cannot be taken: {reason}.",
)
BYTES_TOO_MANY = Refusal(
    "BYTES_TOO_MANY",
    "The transaction holds {count} bytes; at most {limit} are taken.",
)
NOT_INITIALISED = Refusal(
    "NOT_INITIALISED",
    "The contract on channel {channel} has not been initialised.",
)
ORGANISATION_UNKNOWN = Refusal("ORGANISATION_UNKNOWN", "{name} is no organisation of this channel.")
ROLE_WRONG = Refusal("ROLE_WRONG", "{member} is not a {role}, which this needs.")
ADMIN_NEEDED = Refusal("ADMIN_NEEDED", "{name} takes an administrator of {member}, not a client.")
READS_TOO_MANY = Refusal(
    "READS_TOO_MANY",
    "The transaction reads {count} rows; at most {limit} are allowed.",
)
WRITES_TOO_MANY = Refusal(
    "WRITES_TOO_MANY",
    "The transaction writes {count} keys; at most {limit} are allowed.",
)
READ_ONLY = Refusal("READ_ONLY", "Transaction {transaction} is evaluated only and may not write.")
WRITE_AFTER_PAGE = Refusal(
    "WRITE_AFTER_PAGE",
    "A transaction that has read a page of a query may not write.",
)
PRIVATE_RANGE = Refusal(
    "PRIVATE_RANGE",
    "Private values of {collection} are read by exact key, not from {start!r} to {end!r}.",
)

# Registry
ALREADY_INITIALISED = Refusal(
    "ALREADY_INITIALISED",
    "The contract on channel {channel} is initialised already.",
)
ALREADY_REGISTERED = Refusal("ALREADY_REGISTERED", "There is a {kind} {name} already.")
DID_UNUSABLE = Refusal("DID_UNUSABLE", "{did} cannot be used: {reason}")
PARTICIPANT_UNKNOWN = Refusal("PARTICIPANT_UNKNOWN", "{did} is no participant.")
NOT_OWN_CLIENT = Refusal("NOT_OWN_CLIENT", "{did} is a client of {retailer}, not of the caller.")
AREA_UNKNOWN = Refusal("AREA_UNKNOWN", "There is no area {area}.")
ZONE_UNKNOWN = Refusal("ZONE_UNKNOWN", "There is no zone {zone}.")
NOT_AREA_DSO = Refusal("NOT_AREA_DSO", "Area {area} belongs to {dso}, not to the caller.")
ZONES_TOO_MANY = Refusal("ZONES_TOO_MANY", "An area has at most {limit} zones.")
SLOT_INVALID = Refusal("SLOT_INVALID", "{slot} is no start of a slot of {slot_s} seconds.")
DATED_BEFORE_GATE = Refusal(
    "DATED_BEFORE_GATE",
    "What is to hold from slot {from_slot} comes too late: the gates up to slot "
    "{closed_slot} have closed.",
)
VERSIONS_TOO_MANY = Refusal(
    "VERSIONS_TOO_MANY",
    "There are {limit} dated versions already, and no more are kept.",
)
CAPACITY_ON_ROOT = Refusal(
    "CAPACITY_ON_ROOT",
    "Zone {zone} is the root of its area and has no edge.",
)
ZONE_STATE = Refusal("ZONE_STATE", "Zone {zone} is {state} already.")
METER_UNKNOWN = Refusal("METER_UNKNOWN", "Meter {meter} is not certified in slot {slot}.")
METER_AREA_FIXED = Refusal("METER_AREA_FIXED", "Meter {meter} belongs to area {area}.")
METER_POWER_BOUNDS = Refusal("METER_POWER_BOUNDS", "A meter has at most {limit_w} W either way.")
NOT_METER_DSO = Refusal("NOT_METER_DSO", "Meter {meter} was certified by {dso}, not by the caller.")
NO_RESIDUAL_PRICES = Refusal(
    "NO_RESIDUAL_PRICES",
    "{retailer} has no residual prices in area {area} for slot {slot}.",
)
PRICE_OUT_OF_REACH = Refusal(
    "PRICE_OUT_OF_REACH",
    "A price lies between -{limit} and {limit} micro/kWh.",
)
VAT_RATE = Refusal(
    "VAT_RATE",
    "A {status} party adds no VAT, so its rate is 0, not {rate_ppm} ppm.",
)
FEE_ROW = Refusal("FEE_ROW", "Fee row {row}: {field} is {value}; it must be {bound}.")
NO_MARKET_RULES = Refusal("NO_MARKET_RULES", "Area {area} has no market rules for slot {slot}.")
RULE_OUT_OF_BOUNDS = Refusal(
    "RULE_OUT_OF_BOUNDS",
    "Market rule {rule} is out of its bounds: {bound}.",
)
NO_CLOCK = Refusal("NO_CLOCK", "Area {area} has no clock.")
CLOCK_BACKWARDS = Refusal(
    "CLOCK_BACKWARDS",
    "Market time {market_anchor} lies before {floor_s}, which the market has reached.",
)
NO_SEED_CHAIN = Refusal("NO_SEED_CHAIN", "Area {area} has no seed chain for slot {slot}.")
SEED_CHAIN_LATE = Refusal(
    "SEED_CHAIN_LATE",
    "A seed chain for slot {slot} had to be posted before {opening_s}, when it opened.",
)
ORACLE_NODES_COUNT = Refusal(
    "ORACLE_NODES_COUNT",
    "{count} oracle nodes do not stand {faulty} faulty ones; {needed} to {limit} would.",
)

# Signed tokens
BATCH_TOKENS = Refusal("BATCH_TOKENS", "The batch has {count} tokens; at most {limit} are taken.")
BATCH_BYTES = Refusal("BATCH_BYTES", "The batch has {count} bytes; at most {limit} are taken.")
BATCH_STEPS = Refusal("BATCH_STEPS", "The batch has {count} steps; at most {limit} are taken.")
SHEET_UNREADABLE = Refusal("SHEET_UNREADABLE", "The token cannot be read: {reason}")
CHANNEL_WRONG = Refusal("CHANNEL_WRONG", "The token is for channel {channel!r}; this is {here!r}.")
CONTRACT_WRONG = Refusal(
    "CONTRACT_WRONG",
    "The token is for contract {contract!r}; this is {here!r}.",
)
SIGNATURE_INVALID = Refusal("SIGNATURE_INVALID", "The signature is not one by {did}.")

# Orders
ORDERS_COUNT = Refusal("ORDERS_COUNT", "The sheet has {count} orders; 1 to {limit} are taken.")
ID_REPEATED = Refusal("ID_REPEATED", "Order id {id} stands twice for slot {slot} in one sheet.")
ID_USED = Refusal("ID_USED", "Order id {id} stands for another order of slot {slot}.")
TRADER_UNKNOWN = Refusal("TRADER_UNKNOWN", "{did} is no participant.")
TRADER_LOCKED = Refusal("TRADER_LOCKED", "{did} is locked by the regulator.")
METER_NOT_HELD = Refusal("METER_NOT_HELD", "Meter {meter} is not held by {did}.")
ZONE_WRONG = Refusal("ZONE_WRONG", "Meter {meter} lies in zone {right}, not in {zone}.")
GATE_CLOSED = Refusal("GATE_CLOSED", "The gate of slot {slot} in area {area} closed at {gate_s}.")
SLOT_NOT_OPEN = Refusal("SLOT_NOT_OPEN", "Slot {slot} takes orders from {opening_s} on.")
ZONE_PAUSED = Refusal("ZONE_PAUSED", "Zone {zone} is paused.")
ORDER_EXPIRED = Refusal("ORDER_EXPIRED", "Order {id} expired at {expires_s}.")
ORDERS_TOO_MANY = Refusal(
    "ORDERS_TOO_MANY",
    "A participant has at most {limit} orders in slot {slot}.",
)
STEPS_COUNT = Refusal("STEPS_COUNT", "The order has {count} steps; 1 to {limit} are taken.")
QUANTITY_BOUNDS = Refusal(
    "QUANTITY_BOUNDS",
    "A step of {quantity_wh} Wh is not taken; at least 1 Wh is.",
)
PRICE_BAND = Refusal(
    "PRICE_BAND",
    "A limit of {price} micro/kWh lies outside the band from {low} to {high}.",
)
CAPACITY_EXCEEDED = Refusal(
    "CAPACITY_EXCEEDED",
    "Meter {meter} would {side} {wanted_wh} Wh in the slot; {capacity_wh} Wh is what it is "
    "certified for.",
)
SELF_CROSSING = Refusal(
    "SELF_CROSSING",
    "The own bid at {bid} would meet the own ask at {ask} micro/kWh.",
)
ORDER_UNKNOWN = Refusal("ORDER_UNKNOWN", "There is no order {id} of this trader in slot {slot}.")
AMENDED_ALREADY = Refusal("AMENDED_ALREADY", "Order {id} stands at revision {revision} already.")
ORDER_NOT_OPEN = Refusal("ORDER_NOT_OPEN", "Order {id} is cancelled.")
REVISION_WRONG = Refusal(
    "REVISION_WRONG",
    "Order {id} cannot take revision {revision}; {due} is due.",
)

# Gate, clearing, settlement
GATE_OUT_OF_ORDER = Refusal(
    "GATE_OUT_OF_ORDER", "Gates close in order: slot {due} is due, not {slot}."
)
GATE_NOT_DUE = Refusal(
    "GATE_NOT_DUE",
    "The gate of slot {slot} closes at {gate_s}; it is {now_s}.",
    repeatable=True,
)
SEED_NOT_DUE = Refusal(
    "SEED_NOT_DUE",
    "Slot {slot} can be closed without its seed from {deadline_s} on; it is {now_s}.",
    repeatable=True,
)
SEED_WRONG = Refusal("SEED_WRONG", "The seed for slot {slot} is no pre-image of {tip}.")
SLOT_PHASE = Refusal(
    "SLOT_PHASE",
    "Slot {slot} of area {area} is {phase}; it would have to be {wanted}.",
)
LANE_BUSY = Refusal(
    "LANE_BUSY",
    "Area {area} is busy with the run of slot {running}.",
    repeatable=True,
)
SETTLEMENT_EARLY = Refusal(
    "SETTLEMENT_EARLY",
    "Slot {slot} ends at {end_s}; it is {now_s}.",
    repeatable=True,
)
READINGS_MISSING = Refusal(
    "READINGS_MISSING",
    "{count} meters have no reading for slot {slot}, {first} first; they are estimated from"
    " {deadline_s} on.",
    repeatable=True,
)
BOOK_OPEN = Refusal(
    "BOOK_OPEN",
    "Zone {zone} has no cleared book for slot {slot}.",
    repeatable=True,
)
TRADE_UNKNOWN = Refusal("TRADE_UNKNOWN", "There is no trade {trade} in slot {slot} of area {area}.")
PAGE_UNKNOWN = Refusal("PAGE_UNKNOWN", "There is no page {page}; there are {pages}.")

# Money
PAYMENT_EXISTS = Refusal("PAYMENT_EXISTS", "Reference {reference} stands for another payment.")
FUNDS_INSUFFICIENT = Refusal(
    "FUNDS_INSUFFICIENT",
    "{amount_nano} nano are more than the {available_nano} that are free.",
)

# Readings
REPORTS_DIFFER = Refusal(
    "REPORTS_DIFFER",
    "The signed tokens do not carry one and the same report.",
)
ORACLE_CONFIGURATION = Refusal(
    "ORACLE_CONFIGURATION",
    "The report names another oracle set than area {area} has for slot {slot}.",
)
SIGNER_UNKNOWN = Refusal("SIGNER_UNKNOWN", "{did} has no say in this.")
SIGNER_REPEATED = Refusal("SIGNER_REPEATED", "{did} stands there twice.")
SIGNATURES_FEW = Refusal(
    "SIGNATURES_FEW",
    "The report has {count} signatures; {needed} are needed.",
)
LEAVES_MISSING = Refusal("LEAVES_MISSING", "The transient data has no {name!r}.")
LEAVES_UNREADABLE = Refusal("LEAVES_UNREADABLE", "The leaves cannot be read: {reason}")
LEAVES_COUNT = Refusal(
    "LEAVES_COUNT",
    "There are {count} leaves where the report names {named}; 1 to {limit} are taken.",
)
LEAVES_ORDER = Refusal("LEAVES_ORDER", "Meter {meter} does not come after {before}.")
REPORT_ROOT = Refusal("REPORT_ROOT", "The leaves have root {root}; the report names {named}.")
READING_REPEATED = Refusal(
    "READING_REPEATED",
    "Meter {meter} has a reading for slot {slot} already.",
)
REPORT_EARLY = Refusal(
    "REPORT_EARLY",
    "Slot {slot} ends at {end_s}; it is {now_s}.",
    repeatable=True,
)
REPORT_LATE = Refusal(
    "REPORT_LATE",
    "Slot {slot} is {phase} and takes no readings until that has ended.",
    repeatable=True,
)
READING_BACKWARDS = Refusal(
    "READING_BACKWARDS",
    "A register of meter {meter} runs back in slot {slot}.",
)
READING_GAP = Refusal(
    "READING_GAP",
    "Meter {meter} does not begin slot {slot} where it ended the one before.",
)
READING_IMPLAUSIBLE = Refusal(
    "READING_IMPLAUSIBLE",
    "Meter {meter} shows {energy_wh} Wh where it is certified for {limit_wh}.",
)

# Acts and disputes
ACT_SEQUENCE = Refusal("ACT_SEQUENCE", "Act {sequence} is not due; {due} is.")
NOT_PARTY = Refusal("NOT_PARTY", "{did} is no party of trade {trade}.")
DISPUTE_EXISTS = Refusal("DISPUTE_EXISTS", "Trade {trade} has a dispute by {by}.")
DISPUTE_NOT_OPEN = Refusal("DISPUTE_NOT_OPEN", "Trade {trade} has no dispute by {by}.")

REFUSALS: tuple[Refusal, ...] = tuple(
    value for value in list(globals().values()) if isinstance(value, Refusal)
)
"""The whole table in the order in which its rows stand above."""
