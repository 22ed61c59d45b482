"""The ladders of the contract: for every transaction the requests that it refuses.

They stand on the market of the fixture `peopled`, which says who has what.
"""

from __future__ import annotations

import msgspec

from chaincode.area.fees import FeeRow
from chaincode.area.rules import MarketRules
from chaincode.area.tariffs import ResidualPrices
from chaincode.metering.readings import Leaf
from tests.contract.stage import ladders
from tests.contract.stage.cast import (
    AREA,
    DSO,
    EAST,
    GUEST,
    MILLION,
    ORACLE,
    R1,
    R2,
    REGULATOR,
    ROOT,
    SLOT,
    SLOT_S,
    START_S,
    WEST,
    did_of,
)
from tests.contract.stage.ladders import Fields, Ladder, asking, changing, submitting
from tests.contract.stage.supply_faults import ORACLES, SUPPLY

NEXT = SLOT + SLOT_S
THIRD = NEXT + SLOT_S
FAR = SLOT + 30 * 86_400
HEX = "ab" * 32
NOBODY = "did:key:z" + "1" * 44
ELSEWHERE = "elsewhere"  # a real area of another DSO
CLOCKLESS = (
    "clockless"  # a demonstration of the DSO without a clock, so that nobody has a meter there
)
BARE = "bare"  # an area of the DSO with a zone and nothing else

RULES = MarketRules(time_zone="UTC", offsets=[(0, 0)])


def rules(**changed: object) -> MarketRules:
    return msgspec.structs.replace(RULES, **changed)


def price(micro_per_kwh: int) -> ResidualPrices:
    return ResidualPrices(import_price=micro_per_kwh, export_price=1)


def fee(**changed: object) -> FeeRow:
    return msgspec.structs.replace(FeeRow("grid", DSO, 1000), **changed)


