"""The rows against which a batch of signed tokens is checked, read once for all tokens.

An `OrderBatch` holds the order rows too: each token is checked against the changes of the tokens
before it in the batch, and every row that changed is written once at the end.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import msgspec

from chaincode.area.clock import CLOCKS, Clock, clock_time_s
from chaincode.area.rules import RULES, AreaRules, rules_at
from chaincode.area.zones import AREAS, Area, paused_zones, require_slot_start
from chaincode.consortium.participants import PARTICIPANTS, locked_traders
from chaincode.context import Context
from chaincode.errors import AREA_UNKNOWN
from chaincode.metering.meters import METERS, Meter
from chaincode.orders.sheets import Step
from chaincode.slots.gate import SLOTS
from chaincode.state import Did, Row, Second, Side, Table, slot_part


class StoredOrder(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """The current state of an order; steps are (price in micro/kWh, quantity in Wh).

    `open` is False once the order is cancelled. `withdrawn_wh` are the Wh given up by cancelling or
    amending, and `fee_nano` is the total fee for them, which settlement posts.
    """

    id: str
    meter: str
    zone: str
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
    """All orders of one participant in one slot, cancelled orders included, in the order placed."""

    orders: list[StoredOrder]


ORDERS = Table(41, "orders", OrderRow, ("area", "slot", "did"))


class RowKey(NamedTuple):
    """The area, slot and trader that name an order row."""

    area: str
    slot: int
    did: Did


class SlotTerms(NamedTuple):
    """The terms for every order of one slot of an area; prices are in micro/kWh."""

    slot_s: int
    limit_min: int
    limit_max: int
    cancel_fee: int
    opening_s: int
    gate_s: int
    now_s: int
    is_closed: bool


class OrderBatch:
    """The rows that a batch reads, and the order rows that it changes."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._known: set[str] = set()
        self._locked: frozenset[str] = frozenset()
        self._meters: dict[str, Meter | None] = {}
        self._areas: dict[str, Area | None] = {}
        self._paused: dict[str, frozenset[str]] = {}
        self._rules: dict[str, AreaRules | None] = {}
        self._clocks: dict[str, Clock | None] = {}
        self._terms: dict[tuple[str, int], SlotTerms] = {}
        self._closed: dict[tuple[str, int], bool] = {}
        self._rows: dict[RowKey, list[StoredOrder]] = {}
        self._changed: dict[RowKey, None] = {}

    def load_locks(self) -> None:
        """Read which participants are locked."""
        self._locked = locked_traders(self._context)

    def load_traders(self, places: Iterable[tuple[str, str]]) -> None:
        """Read which traders are participants; a trader who holds the loaded meter is known."""
        wanted: dict[str, None] = {}
        for did, meter in places:
            if self._holds(did, meter):
                self._known.add(did)
            else:
                wanted[did] = None
        found = self._context.get_many([PARTICIPANTS.key(did) for did in wanted])
        self._known.update(did for did, row in zip(wanted, found, strict=True) if row is not None)

    def _holds(self, did: str, meter: str) -> bool:
        row = self._meters[meter]
        return row is not None and any(dated.value.holder == did for dated in row.versions)

    def load_meters(self, names: Iterable[str]) -> None:
        """Read meters and, once per area, the rows of their areas."""
        wanted = [(name,) for name in dict.fromkeys(names)]
        for (name,), row in zip(wanted, METERS.get_many(self._context, wanted), strict=True):
            self._meters[name] = row

    def load_rows(self, keys: Iterable[RowKey]) -> None:
        """Read order rows with the areas, rules, clocks and slots that they fall under.

        All rows are read with one request, because each request is a message to the engine and
        back.
        """
        wanted = list(dict.fromkeys(keys))
        areas = list(dict.fromkeys(key.area for key in wanted))
        slots = list(dict.fromkeys((key.area, key.slot) for key in wanted))
        asked = [
            *(table.key(area) for area in areas for table in (AREAS, RULES, CLOCKS)),
            *(SLOTS.key(area, slot_part(slot)) for area, slot in slots),
            *(ORDERS.key(key.area, slot_part(key.slot), key.did) for key in wanted),
        ]
        found = iter(self._context.get_many(asked))
        for name in areas:
            area = self._areas[name] = AREAS.found(next(found))
            self._paused[name] = frozenset() if area is None else paused_zones(area)
            self._rules[name] = RULES.found(next(found))
            self._clocks[name] = CLOCKS.found(next(found))
        for place in slots:
            self._closed[place] = next(found) is not None
        for key, value in zip(wanted, found, strict=True):
            row = ORDERS.found(value)
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
        """The area of a loaded meter, which never changes; None for an unknown meter."""
        row = self._meters[meter]
        return None if row is None else row.versions[0].value.area

    def is_paused(self, area: str, zone: str) -> bool:
        """Whether a zone is paused now."""
        return zone in self._paused[area]

    def terms(self, area: str, slot: int) -> SlotTerms:
        """The terms of a loaded slot; a slot without an area, rules or market time is refused."""
        terms = self._terms.get((area, slot))
        if terms is None:
            terms = self._terms[area, slot] = self._read_terms(area, slot)
        return terms

    def _read_terms(self, area: str, slot: int) -> SlotTerms:
        row = self._areas[area]
        if row is None:
            raise AREA_UNKNOWN(area=area)
        require_slot_start(row, slot)
        rules = rules_at(self._rules[area], area, slot)
        now_s = clock_time_s(self._context, area=row, clock=self._clocks[area], name=area)
        return SlotTerms(
            slot_s=row.slot_s,
            limit_min=rules.price_band[0],
            limit_max=rules.price_band[1],
            cancel_fee=rules.cancel_fee,
            opening_s=rules.opening_s(slot),
            gate_s=rules.gate_s(slot),
            now_s=now_s,
            is_closed=self._closed[area, slot],
        )

    def orders(self, key: RowKey) -> list[StoredOrder]:
        """The orders of a row with the changes of this batch so far."""
        return self._rows[key]

    def all_orders(self) -> Iterable[StoredOrder]:
        """Every order of every loaded row."""
        for orders in self._rows.values():
            yield from orders

    def replace(self, key: RowKey, orders: list[StoredOrder]) -> None:
        """Replace the orders of a row by `orders`."""
        self._rows[key] = orders
        self._changed[key] = None

    def write(self) -> list[RowKey]:
        """Write every row that changed; return the keys written, in order."""
        changed = sorted(self._changed)
        for key in changed:
            row = OrderRow(orders=self._rows[key])
            ORDERS.put(self._context, row, key.area, slot_part(key.slot), key.did)
        return changed
