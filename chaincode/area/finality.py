"""When a slot is final: then no reading, no correction and no dispute changes it any more.

Rules of the contract: "Registers, not differences", 8. A slot whose rules are pruned is final, since
rules are kept for as long as a slot that is not final needs them.
"""

from __future__ import annotations

from chaincode.area.clock import market_time_s
from chaincode.area.rules import RULES
from chaincode.area.zones import Area
from chaincode.context import Context
from chaincode.errors import SLOT_FINAL


def final_at_s(context: Context, area: Area, slot: int) -> int:
    """The second of market time from which a slot is final; its end if its rules are pruned."""
    row = RULES.at(context, area.area, slot=slot)
    ends_s = slot + area.slot_s
    return ends_s if row is None else row.rules.final_at_s(ends_s)


def require_not_final(context: Context, area: Area, slot: int) -> None:
    """Refuse what would change a slot that is final (`SLOT_FINAL`)."""
    final_s = final_at_s(context, area, slot)
    if market_time_s(context, area.area) >= final_s:
        raise SLOT_FINAL(slot=slot, final_s=final_s)
