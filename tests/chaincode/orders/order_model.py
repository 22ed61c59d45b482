"""What one participant may order in one slot, in dicts: the rules read from their page.

"A meter's open sales of one slot together may not exceed floor(certified export W x slot seconds
/ 3600); purchases likewise. A participant's own buy and sell orders of one slot may not cross, over
all its meters. A client's order id is unique per trader and slot; the row keeps used ids,
cancelled ones too." Each method answers with the code that the contract must give.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from hashlib import sha256

import msgspec

from chaincode.orders.order_batch import StoredOrder
from chaincode.orders.sheets import SheetOrder, Step
from identity.canonical import encode

ORDERS_MAX = 50
STEPS_MAX = 20
STEPS_OF_SLOT_MAX = 50


class Kept(msgspec.Struct):
    """An order as the model keeps it."""

    meter: str
    zone: str
    side: str
    steps: list[Step]
    expires_s: int | None
    revision: int = 0
    open: bool = True
    withdrawn_wh: int = 0
    fee_nano: int = 0
    placed: list[Step] | None = None
    lapsed_nano: int = 0

    @property
    def wh(self) -> int:
        """The Wh of all steps."""
        return sum(quantity for _, quantity in self.steps)


class Orders:
    """The orders of one participant in one slot; all its meters can do `capacity_wh` either way.

    `hold` reserves a fee as far as there is free money and says how much that is.
    """

    def __init__(
        self,
        *,
        capacity_wh: int,
        band: tuple[int, int],
        fee: int,
        hold: Callable[[int], int] = lambda fee_nano: fee_nano,
    ) -> None:
        self.capacity_wh = capacity_wh
        self.band = band
        self.fee = fee
        self.hold = hold
        self.kept: dict[str, Kept] = {}
        self.withdrawn: list[str] = []

    def place(
        self, meter: str, zone: str, orders: Sequence[SheetOrder], *, barred: str = ""
    ) -> str:
        """Take a sheet whole or not at all; `barred` is why nothing new may come in now."""
        names = [order.id for order in orders]
        for place, order in enumerate(orders):
            if order.id in names[:place]:
                return "ID_REPEATED"
            if order.id in self.withdrawn:
                return "ID_USED"
            if order.id in self.kept and not self._is_same(self.kept[order.id], meter, zone, order):
                return "ID_USED"
        known = sum(1 for name in names if name in self.kept)
        if known:
            return "EXISTS" if known == len(orders) else "ID_USED"
        if barred:
            return barred
        before = dict(self.kept)
        for order in orders:
            if len(self.kept) + len(self.withdrawn) >= ORDERS_MAX:
                code = "ORDERS_TOO_MANY"
            else:
                code = self._fault(meter, order.side, order.steps, self.kept.values())
            if code:
                self.kept = before
                return code
            self.kept[order.id] = Kept(meter, zone, order.side, order.steps, order.expires_s)
        return "PLACED"

    def amend(self, name: str, revision: int, steps: list[Step], *, barred: str = "") -> str:
        """Replace the steps of an order; less Wh than before cost the fee on the difference."""
        order = self.kept.get(name)
        if order is None:
            return "ORDER_NOT_OPEN" if name in self.withdrawn else "ORDER_UNKNOWN"
        if revision == order.revision and steps == order.steps:
            return "EXISTS"
        if revision <= order.revision:
            return "AMENDED_ALREADY"
        if not order.open:
            return "ORDER_NOT_OPEN"
        if revision > order.revision + 1:
            return "REVISION_WRONG"
        if barred:
            return barred
        others = [other for key, other in self.kept.items() if key != name]
        code = self._fault(order.meter, order.side, steps, others)
        if code:
            return code
        less_wh = order.wh - sum(quantity for _, quantity in steps)
        order.placed = order.placed or order.steps
        order.steps, order.revision = steps, revision
        self._withdraw(order, max(0, less_wh))
        return "AMENDED"

    def cancel(self, name: str, *, barred: str = "") -> str:
        """Close an order; its Wh cost the fee."""
        order = self.kept.get(name)
        if order is None:
            return self._cancel_early(name, barred)
        if not order.open:
            return "EXISTS"
        if barred:
            return barred
        order.open = False
        self._withdraw(order, order.wh)
        return "CANCELLED"

    def _cancel_early(self, name: str, barred: str) -> str:
        if name in self.withdrawn:
            return "EXISTS"
        if barred:
            return barred
        if len(self.kept) + len(self.withdrawn) >= ORDERS_MAX:
            return "ORDERS_TOO_MANY"
        self.withdrawn.append(name)
        return "CANCELLED"

    def rows(self) -> list[StoredOrder]:
        """The orders as the contract has to store them."""
        return [
            StoredOrder(
                id=name,
                meter=order.meter,
                zone=order.zone,
                side="buy" if order.side == "buy" else "sell",
                steps=order.steps,
                expires_s=order.expires_s,
                revision=order.revision,
                open=order.open,
                withdrawn_wh=order.withdrawn_wh,
                fee_nano=order.fee_nano,
                placed=sha256(encode(order.placed)).hexdigest() if order.placed else "",
                lapsed_nano=order.lapsed_nano,
            )
            for name, order in self.kept.items()
        ]

    def _withdraw(self, order: Kept, wh: int) -> None:
        order.withdrawn_wh += wh
        held_nano = self.hold(wh * self.fee)
        order.fee_nano += held_nano
        order.lapsed_nano += wh * self.fee - held_nano

    def _is_same(self, kept: Kept, meter: str, zone: str, order: SheetOrder) -> bool:
        """Whether an order is the one kept, as it was signed first."""
        sent = (meter, zone, order.side, order.expires_s, order.steps)
        placed = kept.placed or kept.steps
        return sent == (kept.meter, kept.zone, kept.side, kept.expires_s, placed)

    def _fault(self, meter: str, side: str, steps: list[Step], others: Iterable[Kept]) -> str:
        resting = [other for other in others if other.open]
        if not 1 <= len(steps) <= STEPS_MAX:
            return "STEPS_COUNT"
        if len(steps) + sum(len(other.steps) for other in resting) > STEPS_OF_SLOT_MAX:
            return "SLOT_STEPS_TOO_MANY"
        for price, quantity in steps:
            if quantity < 1:
                return "QUANTITY_BOUNDS"
            if not self.band[0] <= price <= self.band[1]:
                return "PRICE_BAND"
        same = [other.wh for other in resting if other.meter == meter and other.side == side]
        if sum(quantity for _, quantity in steps) + sum(same) > self.capacity_wh:
            return "CAPACITY_EXCEEDED"
        bids = [price for o in resting if o.side == "buy" for price, _ in o.steps]
        asks = [price for o in resting if o.side == "sell" for price, _ in o.steps]
        (bids if side == "buy" else asks).extend(price for price, _ in steps)
        return "SELF_CROSSING" if bids and asks and max(bids) >= min(asks) else ""
