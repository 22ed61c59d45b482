"""The rows against which a batch of signed tokens is checked, read once for all tokens.

An `OrderBatch` holds the order rows too: each token is checked against the changes of the tokens
before it in the batch, and every row that changed is written once at the end. Before a token changes
a row, `require_room` checks that all rows still fit into the transaction.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Annotated, NamedTuple

import msgspec

from chaincode.area.clock import CLOCKS, Clock, clock_time_s
from chaincode.area.rules import MarketRules, rules_at, rules_of_slots
from chaincode.area.zones import AREAS, Area, paused_zones, require_slot_start
from chaincode.consortium.participants import PARTICIPANTS, locked_traders
from chaincode.context import BYTES_MAX, Context
from chaincode.documents.intake import BATCH_ARGUMENTS_MAX
from chaincode.errors import AREA_UNKNOWN, BATCH_FULL, ROWS_TOO_LARGE
from chaincode.metering.meters import METERS, Meter, MeterVersion, meter_at, supplied_at
from chaincode.orders.sheets import Step
from chaincode.slots.gate import EMPTY_GATES, SLOTS
from chaincode.state import Did, Name, Row, Second, Side, Table, slot_part

STEPS_MAX = 20  # steps of one order
ORDERS_PER_ROW_MAX = 50  # orders and early cancels of one participant in one slot
STEPS_PER_ROW_MAX = 50  # steps of its open orders; with the meters of an area they bound a book

ROW_BYTES = 256  # of a row without orders, with its key at the longest names
ORDER_BYTES = 640  # at most, of an order without its steps; early cancels and changes are smaller
STEP_BYTES = 40  # at most, of one step
BYTES_LEFT_MIN = 256 * 1024  # for the answer and the event
TOKEN_ROWS_BYTES_MAX = BYTES_MAX - BATCH_ARGUMENTS_MAX - BYTES_LEFT_MIN
"""The rows of one token, with the largest arguments around it: so the first token always fits."""


class StoredOrder(
    msgspec.Struct, frozen=True, gc=False, forbid_unknown_fields=True, omit_defaults=True
):
    """The current state of an order; steps are (price in micro/kWh, quantity in Wh).

    `open` is False once the order is cancelled. `withdrawn_wh` are the Wh given up by cancelling or
    amending, and `fee_nano` is the total fee for them, which is reserved and which settlement
    posts. `lapsed_nano` is the part of the fee that could not be reserved, and is never due. Once the
    order was amended, `placed` is the SHA-256 of the steps that its sheet named.
    """

    id: Name
    meter: Name
    zone: Name
    side: Side
    steps: Annotated[list[Step], msgspec.Meta(max_length=STEPS_MAX)]
    expires_s: Second | None = None
    revision: int = 0
    open: bool = True
    withdrawn_wh: int = 0
    fee_nano: int = 0
    lapsed_nano: int = 0
    placed: Name = ""

    @property
    def quantity_wh(self) -> int:
        """The Wh of all steps."""
        return sum(quantity for _, quantity in self.steps)


class OrderRow(Row, frozen=True, gc=False):
    """All orders of one participant in one slot, cancelled orders included, in the order placed.

    `withdrawn` are ids that were cancelled before their orders came, so that these cannot come any
    more.
    """

    orders: Annotated[list[StoredOrder], msgspec.Meta(max_length=ORDERS_PER_ROW_MAX)]
    withdrawn: Annotated[list[Name], msgspec.Meta(max_length=ORDERS_PER_ROW_MAX)] = msgspec.field(
        default_factory=list[str]
    )


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
        self.context = context
        self._known: set[str] = set()
        self._locked: frozenset[str] = frozenset()
        self._meters: dict[str, Meter | None] = {}
        self._areas: dict[str, Area | None] = {}
        self._paused: dict[str, frozenset[str]] = {}
        self._rules: dict[tuple[str, int], MarketRules] = {}
        self._clocks: dict[str, Clock | None] = {}
        self._terms: dict[tuple[str, int], SlotTerms] = {}
        self._closed: dict[tuple[str, int], bool] = {}
        self._empty_until: dict[str, int] = {}
        self._rows: dict[RowKey, list[StoredOrder]] = {}
        self._withdrawn: dict[RowKey, list[str]] = {}
        self._sizes: dict[RowKey, int] = {}
        self._changed: dict[RowKey, None] = {}
        self._bytes_left = BYTES_MAX - BYTES_LEFT_MIN - context.bytes_used

    def load_locks(self) -> None:
        """Read which participants are locked."""
        self._locked = locked_traders(self.context)

    def load_traders(self, places: Iterable[tuple[str, str]]) -> None:
        """Read which traders are participants; a trader who holds the loaded meter is known."""
        wanted: list[str] = []
        for did, meter in places:
            if self._holds(did, meter):
                self._known.add(did)
            else:
                wanted.append(did)
        self.load_participants(wanted)

    def load_participants(self, dids: Iterable[str]) -> None:
        """Read which DIDs are participants."""
        wanted = list(dict.fromkeys(dids))
        found = self.context.get_many([PARTICIPANTS.key(did) for did in wanted])
        self._known.update(did for did, row in zip(wanted, found, strict=True) if row is not None)

    def _holds(self, did: str, meter: str) -> bool:
        row = self._meters[meter]
        return row is not None and any(
            dated.value is not None and dated.value.holder == did for dated in row.versions
        )

    def load_meters(self, names: Iterable[str]) -> None:
        """Read meters and, once per area, the rows of their areas."""
        wanted = [(name,) for name in dict.fromkeys(names)]
        for (name,), row in zip(wanted, METERS.get_many(self.context, wanted), strict=True):
            self._meters[name] = row

    def load_rows(self, keys: Iterable[RowKey]) -> None:
        """Read order rows with the areas, clocks and slots that they fall under.

        All rows are read with one request, because each request is a message to the engine and
        back.
        """
        wanted = list(dict.fromkeys(keys))
        areas = list(dict.fromkeys(key.area for key in wanted))
        slots = list(dict.fromkeys((key.area, key.slot) for key in wanted))
        asked = [
            *(table.key(area) for area in areas for table in (AREAS, CLOCKS, EMPTY_GATES)),
            *(SLOTS.key(area, slot_part(slot)) for area, slot in slots),
            *(ORDERS.key(key.area, slot_part(key.slot), key.did) for key in wanted),
        ]
        found = iter(self.context.get_many(asked))
        for name in areas:
            area = self._areas[name] = AREAS.found(next(found))
            self._paused[name] = frozenset() if area is None else paused_zones(area)
            self._clocks[name] = CLOCKS.found(next(found))
            empty = EMPTY_GATES.found(next(found))
            self._empty_until[name] = -1 if empty is None else empty.until_slot
            wanted_slots = [slot for area_name, slot in slots if area_name == name]
            rules = rules_of_slots(self.context, name, wanted_slots)
            self._rules.update({(name, slot): value for slot, value in rules.items()})
        for place in slots:
            closed_empty = place[1] <= self._empty_until[place[0]]
            self._closed[place] = next(found) is not None or closed_empty
        for key, value in zip(wanted, found, strict=True):
            if value is None:
                self._rows[key] = []
            else:
                row = ORDERS.decode(value)
                self._rows[key] = row.orders
                self._sizes[key] = len(value)
                if row.withdrawn:
                    self._withdrawn[key] = row.withdrawn

    def is_participant(self, did: str) -> bool:
        """Whether the DID was admitted."""
        return did in self._known

    def is_locked(self, did: str) -> bool:
        """Whether the regulator has locked the participant."""
        return did in self._locked

    def meter_at(self, name: str, slot: int) -> MeterVersion:
        """The certificate of a loaded meter for a slot; a meter without one is refused."""
        return meter_at(self.context, self._meters[name], name, slot)

    def require_supply(self, name: str, slot: int) -> None:
        """Refuse a loaded meter that nobody supplies in a slot."""
        supplied_at(self.context, self._meters[name], name, slot)

    def area_of(self, meter: str) -> str | None:
        """The area of a loaded meter, which never changes; None for an unknown meter."""
        row = self._meters[meter]
        return None if row is None else row.area

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
        now_s = clock_time_s(self.context, area=row, clock=self._clocks[area], name=area)
        rules = self._rules.get((area, slot)) or rules_at(self.context, area, slot)
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

    def withdrawn(self, key: RowKey) -> list[str]:
        """The ids of a row that were cancelled before their orders came."""
        return self._withdrawn.get(key, [])

    def order(self, key: RowKey, name: str) -> StoredOrder | None:
        """An order of a loaded row by its id; None for an id without an order."""
        return next((order for order in self._rows[key] if order.id == name), None)

    def require_room(self, keys: Iterable[RowKey], growth: int) -> None:
        """Refuse a token that changes the rows of `keys` if they do not fit; they may grow so much.

        A row counts with its size before the batch, once. A token whose rows never fit is refused
        for itself; where others of the batch have taken the room, the batch is full.
        """
        cost = growth
        fresh = 0
        for key in keys:
            size = ROW_BYTES + self._sizes.get(key, 0)
            cost += size
            if key not in self._changed:
                fresh += size
        if cost > TOKEN_ROWS_BYTES_MAX:
            raise ROWS_TOO_LARGE(count=cost, limit=TOKEN_ROWS_BYTES_MAX)
        if fresh + growth > self._bytes_left:
            raise BATCH_FULL()
        self._bytes_left -= fresh + growth

    def replace(self, key: RowKey, orders: list[StoredOrder]) -> None:
        """Replace the orders of a row by `orders`."""
        self._rows[key] = orders
        self._changed[key] = None

    def withdraw(self, key: RowKey, name: str) -> None:
        """Use up the id of an order that has not come."""
        self._withdrawn[key] = [*self.withdrawn(key), name]
        self._changed[key] = None

    def write(self) -> list[RowKey]:
        """Write every row that changed; return the keys written, in order."""
        changed = sorted(self._changed)
        for key in changed:
            row = OrderRow(orders=self._rows[key], withdrawn=self.withdrawn(key))
            ORDERS.put(self.context, row, key.area, slot_part(key.slot), key.did)
        return changed