REGISTRY = (
    Ladder(
        "an organisation is registered",
        submitting("register_organisation"),
        {"MEMBER": GUEST, "name": "new org", "role": "dso"},
        [
            ("ARGUMENTS_INVALID", {"name": R1}),
            ("ORGANISATION_UNKNOWN", {"MEMBER": R1}),
            ("ROLE_WRONG", {"MEMBER": DSO}),
            ("ADMIN_NEEDED", {"ADMIN": True}),
            ("ALREADY_REGISTERED", {"name": "New"}),
        ],
    ),
    Ladder(
        "a channel is initialised again",
        submitting("initialise"),
        {"regulator": NOBODY, "organisations": [], "ADMIN": True},
        [("ALREADY_INITIALISED", {})],
    ),
    Ladder(
        "a participant is admitted",
        ladders.joining,
        {
            "WHO": "S",
            "TEXT": "x" * 131_073,
            "FORGED": True,
            "channel": "other",
            "contract": "other",
            "area": "none",
            "retailer": R2,
            "number": 1,
            "valid_until_s": START_S,
            "MEMBER": DSO,
        },
        [
            ("ARGUMENTS_INVALID", {"TEXT": "x.y.z"}),
            ("ROLE_WRONG", {"MEMBER": R1}),
            ("SHEET_UNREADABLE", {"TEXT": None}),
            ("CHANNEL_WRONG", {"channel": "testing"}),
            ("CONTRACT_WRONG", {"contract": ladders.OWN}),
            ("SIGNATURE_INVALID", {"FORGED": False}),
            ("RETAILER_WRONG", {"retailer": R1}),
            ("ALREADY_REGISTERED", {"number": 3}),
            ("JOIN_NUMBER", {"WHO": "new"}),
            ("JOIN_NUMBER", {"number": 1}),
            ("AREA_UNKNOWN", {"area": CLOCKLESS}),
            ("NO_CLOCK", {"area": AREA}),
            ("INTENT_EXPIRED", {"valid_until_s": FAR + 86_400}),
            ("INTENT_TOO_LONG", {"valid_until_s": FAR - 86_400}),
        ],
    ),
    Ladder(
        "an area is opened",
        submitting("register_area"),
        {"area": AREA, "root": ROOT, "grid_level": 8, "slot_s": 900, "ADMIN": True},
        [
            ("ARGUMENTS_INVALID", {"grid_level": 7}),
            ("ALREADY_REGISTERED", {"area": "new"}),
            ("ALREADY_REGISTERED", {"root": "new-root"}),
        ],
    ),
    Ladder(
        "a zone is added",
        submitting("register_zone"),
        {"area": "none", "zone": EAST, "parent": "none", "grid_level": 7, "ADMIN": True},
        [
            ("AREA_UNKNOWN", {"area": ELSEWHERE}),
            ("NOT_AREA_DSO", {"area": AREA}),
            ("ALREADY_REGISTERED", {"zone": "new"}),
            ("ZONE_UNKNOWN", {"parent": "bare-root"}),
            ("ZONE_UNKNOWN", {"parent": EAST}),
        ],
    ),
    Ladder(
        "a capacity is set",
        submitting("set_zone_capacity"),
        {
            "zone": "none",
            "import_w": 2,
            "export_w": None,
            "from_slot": SLOT + 1,
            "reason": "",
        },
        [
            ("ARGUMENTS_INVALID", {"reason": "works"}),
            ("ZONE_UNKNOWN", {"zone": "elsewhere-root"}),
            ("NOT_AREA_DSO", {"zone": ROOT}),
            ("CAPACITY_ON_ROOT", {"zone": EAST}),
            ("SLOT_INVALID", {"from_slot": SLOT}),
            ("DATED_BEFORE_GATE", {"from_slot": NEXT}),
        ],
    ),
    Ladder(
        "a capacity is raised",
        submitting("set_zone_capacity"),
        {"zone": WEST, "import_w": 2, "export_w": None, "from_slot": NEXT, "reason": "done"},
        [
            ("TERMS_FROZEN", {"import_w": 1, "export_w": 6}),
            ("TERMS_FROZEN", {"export_w": 5}),
        ],
    ),
    Ladder(
        "a zone is paused",
        submitting("pause_zone"),
        {"zone": "none", "reason": ""},
        [
            ("ARGUMENTS_INVALID", {"reason": "works"}),
            ("ZONE_UNKNOWN", {"zone": "elsewhere-root"}),
            ("NOT_AREA_DSO", {"zone": WEST}),
            ("ZONE_STATE", {"zone": EAST}),
        ],
    ),
    Ladder(
        "a zone is resumed",
        submitting("resume_zone"),
        {"zone": EAST, "reason": "done"},
        [("ZONE_STATE", {"zone": WEST})],
    ),
    Ladder(
        "a meter is certified",
        ladders.certifying,
        {
            "meter": "S-elsewhere",
            "holder": did_of("stranger"),
            "zone": "none",
            "grid_level": 7,
            "import_w": 10**9,
            "export_w": 0,
            "from_slot": SLOT + 1,
            "source": 5,
        },
        [
            ("ARGUMENTS_INVALID", {"source": ""}),
            ("PARTICIPANT_UNKNOWN", {"holder": did_of("S")}),
            ("ZONE_UNKNOWN", {"zone": "elsewhere-root"}),
            ("NOT_AREA_DSO", {"zone": EAST}),
            ("SLOT_INVALID", {"from_slot": SLOT}),
            ("TERMS_FROZEN", {"from_slot": FAR}),
            ("METER_POWER_BOUNDS", {"import_w": 100, "zone": "bare-root"}),
            ("NOT_METER_DSO", {"meter": "S"}),
            ("METER_AREA_FIXED", {"zone": EAST, "holder": did_of("C")}),
            ("HOLD_MISSING", {"HOLD": ("S", "S", START_S)}),
            ("HOLD_WRONG", {"HOLD": ("C", "C", START_S)}),
            ("HOLD_WRONG", {"HOLD": ("C", "S", START_S)}),
            ("INTENT_EXPIRED", {"HOLD": ("C", "S", FAR + 86_400)}),
            ("INTENT_TOO_LONG", {"HOLD": ("C", "S", FAR - 86_400)}),
        ],
    ),
)
DATED = (
    Ladder(
        "a seed chain is posted",
        submitting("post_seed_chain"),
        {"area": "none", "from_slot": SLOT + 1, "anchor": "x", "MEMBER": ORACLE},
        [
            ("ARGUMENTS_INVALID", {"anchor": None}),
            ("ROLE_WRONG", {"MEMBER": DSO}),
            ("AREA_UNKNOWN", {"area": AREA}),
            ("SLOT_INVALID", {"from_slot": NEXT}),
            ("TERMS_FROZEN", {"from_slot": FAR}),
            ("SEED_CHAIN_NEEDED", {"MEMBER": R1}),
            ("NO_SEED_CHAIN", {"anchor": HEX}),
        ],
    ),
    Ladder(
        "market rules are posted",
        submitting("set_market_rules"),
        {"area": "none", "from_slot": NEXT + 1, "rules": {"tie": "time"}, "ADMIN": True},
        [
            *(
                ("ARGUMENTS_INVALID", {"rules": bad})
                for bad in (
                    rules(cancel_fee=10**8),
                    rules(shortfall_penalty=10**7 + 1),
                    rules(shortfall_penalty=-1),
                    rules(opens_s=31 * 86_400),
                    rules(seed_deadline_s=3_601),
                    rules(seed_deadline_s=179),
                    rules(report_deadline_s=7 * 86_400 + 1),
                    rules(final_s=400 * 86_400 + 1),
                    rules(offsets=[]),
                    rules(offsets=[(0, 70_000)]),
                    rules(price_band=(5, 5)),
                )
            ),
            ("AREA_UNKNOWN", {"area": ELSEWHERE}),
            ("NOT_AREA_DSO", {"area": AREA}),
            ("SLOT_INVALID", {"from_slot": NEXT}),
            ("TERMS_FROZEN", {"from_slot": FAR}),
            ("RULE_OUT_OF_BOUNDS", {"rules": rules(price_band=(-1, 10**9))}),
            ("RULE_OUT_OF_BOUNDS", {"rules": rules(gate_lead_s=86_400)}),
            ("RULE_OUT_OF_BOUNDS", {"rules": rules(seed_deadline_s=901)}),
            ("RULE_OUT_OF_BOUNDS", {"rules": rules(report_deadline_s=60, final_s=60)}),
            ("RULE_OUT_OF_BOUNDS", {"rules": rules(offsets=[(5, 0), (5, 3600)])}),
            ("RULE_OUT_OF_BOUNDS", {"rules": rules(gate_lead_s=1_201)}),
            ("RULE_OUT_OF_BOUNDS", {"rules": rules(gate_lead_s=1_200), "area": BARE}),
            ("NO_SEED_CHAIN", {"area": AREA}),
        ],
    ),
    Ladder(
        "a clock is set",
        submitting("set_clock"),
        {
            "area": "none",
            "real_anchor": SLOT - 300,
            "market_anchor": START_S - 1,
            "rate": 0,
            "ADMIN": True,
        },
        [
            ("ARGUMENTS_INVALID", {"rate": 1}),
            ("AREA_UNKNOWN", {"area": ELSEWHERE}),
            ("NOT_AREA_DSO", {"area": "real"}),
            ("CLOCK_REAL", {"area": AREA}),
            ("CLOCK_BACKWARDS", {"market_anchor": SLOT - 301}),
            ("CLOCK_BACKWARDS", {"market_anchor": SLOT - 300}),
        ],
    ),
    Ladder(
        "a clock is set ahead",
        submitting("set_clock"),
        {
            "area": ELSEWHERE,
            "real_anchor": SLOT - 300,
            "market_anchor": 4_102_444_800,  # the year 2100
            "rate": 1,
            "MEMBER": "OtherDso",
            "ADMIN": True,
        },
        [
            ("CLOCK_REAL", {"area": AREA, "MEMBER": DSO}),
            ("CLOCK_AHEAD", {"market_anchor": SLOT - 300 + 31 * 86_400 + 1}),
            ("CLOCK_AHEAD", {"market_anchor": SLOT - 300 + 31 * 86_400}),
        ],
    ),
    Ladder(
        "fees are posted",
        submitting("set_fees"),
        {"area": "none", "from_slot": SLOT, "rows": [fee(rate=-1)], "ADMIN": True},
        [
            ("AREA_UNKNOWN", {"area": ELSEWHERE}),
            ("NOT_AREA_DSO", {"area": AREA}),
            ("TERMS_FROZEN", {"from_slot": NEXT}),
            ("TERMS_FROZEN", {"from_slot": FAR}),
            ("FEE_ROW", {"rows": [fee(), fee(relation="local")]}),
            ("FEE_ROW", {"rows": [fee(), fee(kind="cancel")]}),
            ("FEE_ROW", {"rows": [fee()]}),
        ],
    ),
    Ladder(
        "residual prices are posted",
        submitting("set_residual_prices"),
        {
            "area": "none",
            "from_slot": SLOT + 1,
            "prices": [],
            "ADMIN": True,
        },
        [
            ("ARGUMENTS_INVALID", {"prices": [price(1)] * 101}),
            ("ARGUMENTS_INVALID", {"prices": [price(1)] * 99 + [price(-(10**9) - 1)]}),
            ("ROLE_WRONG", {"MEMBER": R1}),
            ("AREA_UNKNOWN", {"area": AREA}),
            ("SLOT_INVALID", {"from_slot": NEXT}),
            ("TERMS_FROZEN", {"from_slot": FAR}),
            ("PRICE_OUT_OF_REACH", {"prices": [price(1)] * 99 + [price(-(10**9))]}),
        ],
    ),
    Ladder(
        "a member's VAT is recorded",
        submitting("set_vat"),
        {
            "area": "none",
            "from_slot": SLOT,
            "status": "private",
            "rate_ppm": 1,
            "MEMBER": ORACLE,
        },
        [
            ("ROLE_WRONG", {"MEMBER": R2}),
            ("AREA_UNKNOWN", {"area": AREA}),
            ("TERMS_FROZEN", {"from_slot": FAR}),
            ("VAT_RATE", {"status": "taxable"}),
        ],
    ),
)
SHEET: Fields = {
    "WHO": "stranger",
    "TEXT": "no.token",
    "FORGED": True,
    "channel": "other",
    "contract": "other",
    "area": "none",
    "meter": "none",
    "zone": "none",
    "IDS": [],
    "SIDE": "buy",
    "SLOT": SLOT + 1,
    "STEPS": [],
    "EXPIRES": START_S,
    "valid_until_s": START_S,
}
HERE: Fields = {"channel": "testing", "contract": ladders.OWN}
TAKEN = (
    SHEET
    | HERE
    | {
        "WHO": "S",
        "TEXT": None,
        "FORGED": False,
        "area": AREA,
        "valid_until_s": NEXT - 300,
        "meter": "S",
        "zone": EAST,
        "IDS": ["new"],
        "SLOT": NEXT,
        "STEPS": [(100_000, 100)],
        "EXPIRES": None,
    }
)
ORDERS = (
    Ladder(
        "a sheet is placed",
        ladders.sheet,
        SHEET,
        [
            ("SHEET_UNREADABLE", {"TEXT": None}),
            ("CHANNEL_WRONG", {"channel": "testing"}),
            ("CONTRACT_WRONG", {"contract": ladders.OWN}),
            ("SIGNATURE_INVALID", {"FORGED": False}),
            ("ORDERS_COUNT", {"IDS": [f"o{number}" for number in range(201)]}),
            ("ORDERS_COUNT", {"IDS": ["new", "new"]}),
            ("METER_UNKNOWN", {"meter": "S-later"}),
            ("AREA_WRONG", {"area": AREA}),
            ("ID_REPEATED", {"IDS": ["new"]}),
            ("TRADER_UNKNOWN", {"WHO": "P"}),
            ("TRADER_LOCKED", {"WHO": "B"}),
            ("SLOT_INVALID", {"SLOT": SLOT}),
            ("METER_UNKNOWN", {"meter": "S-west"}),
            ("METER_NOT_HELD", {"WHO": "S"}),
            ("ZONE_WRONG", {"meter": "S-dark", "zone": EAST}),
            ("SUPPLY_MISSING", {"meter": "S-west", "zone": WEST}),
            ("GATE_CLOSED", {"SLOT": FAR}),
            ("SLOT_NOT_OPEN", {"SLOT": NEXT}),
            ("ZONE_PAUSED", {"meter": "S", "zone": EAST}),
            ("ORDER_EXPIRED", {"EXPIRES": NEXT}),
            ("STEPS_COUNT", {"STEPS": [(100, 1)] * 21}),
            ("STEPS_COUNT", {"STEPS": [(4_000_001, 0)]}),
            ("QUANTITY_BOUNDS", {"STEPS": [(4_000_001, 20_000)]}),
            ("PRICE_BAND", {"STEPS": [(-500_001, 20_000)]}),
            ("PRICE_BAND", {"STEPS": [(300_000, 20_000)]}),
            ("CAPACITY_EXCEEDED", {"STEPS": [(300_000, 100)]}),
            ("SELF_CROSSING", {"STEPS": [(299_999, 100)]}),
            ("INTENT_EXPIRED", {"valid_until_s": NEXT - 299}),
            ("INTENT_TOO_LONG", {"valid_until_s": NEXT - 300}),
        ],
    ),
    Ladder(
        "an id stands for another order",
        ladders.sheet,
        TAKEN | {"IDS": ["open", "newer"]},
        [("ID_USED", {"IDS": ["open"]}), ("ID_USED", {"IDS": ["newer"]})],
    ),
    Ladder(
        "a participant has too many orders",
        ladders.sheet,
        TAKEN | {"IDS": [f"o{number}" for number in range(48)], "STEPS": [(100_000, 1)]},
        [("ORDERS_TOO_MANY", {"IDS": [f"o{number}" for number in range(47)]})],
    ),
    Ladder(
        "a participant's orders have too many steps",
        ladders.sheet,
        TAKEN | {"IDS": [f"o{number}" for number in range(5)], "STEPS": [(100_000, 1)] * 10},
        [("SLOT_STEPS_TOO_MANY", {"IDS": [f"o{number}" for number in range(4)]})],
    ),
    Ladder(
        "a slot before the rules is ordered",
        ladders.sheet,
        TAKEN | {"area": ELSEWHERE, "meter": "S-elsewhere", "zone": "elsewhere-root", "SLOT": 0},
        [("NO_MARKET_RULES", TAKEN)],
    ),
    Ladder(
        "an order is amended",
        changing("amend_orders"),
        {
            "WHO": "S",
            "TEXT": "x.y.z",
            "FORGED": True,
            "id": "none",
            "slot": NEXT,
            "steps": [(310_001, 100)],
            "revision": 1,
        },
        [
            ("SHEET_UNREADABLE", {"TEXT": None}),
            ("SIGNATURE_INVALID", {"FORGED": False}),
            ("ORDER_UNKNOWN", {"id": "amended"}),
            ("AMENDED_ALREADY", {"revision": 3, "id": "gone"}),
            ("ORDER_NOT_OPEN", {"id": "amended"}),
            ("REVISION_WRONG", {"revision": 2, "steps": []}),
            ("STEPS_COUNT", {"steps": [(310_001, 100)], "valid_until_s": START_S}),
            ("INTENT_EXPIRED", {"valid_until_s": NEXT - 299}),
            ("INTENT_TOO_LONG", {"valid_until_s": NEXT - 300}),
        ],
    ),
    Ladder(
        "an order is cancelled",
        changing("cancel_orders"),
        {"WHO": "S", "id": "s", "slot": SLOT},
        [
            ("GATE_CLOSED", {"slot": NEXT, "id": "open", "valid_until_s": START_S}),
            ("INTENT_EXPIRED", {"valid_until_s": NEXT - 299}),
            ("INTENT_TOO_LONG", {"valid_until_s": NEXT - 300}),
        ],
    ),
    Ladder(
        "an order is cancelled before it has come",
        changing("cancel_orders"),
        {"WHO": "stranger", "area": "none", "id": "none", "slot": FAR + 31 * 86_400},
        [
            ("TRADER_UNKNOWN", {"WHO": "S"}),
            ("AREA_UNKNOWN", {"area": AREA}),
            ("SLOT_NOT_OPEN", {"slot": SLOT}),
            ("GATE_CLOSED", {"slot": NEXT, "valid_until_s": START_S}),
            ("INTENT_EXPIRED", {"valid_until_s": NEXT - 299}),
            ("INTENT_TOO_LONG", {"valid_until_s": NEXT - 300}),
        ],
    ),
)
GATES = (
    Ladder(
        "a gate is closed that cannot be",
        submitting("close_gate"),
        {"area": "none", "slot": SLOT + 1},
        [
            ("AREA_UNKNOWN", {"area": AREA}),
            ("SLOT_INVALID", {"slot": SLOT}),
            ("SLOT_PHASE", {"area": BARE}),
            ("NO_MARKET_RULES", {"area": ELSEWHERE, "slot": NEXT}),
            ("GATE_OUT_OF_ORDER", {"slot": SLOT}),
        ],
    ),
    Ladder(
        "a gate is closed",
        submitting("close_gate"),
        {"area": AREA, "slot": NEXT, "AT": SLOT + 599},
        [("GATE_NOT_DUE", {"AT": SLOT + 600})],
    ),
    Ladder(
        "gates of empty slots are closed",
        submitting("close_empty_gates"),
        {"area": "none", "until_slot": SLOT + 1, "AT": SLOT + 599, "MEMBER": REGULATOR},
        [
            ("ROLE_WRONG", {"MEMBER": R1}),
            ("AREA_UNKNOWN", {"area": BARE}),
            ("SLOT_INVALID", {"until_slot": SLOT}),
            ("NO_MARKET_RULES", {"area": AREA}),
            ("SLOT_PHASE", {"until_slot": THIRD}),
            ("GATE_NOT_DUE", {"AT": SLOT + 1_500}),
            ("GATE_NOT_EMPTY", {}),
        ],
    ),
    Ladder(
        "a seed is revealed that is not due",
        submitting("reveal_seed"),
        {"area": "none", "slot": SLOT + 1, "seed": "x", "MEMBER": ORACLE},
        [
            ("ARGUMENTS_INVALID", {"seed": HEX}),
            ("ROLE_WRONG", {"MEMBER": R1}),
            ("AREA_UNKNOWN", {"area": AREA}),
            ("SLOT_INVALID", {"slot": NEXT}),
            ("SLOT_PHASE", {"slot": SLOT}),
            ("NO_SEED_CHAIN", {"MEMBER": DSO}),
            ("SEED_REVEALED", {}),
        ],
    ),
    Ladder(
        "a slot is cleared in the wrong phase",
        submitting("clear_slot"),
        {"area": AREA, "slot": SLOT, "MEMBER": REGULATOR},
        [("ROLE_WRONG", {"MEMBER": DSO}), ("SLOT_PHASE", {"slot": NEXT}), ("SLOT_PHASE", {})],
    ),
    Ladder(
        "a slot is settled",
        submitting("settle_slot"),
        {"area": AREA, "slot": NEXT, "AT": NEXT - 1, "MEMBER": REGULATOR},
        [
            ("ROLE_WRONG", {"MEMBER": R1}),
            ("SLOT_PHASE", {"slot": SLOT}),
            ("SETTLEMENT_EARLY", {"AT": NEXT}),
            ("READINGS_MISSING", {"AT": NEXT + 3600}),
        ],
    ),
    Ladder(
        "a slot is corrected that has not settled",
        submitting("correct_slot"),
        {"area": AREA, "slot": NEXT, "MEMBER": REGULATOR},
        [("ROLE_WRONG", {"MEMBER": R1}), ("SLOT_PHASE", {"slot": SLOT}), ("SLOT_PHASE", {})],
    ),
    Ladder(
        "causes of corrections are asked for",
        asking("list_causes"),
        {"area": AREA, "slot": SLOT, "page": 1},
        [("PAGE_UNKNOWN", {"page": 0})],
    ),
    Ladder(
        "a cleared book is asked for",
        asking("get_book"),
        {"area": "none", "slot": NEXT, "zone": "nowhere"},
        [
            ("AREA_UNKNOWN", {"area": AREA}),
            ("ZONE_UNKNOWN", {"zone": EAST}),
            ("BOOK_OPEN", {"slot": SLOT}),
        ],
    ),
    Ladder(
        "a page of postings is asked for",
        asking("list_postings"),
        {"area": AREA, "slot": SLOT, "page": 1},
        [("PAGE_UNKNOWN", {"page": 0})],
    ),
    Ladder(
        "certified meters are asked for",
        asking("list_meters"),
        {"area": "none", "after": "x" * 65},
        [("ARGUMENTS_INVALID", {"after": ""}), ("AREA_UNKNOWN", {"area": AREA})],
    ),
    Ladder(
        "readings are asked for",
        asking("list_readings"),
        {"area": "none", "boundary": SLOT + 1, "after": "x" * 65},
        [
            ("ARGUMENTS_INVALID", {"after": ""}),
            ("AREA_UNKNOWN", {"area": AREA}),
            ("SLOT_INVALID", {"boundary": SLOT}),
        ],
    ),
    Ladder(
        "a page of settled meters is asked for",
        asking("list_metered"),
        {"area": AREA, "slot": SLOT, "page": 1},
        [("PAGE_UNKNOWN", {"page": 0})],
    ),
    Ladder(
        "seed chains are asked for",
        asking("list_seed_chains"),
        {"area": "none", "slot": SLOT},
        [("AREA_UNKNOWN", {"area": AREA})],
    ),
    Ladder(
        "rules are asked for",
        asking("get_market_rules"),
        {"area": AREA, "slot": SLOT - 1},
        [("NO_MARKET_RULES", {"slot": SLOT})],
    ),
    Ladder(
        "an account is asked for",
        asking("describe_account"),
        {"area": "none", "owner": "x"},
        [("AREA_UNKNOWN", {"area": AREA})],
    ),
)
MONEY_AND_ACTS = (
    Ladder(
        "accounts are folded",
        submitting("fold_accounts"),
        {"area": "none", "MEMBER": REGULATOR},
        [
            ("ROLE_WRONG", {"MEMBER": ORACLE}),
            ("AREA_UNKNOWN", {"area": AREA}),
            ("NOTHING_TO_FOLD", {}),
        ],
    ),
    Ladder(
        "claims are asked for",
        asking("list_claims"),
        {"area": "none", "retailer": "x/y", "after": ""},
        [("ARGUMENTS_INVALID", {"retailer": R1}), ("AREA_UNKNOWN", {"area": AREA})],
    ),
    Ladder(
        "entries are asked for",
        asking("list_entries"),
        {"area": "none", "owner": "x", "first": 0},
        [("AREA_UNKNOWN", {"area": AREA})],
    ),
    Ladder(
        "lines that folding posted are asked for",
        asking("list_fold_postings"),
        {"area": "none", "page": 9},
        [("AREA_UNKNOWN", {"area": AREA}), ("PAGE_UNKNOWN", {"page": 0})],
    ),
    Ladder(
        "accounts are summed",
        asking("sum_accounts"),
        {"area": "none", "after": "", "digest": "0"},
        [("ARGUMENTS_INVALID", {"digest": HEX}), ("AREA_UNKNOWN", {"area": AREA})],
    ),
    Ladder(
        "a client is paid out",
        ladders.paying_out,
        {
            "WHO": "stranger",
            "TEXT": "x.y.z",
            "FORGED": True,
            "area": "none",
            "amount_nano": 0,
            "reference": "taken",
            "retailer": "none",
            "valid_until_s": START_S,
            "MEMBER": DSO,
        },
        [
            ("ROLE_WRONG", {"MEMBER": R2}),
            ("SHEET_UNREADABLE", {"TEXT": None}),
            ("SHEET_UNREADABLE", {"amount_nano": 20_000 * MILLION}),
            ("SIGNATURE_INVALID", {"FORGED": False}),
            ("RETAILER_WRONG", {"retailer": R2}),
            ("AREA_UNKNOWN", {"area": AREA}),
            ("INTENT_EXPIRED", {"valid_until_s": FAR + 86_400}),
            ("INTENT_TOO_LONG", {"valid_until_s": FAR - 86_400}),
            ("PARTICIPANT_UNKNOWN", {"WHO": "B"}),
            ("NOT_OWN_CLIENT", {"retailer": R1, "MEMBER": R1}),
            ("PAYMENT_EXISTS", {"reference": "new"}),
            ("FUNDS_INSUFFICIENT", {"amount_nano": 1}),
        ],
    ),
    Ladder(
        "a client is credited",
        submitting("credit_client"),
        {"area": AREA, "participant": did_of("C"), "amount_nano": 1, "reference": "taken"},
        [
            ("ROLE_WRONG", {"MEMBER": R1}),
            ("PAYMENT_EXISTS", {"reference": "x" * 65}),
            ("ARGUMENTS_INVALID", {"reference": "new"}),
        ],
    ),
    Ladder(
        "an act is recorded",
        ladders.act,
        {
            "WHO": "S",
            "TEXT": "a" * 9000,
            "FORGED": True,
            "ABOUT": "stranger",
            "act": "lock",
            "sequence": 4,
            "channel": "other",
            "contract": "other",
        },
        [
            ("SHEET_UNREADABLE", {"TEXT": None}),
            ("CHANNEL_WRONG", {"channel": "testing"}),
            ("CONTRACT_WRONG", {"contract": ladders.OWN}),
            ("SIGNATURE_INVALID", {"FORGED": False}),
            ("SIGNER_UNKNOWN", {"WHO": "regulator"}),
            ("ACT_SEQUENCE", {"sequence": 2}),
            ("PARTICIPANT_UNKNOWN", {"ABOUT": "S"}),
        ],
    ),
    Ladder(
        "a trade is disputed",
        ladders.dispute,
        {"WHO": "C", "act": "withdraw", "slot": NEXT, "trade": 1},
        [
            ("TRADE_UNKNOWN", {"slot": SLOT}),
            ("TRADE_UNKNOWN", {"trade": 0}),
            ("NOT_PARTY", {"WHO": "S"}),
            ("DISPUTE_NOT_OPEN", {"act": "raise", "valid_until_s": START_S}),
            ("INTENT_EXPIRED", {"valid_until_s": FAR + 86_400}),
            ("INTENT_TOO_LONG", {"valid_until_s": FAR - 86_400}),
        ],
    ),
    Ladder(
        "a trade is disputed too late",
        ladders.dispute,
        {"WHO": "S", "act": "raise", "slot": SLOT, "trade": 0, "AT": NEXT + 30 * 86_400},
        [("DISPUTE_LATE", {})],
    ),
)


