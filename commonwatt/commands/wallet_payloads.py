"""The payloads that `commonwatt wallet sign` takes, as the contract reads them.

They are in a module of their own, so that `commonwatt wallet show` does not load the contract.
"""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from chaincode.consortium.acts import ACT_TYP, Act
from chaincode.orders.sheets import AMEND_TYP, CANCEL_TYP, SHEET_TYP, Amend, Cancel, Sheet
from chaincode.settlement.disputes import DISPUTE_TYP, DisputeAct

KINDS: Mapping[str, tuple[str, type[msgspec.Struct]]] = {
    "sheet": (SHEET_TYP, Sheet),
    "amend": (AMEND_TYP, Amend),
    "cancel": (CANCEL_TYP, Cancel),
    "dispute": (DISPUTE_TYP, DisputeAct),
    "act": (ACT_TYP, Act),
}
"""Each kind of payload with the type that its token names, and its fields."""
