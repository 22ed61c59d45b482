"""When a slot opens: from then on its terms are frozen (contract.md, part 4).

A slot opens `opens_s` before its start, by the rules that hold for it. Whoever dates a term asks
here whether the slot has opened. The gate and what is frozen with it stand in `slots/gate.py`.
"""

from __future__ import annotations

from chaincode.area.clock import market_time_s
from chaincode.area.rules import RULES
from chaincode.area.zones import Area, require_slot_start
from chaincode.context import Context
from chaincode.errors import TERMS_FROZEN


def require_unopened(context: Context, area: Area, from_slot: int) -> None:
    """Refuse to date a term to `from_slot` if that slot or a later one has opened.

    A term holds for later slots too, and later rules may open a later slot earlier. Before an area
    has rules, no slot has opened.
    """
    row = RULES.get(context, area.area)
    require_slot_start(area, from_slot)
    if row is None:
        return
    now_s = market_time_s(context, area.area)
    for version in reversed(row.versions):
        slot = max(version.from_slot, from_slot)
        opening_s = version.value.opening_s(slot)
        if now_s >= opening_s:
            raise TERMS_FROZEN(slot=slot, opening_s=opening_s)
        if version.from_slot <= from_slot:
            return