def leaf(meter: str, boundary: int = THIRD, *, import_wh: int = 0) -> Leaf:
    """What a meter shows at a boundary."""
    return Leaf(
        boundary=boundary,
        export_wh=0,
        import_wh=import_wh,
        meter=meter,
        resolution_wh=1,
        salt=HEX,
    )


THREE = [f"oracle {number}" for number in range(3)]
REPORT: Fields = {
    "TEXT": "x",
    "OTHER": True,
    "FORGED": True,
    "channel": "other",
    "contract": "other",
    "area": "none",
    "boundary": THIRD + 1,
    "CONFIGURATION": HEX,
    "SIGNERS": ["oracle 0", "S"],
    "DATA": b"",
    "COUNT": 7,
    "LEAVES": [leaf("C"), leaf("A")],
    "ROOT": HEX,
    "AT": THIRD - 1,
}
REPORTS = (
    Ladder(
        "a report is recorded",
        ladders.report,
        REPORT,
        [
            ("SHEET_UNREADABLE", {"TEXT": None}),
            ("REPORTS_DIFFER", {"OTHER": False}),
            ("CHANNEL_WRONG", {"channel": "testing"}),
            ("CONTRACT_WRONG", {"contract": ladders.OWN}),
            ("SIGNATURE_INVALID", {"FORGED": False}),
            ("AREA_UNKNOWN", {"area": AREA}),
            ("SLOT_INVALID", {"boundary": THIRD}),
            ("ORACLE_CONFIGURATION", {"CONFIGURATION": None}),
            ("SIGNER_UNKNOWN", {"SIGNERS": ["oracle 0", "oracle 0"]}),
            ("SIGNER_REPEATED", {"SIGNERS": THREE[:2]}),
            ("SIGNATURES_FEW", {"SIGNERS": THREE}),
            ("LEAVES_MISSING", {"DATA": b"[{}]"}),
            ("LEAVES_UNREADABLE", {"DATA": None}),
            ("LEAVES_COUNT", {"COUNT": None}),
            ("LEAVES_ORDER", {"LEAVES": [leaf("A", NEXT)]}),
            ("LEAF_BOUNDARY", {"LEAVES": [leaf("A")]}),
            ("REPORT_ROOT", {"ROOT": None}),
            ("REPORT_EARLY", {"AT": THIRD}),
            ("METER_UNKNOWN", {"LEAVES": [leaf("S-elsewhere")]}),
            ("METER_AREA_FIXED", {"LEAVES": [leaf("S-dark")]}),
            ("SUPPLY_MISSING", {"LEAVES": [leaf("C")]}),
        ],
    ),
    Ladder(
        "validated registers are recorded",
        ladders.validate,
        {
            "MEMBER": R1,
            "area": "none",
            "boundary": THIRD + 1,
            "DATA": b"",
            "COUNT": 7,
            "LEAVES": [leaf("C"), leaf("A")],
            "ROOT": HEX,
            "AT": THIRD - 1,
        },
        [
            ("ROLE_WRONG", {"MEMBER": DSO}),
            ("AREA_UNKNOWN", {"area": ELSEWHERE}),
            ("NOT_AREA_DSO", {"area": AREA}),
            ("SLOT_INVALID", {"boundary": THIRD}),
            ("LEAVES_MISSING", {"DATA": b"[{}]"}),
            ("LEAVES_UNREADABLE", {"DATA": None}),
            ("LEAVES_COUNT", {"COUNT": None}),
            ("LEAVES_ORDER", {"LEAVES": [leaf("A", NEXT)]}),
            ("LEAF_BOUNDARY", {"LEAVES": [leaf("A")]}),
            ("REPORT_ROOT", {"ROOT": None}),
            ("REPORT_EARLY", {"AT": THIRD}),
            ("METER_UNKNOWN", {"LEAVES": [leaf("S-elsewhere")]}),
            ("METER_AREA_FIXED", {"LEAVES": [leaf("S-dark")]}),
            ("SUPPLY_MISSING", {"LEAVES": [leaf("C")]}),
        ],
    ),
    Ladder(
        "an exchange of a meter is recorded",
        ladders.exchange,
        {"MEMBER": R1, "meter": "none", "slot": NEXT + 1, "DATA": b"", "AT": NEXT - 1},
        [
            ("ROLE_WRONG", {"MEMBER": DSO}),
            ("METER_UNKNOWN", {"meter": "S-elsewhere"}),
            ("NOT_AREA_DSO", {"meter": "C"}),
            ("SLOT_INVALID", {"slot": NEXT}),
            ("LEAVES_MISSING", {"DATA": b"{}"}),
            ("LEAVES_UNREADABLE", {"DATA": None}),
            ("REPORT_EARLY", {"AT": NEXT}),
        ],
    ),
)
LADDERS = (*REGISTRY, *DATED, *SUPPLY, *ORACLES, *ORDERS, *GATES, *MONEY_AND_ACTS, *REPORTS)
