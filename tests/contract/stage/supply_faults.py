"""The ladders of meters' supply and of who may read them."""

from __future__ import annotations

from tests.contract.stage import ladders
from tests.contract.stage.cast import AREA, DSO, ORACLE, OTHER_DSO, R1, R2, SLOT, SLOT_S, did_of
from tests.contract.stage.ladders import Ladder, asking, submitting

FAR = SLOT + 30 * 86_400
BEYOND = FAR + SLOT_S
NOBODY = "did:key:z" + "1" * 44

SUPPLY = (
    Ladder(
        "a supply is accepted",
        ladders.supply,
        {
            "WHO": "B",
            "TEXT": "x",
            "FORGED": True,
            "channel": "other",
            "contract": "other",
            "area": "bare",
            "meter": "none",
            "retailer": R2,
            "offtaker": DSO,
            "from_slot": SLOT,
            "valid_until_s": 0,
            "MEMBER": DSO,
        },
        [
            ("ROLE_WRONG", {"MEMBER": R1}),
            ("SHEET_UNREADABLE", {"TEXT": None}),
            ("CHANNEL_WRONG", {"channel": "testing"}),
            ("CONTRACT_WRONG", {"contract": ladders.OWN}),
            ("SIGNATURE_INVALID", {"FORGED": False}),
            ("SUPPLY_NOT_NAMED", {"MEMBER": R2}),
            ("METER_UNKNOWN", {"meter": "S-later"}),
            ("METER_AREA_FIXED", {"area": AREA}),
            ("METER_UNKNOWN", {"meter": "S"}),
            ("METER_NOT_HELD", {"WHO": "S"}),
            ("INTENT_EXPIRED", {"valid_until_s": BEYOND}),
            ("ROLE_WRONG", {"offtaker": R1}),
            ("OFFTAKE_MISSING", {"offtaker": R2}),
            ("TERMS_FROZEN", {"from_slot": FAR + 1}),
            ("SLOT_INVALID", {"from_slot": FAR}),
        ],
    ),
    Ladder(
        "the surplus of a meter is taken",
        submitting("agree_to_offtake"),
        {"meter": "none", "from_slot": SLOT, "MEMBER": DSO},
        [
            ("ROLE_WRONG", {"MEMBER": R1}),
            ("METER_UNKNOWN", {"meter": "S"}),
            ("TERMS_FROZEN", {"meter": "S-real", "from_slot": FAR}),
            ("NO_RESIDUAL_PRICES", {"meter": "S"}),
        ],
    ),
    Ladder(
        "a client's VAT is recorded",
        submitting("set_client_vat"),
        {
            "meter": "none",
            "from_slot": SLOT,
            "status": "private",
            "rate_ppm": 1,
            "MEMBER": DSO,
        },
        [
            ("ROLE_WRONG", {"MEMBER": R2}),
            ("METER_UNKNOWN", {"meter": "S-dark"}),
            ("TERMS_FROZEN", {"from_slot": FAR}),
            ("SUPPLY_MISSING", {"meter": "S"}),
            ("NOT_SUPPLIER", {"MEMBER": R1}),
            ("VAT_RATE", {"status": "taxable"}),
        ],
    ),
    Ladder(
        "a meter is retired",
        submitting("retire_meter"),
        {"meter": "none", "from_slot": SLOT, "MEMBER": R1},
        [
            ("ROLE_WRONG", {"MEMBER": OTHER_DSO}),
            ("METER_UNKNOWN", {"meter": "S-later"}),
            ("NOT_METER_DSO", {"MEMBER": DSO}),
            ("TERMS_FROZEN", {"from_slot": FAR}),
        ],
    ),
    Ladder(
        "a supplier of last resort is named",
        submitting("name_supplier_of_last_resort"),
        {"area": "none", "retailer": "none", "from_slot": SLOT, "ADMIN": True},
        [
            ("AREA_UNKNOWN", {"area": "elsewhere"}),
            ("NOT_AREA_DSO", {"area": AREA}),
            ("ORGANISATION_UNKNOWN", {"retailer": DSO}),
            ("ROLE_WRONG", {"retailer": R2}),
            ("TERMS_FROZEN", {"from_slot": FAR}),
        ],
    ),
    Ladder(
        "a supplier of last resort agrees",
        submitting("agree_to_last_resort"),
        {"area": "none", "from_slot": SLOT + 1, "until_slot": 1, "MEMBER": R1, "ADMIN": True},
        [
            ("AREA_UNKNOWN", {"area": AREA}),
            ("SLOT_INVALID", {"from_slot": SLOT, "until_slot": FAR}),
            ("LAST_RESORT_MISSING", {"from_slot": BEYOND}),
            ("NOT_LAST_RESORT", {"MEMBER": R2}),
        ],
    ),
    Ladder(
        "a supplier of last resort is assigned",
        submitting("assign_supplier_of_last_resort"),
        {"meter": "none", "from_slot": SLOT, "MEMBER": OTHER_DSO},
        [
            ("METER_UNKNOWN", {"meter": "S-later"}),
            ("NOT_METER_DSO", {"MEMBER": DSO}),
            ("METER_UNKNOWN", {"meter": "S-dark"}),
            ("LAST_RESORT_MISSING", {"from_slot": BEYOND + SLOT_S}),
            ("HOLDER_NOT_AGREED", {"meter": "S-supplied"}),
            ("SUPPLY_TAKEN", {"from_slot": BEYOND + 2 * SLOT_S}),
        ],
    ),
    Ladder(
        "meters at a boundary are asked for",
        asking("list_boundary_meters"),
        {"area": "none", "boundary": SLOT + 1, "after": "x" * 65},
        [
            ("ARGUMENTS_INVALID", {"after": ""}),
            ("AREA_UNKNOWN", {"area": AREA}),
            ("SLOT_INVALID", {"boundary": SLOT}),
        ],
    ),
    Ladder(
        "a meter is described",
        asking("describe_meter"),
        {"meter": "none", "slot": SLOT},
        [("METER_UNKNOWN", {"meter": "S"})],
    ),
    Ladder(
        "a supplier of last resort is described",
        asking("describe_last_resort"),
        {"area": "none", "slot": SLOT},
        [("AREA_UNKNOWN", {"area": AREA})],
    ),
)
ORACLES = (
    Ladder(
        "an oracle is appointed",
        submitting("appoint_oracle"),
        {"area": "none", "oracle": "none", "from_slot": SLOT, "ADMIN": True},
        [
            ("AREA_UNKNOWN", {"area": "elsewhere"}),
            ("NOT_AREA_DSO", {"area": AREA}),
            ("ORGANISATION_UNKNOWN", {"oracle": R1}),
            ("ROLE_WRONG", {"oracle": ORACLE}),
            ("TERMS_FROZEN", {"from_slot": FAR}),
        ],
    ),
    Ladder(
        "oracle nodes are named",
        submitting("set_oracle_nodes"),
        {
            "area": "none",
            "from_slot": SLOT,
            "nodes": [NOBODY] * 4,
            "faulty_max": 11,
            "MEMBER": ORACLE,
            "ADMIN": True,
        },
        [
            ("ARGUMENTS_INVALID", {"faulty_max": 2}),
            ("AREA_UNKNOWN", {"area": AREA}),
            ("TERMS_FROZEN", {"area": "real", "from_slot": FAR}),
            ("NOT_ORACLE_OPERATOR", {"from_slot": BEYOND}),
            ("ORACLE_NODES_COUNT", {"faulty_max": 0}),
            ("ORACLE_NODES_FEW", {"faulty_max": 1}),
            ("DID_UNUSABLE", {"nodes": [did_of(name) for name in ("a", "b", "c", "a")]}),
            ("SIGNER_REPEATED", {"nodes": [did_of(name) for name in ("a", "b", "c", "gone")]}),
            ("SIGNER_REVOKED", {"nodes": [did_of(name) for name in ("a", "b", "c", "d")]}),
        ],
    ),
    Ladder(
        "an oracle node is revoked",
        submitting("revoke_oracle_node"),
        {"area": "none", "did": NOBODY, "from_slot": SLOT + 1, "MEMBER": R1, "ADMIN": True},
        [
            ("ROLE_WRONG", {"MEMBER": OTHER_DSO}),
            ("AREA_UNKNOWN", {"area": "real"}),
            ("SLOT_INVALID", {"from_slot": BEYOND + SLOT_S}),
            ("NOT_ORACLE_OPERATOR", {"MEMBER": ORACLE}),
            ("DID_UNUSABLE", {"did": did_of("gone")}),
            ("SIGNER_REVOKED", {"from_slot": BEYOND}),
        ],
    ),
    Ladder(
        "an oracle is described",
        asking("describe_oracle"),
        {"area": "none", "slot": SLOT},
        [("AREA_UNKNOWN", {"area": AREA})],
    ),
)
