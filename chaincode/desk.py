"""The order desk: what a batch of signed tokens is checked against, read once for all of them.

It holds the order rows too: each token is judged on what the ones before it in the batch did,
and every row that changed is written once at the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from chaincode.clock import CLOCKS
from chaincode.context import Context
from chaincode.errors import NO_CLOCK
from chaincode.market_rules import RULES, AreaRules, MarketRules, rules_at
from chaincode.meters import METERS, Meter
from chaincode.registry import PARTICIPANTS, STATUSES
from chaincode.sheets import Step
from chaincode.slots import SLOTS
from chaincode.state import Did, Id, Row, Second, Side, Table, slot_part
from chaincode.zones import AREAS, Area, paused_zones


class StoredOrder(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """An order as it stands: steps are (price micro/kWh, quantity Wh).

    `open` is False once cancelled. `withdrawn_wh` were given up by cancelling or amending, for
    `fee_nano` in all, which settlement posts.
    """

    id: Id
    meter: Id
    zone: Id
    side: Side
    steps: list[Step]
    expires_s: Second | None = None
    revision: int = 0
    open: bool = True
    withdrawn_wh: int = 0
    fee_nano: int = 0

    @property
    def quantity_wh(self) -> int:
        """The Wh of all steps."""
        return sum(quantity for _, quantity in self.steps)


class OrderRow(Row, frozen=True, gc=False):
    """All orders of one participant in one slot, cancelled ones too, in the order placed."""

    orders: list[StoredOrder]


ORDERS = Table(41, "orders", OrderRow, ("area", "slot", "did"))


class RowKey(NamedTuple):
    """Whose orders of which slot."""

    area: str
    slot: int
    did: Did


class Desk:
    """Rows that a batch needs, and the order rows it changes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: set[str] = set()
        self._locked: set[str] = set()
        self._meters: dict[str, Meter | None] = {}
        self._areas: dict[str, Area | None] = {}
        self._paused: dict[str, frozenset[str]] = {}
        self._rules: dict[str, AreaRules | None] = {}
        self._now_s: dict[str, int | None] = {}
        self._closed: dict[tuple[str, int], bool] = {}
        self._rows: dict[RowKey, list[StoredOrder]] = {}
        self._changed: dict[RowKey, None] = {}

    def load_traders(self, dids: Iterable[str]) -> None:
        """Read who is a participant and who is locked."""
        wanted = [(did,) for did in dict.fromkeys(dids)]
        for (did,), row in zip(wanted, PARTICIPANTS.get_many(self._context, wanted), strict=True):
            if row is not None:
                self._known.add(did)
        for (did,), row in zip(wanted, STATUSES.get_many(self._context, wanted), strict=True):
            if row is not None and row.locked:
                self._locked.add(did)

    def load_meters(self, names: Iterable[str]) -> None:
        """Read meters and, once each, what belongs to their areas."""
        wanted = [(name,) for name in dict.fromkeys(names)]
        for (name,), row in zip(wanted, METERS.get_many(self._context, wanted), strict=True):
            self._meters[name] = row

    def load_rows(self, keys: Iterable[RowKey]) -> None:
        """Read order rows with the areas, rules, clocks and slots that they fall under."""
        wanted = list(dict.fromkeys(keys))
        for area in dict.fromkeys(key.area for key in wanted):
            row = AREAS.get(self._context, area)
            self._areas[area] = row
            self._paused[area] = frozenset() if row is None else paused_zones(row)
            self._rules[area] = RULES.get(self._context, area)
            clock = CLOCKS.get(self._context, area)
            self._now_s[area] = None if clock is None else clock.market_s(self._context.time_s)
        slots = list(dict.fromkeys((key.area, key.slot) for key in wanted))
        phases = SLOTS.get_many(self._context, [(area, slot_part(slot)) for area, slot in slots])
        for place, phase in zip(slots, phases, strict=True):
            self._closed[place] = phase is not None
        names = [(key.area, slot_part(key.slot), key.did) for key in wanted]
        for key, row in zip(wanted, ORDERS.get_many(self._context, names), strict=True):
            self._rows[key] = [] if row is None else row.orders

    def is_participant(self, did: str) -> bool:
        """Whether the DID was admitted."""
        return did in self._known

    def is_locked(self, did: str) -> bool:
        """Whether the regulator has locked the participant."""
        return did in self._locked

    def meter(self, name: str) -> Meter | None:
        """A meter that was loaded."""
        return self._meters[name]

    def area_of(self, meter: str) -> str | None:
        """The area a loaded meter belongs to for good; None for an unknown one."""
        row = self._meters[meter]
        return None if row is None else row.versions[0].value.area

    def area(self, name: str) -> Area | None:
        """A loaded area; None for an unknown one."""
        return self._areas[name]

    def is_paused(self, area: str, zone: str) -> bool:
        """Whether a zone trades nothing now."""
        return zone in self._paused[area]

    def is_closed(self, area: str, slot: int) -> bool:
        """Whether somebody has closed the slot's gate."""
        return self._closed[area, slot]

    def rules(self, area: str, slot: int) -> MarketRules:
        """The rules that hold for a slot; refuses a slot without any."""
        return rules_at(self._rules[area], area, slot)

    def now_s(self, area: str) -> int:
        """Market time in a loaded area."""
        now_s = self._now_s[area]
        if now_s is None:
            raise NO_CLOCK(area=area)
        return now_s

    def orders(self, key: RowKey) -> list[StoredOrder]:
        """The orders of a row as they stand in this batch."""
        return self._rows[key]

    def all_orders(self) -> Iterable[StoredOrder]:
        """Every order of every loaded row."""
        for orders in self._rows.values():
            yield from orders

    def replace(self, key: RowKey, orders: list[StoredOrder]) -> None:
        """Let a row hold `orders` from now on."""
        self._rows[key] = orders
        self._changed[key] = None

    def write(self) -> list[RowKey]:
        """Put every row that changed; the keys written, in order."""
        changed = sorted(self._changed)
        for key in changed:
            row = OrderRow(orders=self._rows[key])
            ORDERS.put(self._context, row, key.area, slot_part(key.slot), key.did)
        return changed
