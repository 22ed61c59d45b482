"""Refusals of organisations, areas, zones, meters, prices, rules and clocks."""

from __future__ import annotations

from chaincode.errors.refusal import Refusal

# Registry
ALREADY_INITIALISED = Refusal(
    "ALREADY_INITIALISED",
    "The contract on channel {channel} has been initialised already.",
    "You need not do anything: the channel is ready.",
)
ALREADY_REGISTERED = Refusal(
    "ALREADY_REGISTERED",
    "There is already a {kind} {name}.",
    "If you registered it, you need not do anything. Otherwise choose another name; names are unique in the channel.",
)
DID_UNUSABLE = Refusal(
    "DID_UNUSABLE",
    "{did} cannot be used: {reason}",
    "Make a key with commonwatt wallet create and use its DID as printed.",
)
PARTICIPANT_UNKNOWN = Refusal(
    "PARTICIPANT_UNKNOWN",
    "{did} is not a registered participant.",
    "The retailer of this participant has to register the DID first (register_participant).",
)
NOT_OWN_CLIENT = Refusal(
    "NOT_OWN_CLIENT",
    "{did} is a client of {retailer}, not of the caller.",
    "Ask the named retailer to do this.",
)
AREA_UNKNOWN = Refusal(
    "AREA_UNKNOWN",
    "There is no area {area}.",
    "Check the spelling. A DSO opens an area with register_area.",
)
ZONE_UNKNOWN = Refusal(
    "ZONE_UNKNOWN",
    "There is no zone {zone}.",
    "Check the spelling; describe_area lists the zones of an area.",
)
NOT_AREA_DSO = Refusal(
    "NOT_AREA_DSO",
    "Area {area} belongs to {dso}, not to the caller.",
    "Ask the named DSO to do this.",
)
ZONES_TOO_MANY = Refusal(
    "ZONES_TOO_MANY",
    "An area has at most {limit} zones.",
    "Open another area, or use fewer zones.",
)
SLOT_INVALID = Refusal(
    "SLOT_INVALID",
    "No slot of {slot_s} seconds starts at {slot}.",
    "Name a slot by the second at which it starts, a multiple of the area's slot length.",
)
DATED_BEFORE_GATE = Refusal(
    "DATED_BEFORE_GATE",
    "It is too late for a change from slot {from_slot} on: the gates up to slot {closed_slot} have closed.",
    "Let the change begin at a slot whose gate is still open.",
)
TERMS_FROZEN = Refusal(
    "TERMS_FROZEN",
    "Slot {slot} has opened: its terms are frozen since {opening_s}.",
    "Let the change begin at a slot that has not opened yet.",
)
VERSIONS_TOO_MANY = Refusal(
    "VERSIONS_TOO_MANY",
    "There are {limit} dated versions already, and no more are kept.",
    "Dated values are never removed. Use a new name (a new meter, zone or area).",
)
CAPACITY_ON_ROOT = Refusal(
    "CAPACITY_ON_ROOT",
    "Zone {zone} is the root of its area and has no edge.",
    "Set the capacity on the zones below it.",
)
ZONE_STATE = Refusal(
    "ZONE_STATE",
    "Zone {zone} is {state} already.",
    "You need not do anything: the zone is in that state already.",
)
METER_UNKNOWN = Refusal(
    "METER_UNKNOWN",
    "Meter {meter} is not certified in slot {slot}.",
    "Choose a later slot if the meter is certified from then on. Otherwise the DSO has to certify it (register_certified_meter).",
)
METER_AREA_FIXED = Refusal(
    "METER_AREA_FIXED",
    "Meter {meter} belongs to area {area}.",
    "Certify a meter that moves to another area under a new name.",
)
METER_POWER_BOUNDS = Refusal(
    "METER_POWER_BOUNDS",
    "A meter has at most {limit_w} W either way.",
    "Check the unit: powers are in W.",
)
NOT_METER_DSO = Refusal(
    "NOT_METER_DSO",
    "Meter {meter} was certified by {dso}, not by the caller.",
    "Ask the named DSO to do this.",
)
NO_RESIDUAL_PRICES = Refusal(
    "NO_RESIDUAL_PRICES",
    "{retailer} has no residual prices in area {area} for slot {slot}.",
    "The retailer has to post its prices first (set_residual_prices); without them no slot with its meters could settle.",
)
PRICE_OUT_OF_REACH = Refusal(
    "PRICE_OUT_OF_REACH",
    "A price lies between -{limit} and {limit} micro/kWh.",
    "Check the unit: 1 ct/kWh is 10,000 micro-currency per kWh.",
)
VAT_RATE = Refusal(
    "VAT_RATE",
    "A {status} party adds no VAT, so its rate is 0, not {rate_ppm} ppm.",
    "Set the rate to 0, or the status to taxable.",
)
FEE_ROW = Refusal(
    "FEE_ROW",
    "Fee row {row}: {field} is {value}; it must be {bound}.",
    "Correct the named field. Two rows of one kind may not apply to the same relation, grid level and hour.",
)
NO_MARKET_RULES = Refusal(
    "NO_MARKET_RULES",
    "Area {area} has no market rules for slot {slot}.",
    "The area's DSO has to post rules from this slot or an earlier one (set_market_rules).",
)
RULE_OUT_OF_BOUNDS = Refusal(
    "RULE_OUT_OF_BOUNDS",
    "Market rule {rule} is out of its bounds: {bound}.",
    "Bring the rule within the named bound; the page on configuration lists all bounds.",
)
CLOCK_REAL = Refusal(
    "CLOCK_REAL",
    "Area {area} is a real area: its market time is real time.",
    "Only an area that was registered as a demonstration has a clock of its own.",
)
NO_CLOCK = Refusal(
    "NO_CLOCK",
    "Area {area} is a demonstration and has no clock yet.",
    "The area's DSO has to set the clock with set_clock.",
)
CLOCK_BACKWARDS = Refusal(
    "CLOCK_BACKWARDS",
    "Market time {market_anchor} lies before {floor_s}, which the market has reached.",
    "Anchor the clock at or after the second named: market time never goes back.",
)
NO_SEED_CHAIN = Refusal(
    "NO_SEED_CHAIN",
    "Area {area} has no seed chain for slot {slot}.",
    "The area's DSO has to post the anchor of a chain with post_seed_anchor.",
)
SEED_CHAIN_LATE = Refusal(
    "SEED_CHAIN_LATE",
    "A seed chain for slot {slot} had to be posted before {opening_s}, when it opened.",
    "Post the chain for a later slot, one that does not accept orders yet.",
)
ORACLE_NODES_COUNT = Refusal(
    "ORACLE_NODES_COUNT",
    "{count} oracle nodes cannot tolerate {faulty} faulty ones; {needed} to {limit} nodes are needed.",
    "Name at least 3f + 1 nodes for f faulty ones.",
)
