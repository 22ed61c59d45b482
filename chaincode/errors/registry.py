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
    "The participant has to sign a join, which its retailer registers (register_participant).",
)
NOT_OWN_CLIENT = Refusal(
    "NOT_OWN_CLIENT",
    "{did} is a client of {retailer}, not of the caller.",
    "Ask the named retailer to do this.",
)
RETAILER_WRONG = Refusal(
    "RETAILER_WRONG",
    "The token names retailer {named}, not {member}.",
    "Have the named retailer submit it, or sign another token for this retailer.",
)
JOIN_NUMBER = Refusal(
    "JOIN_NUMBER",
    "{did} has joined {joins} times; a join with number {number} does not follow.",
    "Sign a join with the next number. Joins count from 1, so that an old one cannot be used again.",
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
ZONES_TOO_DEEP = Refusal(
    "ZONES_TOO_DEEP",
    "Zone {zone} would be on level {depth} of its tree; a tree has at most {limit} levels, the root included.",
    "Register the zone below another parent that is nearer to the root.",
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
    "Choose a slot for which the meter is certified and not retired. Otherwise the DSO has to certify it (register_certified_meter).",
)
METERS_TOO_MANY = Refusal(
    "METERS_TOO_MANY",
    "Area {area} takes at most {limit} meters, and group {group} by the hash of meters' names is full with {group_limit}.",
    "Choose another name for the meter, so that it falls into another group. A large area needs a second area.",
)
METER_AREA_FIXED = Refusal(
    "METER_AREA_FIXED",
    "Meter {meter} belongs to area {area}.",
    "Certify a meter that moves to another area under a new name.",
)
HOLD_MISSING = Refusal(
    "HOLD_MISSING",
    "Meter {meter} is certified for {did} only with a token that {did} has signed.",
    "Ask the holder to sign a hold for the meter (commonwatt wallet sign --kind hold).",
)
HOLD_WRONG = Refusal(
    "HOLD_WRONG",
    "The token says that {signer} holds meter {named}, not that {did} holds {meter}.",
    "Take the token that the new holder signed for this meter.",
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
SUPPLY_MISSING = Refusal(
    "SUPPLY_MISSING",
    "Nobody supplies meter {meter} in slot {slot}.",
    "A retailer has to accept the supply of the meter with its holder's signature (accept_supply), for slots that have not opened.",
)
SUPPLY_NOT_NAMED = Refusal(
    "SUPPLY_NOT_NAMED",
    "The holder of meter {meter} has agreed to {retailer}, not to the caller.",
    "Only the retailer that the document names may accept it.",
)
SUPPLY_TAKEN = Refusal(
    "SUPPLY_TAKEN",
    "{retailer} supplies meter {meter} from slot {slot} on.",
    "Let the next supply begin at another slot: a supply that was accepted is not replaced.",
)
OFFTAKE_MISSING = Refusal(
    "OFFTAKE_MISSING",
    "{offtaker} has not agreed to take the surplus of meter {meter} from slot {slot} on.",
    "The named offtaker has to agree first (agree_to_offtake), to exactly this slot.",
)
NOT_SUPPLIER = Refusal(
    "NOT_SUPPLIER",
    "Meter {meter} is supplied by {retailer}, not by the caller.",
    "Only a retailer that supplies the meter, or takes its surplus, may do this for those slots.",
)
LAST_RESORT_MISSING = Refusal(
    "LAST_RESORT_MISSING",
    "No supplier of last resort of area {area} takes meters from slot {slot} on.",
    "The area's DSO names one (name_supplier_of_last_resort), and the named retailer agrees (agree_to_last_resort).",
)
NOT_LAST_RESORT = Refusal(
    "NOT_LAST_RESORT",
    "The supplier of last resort that was named for area {area} is {retailer}, not the caller.",
    "Only the named retailer can agree to this.",
)
HOLDER_NOT_AGREED = Refusal(
    "HOLDER_NOT_AGREED",
    "{did} has agreed to no supply of meter {meter} that the supplier of last resort could take over.",
    "The holder has to agree to a supply by signature, and the retailer to accept it (accept_supply).",
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
RULES_AHEAD = Refusal(
    "RULES_AHEAD",
    "{limit} versions of market rules begin after the newest closed gate already.",
    "Wait until gates have closed, or replace a version by posting it from the same slot on.",
)
NO_CLOCK = Refusal(
    "NO_CLOCK",
    "Area {area} is a demonstration and has no clock yet.",
    "The area's DSO has to set the clock with set_clock.",
)
CLOCK_AHEAD = Refusal(
    "CLOCK_AHEAD",
    "Market time may not jump to {market_s}, beyond {limit_s}: every gate in between would be due.",
    "Anchor the clock earlier. When the gates up to there have closed it may be set further ahead.",
)
CLOCK_BACKWARDS = Refusal(
    "CLOCK_BACKWARDS",
    "Market time {market_anchor} lies before {floor_s}, which the market has reached.",
    "Anchor the clock at or after the second named: market time never goes back.",
)
NO_SEED_CHAIN = Refusal(
    "NO_SEED_CHAIN",
    "{member} has no seed chain for slot {slot} in area {area}.",
    "Post the anchor of a chain with post_seed_chain. Market rules need a chain of the area's DSO.",
)
SEED_CHAIN_NEEDED = Refusal(
    "SEED_CHAIN_NEEDED",
    "{dso} is the DSO of area {area} and always takes part in its draw.",
    "Post the anchor of a new chain instead.",
)
SEED_MEMBERS_TOO_MANY = Refusal(
    "SEED_MEMBERS_TOO_MANY",
    "At most {limit} members take part in the draw of area {area}.",
    "Wait until another member has ended its part. A place is free when the slot from which that part ends has closed.",
)
LOCKED_TOO_MANY = Refusal(
    "LOCKED_TOO_MANY",
    "At most {limit} participants are locked at once.",
    "The regulator has to unlock another participant first.",
)
ORACLE_NODES_COUNT = Refusal(
    "ORACLE_NODES_COUNT",
    "{count} oracle nodes cannot tolerate {faulty} faulty ones; {needed} to {limit} nodes are needed.",
    "Name at least 3f + 1 nodes for f faulty ones.",
)
ORACLE_NODES_FEW = Refusal(
    "ORACLE_NODES_FEW",
    "The oracle of area {area} would not tolerate a single faulty node.",
    "Name at least 4 nodes and let 1 of them be faulty. Only a demonstration may trust every node.",
)
NOT_ORACLE_OPERATOR = Refusal(
    "NOT_ORACLE_OPERATOR",
    "The oracle of area {area} in slot {slot} is operated by {operator}, not by the caller.",
    "The area's DSO appoints the operator (appoint_oracle).",
)
