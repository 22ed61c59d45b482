"""Whether a cleared slot used what its gate froze: the book, the pauses, the locks and the seed."""

from __future__ import annotations

from collections.abc import Iterator

from chaincode.clearing.order_book import BOOK_PAGES, trader_of
from chaincode.slots.gate import SLOTS
from chaincode.state import page_part, slot_part
from tests.chaincode.hostile.market_model import Model
from tests.chaincode.town import AREA, Town


def check_book(town: Town, model: Model, slot: int) -> Iterator[str]:
    """Every open order is in the book, or left out for what held when the gate closed.

    Yields what was met: why orders are left out, and whether a seed was withheld.
    """
    row = SLOTS.decode(town.view.rows[SLOTS.key(AREA, slot_part(slot))])
    gate = model.gates[slot]
    assert row.seed == model.seed(slot), "the seed is not what was revealed"
    if row.withheld:
        yield "withheld"
    assert row.withheld == [name for name in gate.seeds if (slot, name) not in model.shown]
    keys = [BOOK_PAGES.key(AREA, slot_part(slot), page_part(n)) for n in range(row.book_pages)]
    pages = [BOOK_PAGES.decode(town.view.rows[key]) for key in keys]
    entries = {entry.order: entry.zone for page in pages for entry in page.entries}
    left_out = {out.order: out.reason for page in pages for out in page.left_out}
    orders = model.orders.get(slot, {})
    assert sorted([*entries, *left_out]) == sorted(orders), "the book is not what was placed"
    for name, zone in orders.items():
        locked, paused = trader_of(name) in gate.locked, zone in gate.paused
        reason = left_out.get(name)
        assert (reason == "LOCKED") == locked, f"{name} is {reason or 'in'}, locked: {locked}"
        if not locked and reason != "EXPIRED":
            assert (reason == "ZONE_PAUSED") == paused, f"{name} is {reason or 'in'}: {paused}"
        assert reason in (None, "LOCKED", "ZONE_PAUSED", "EXPIRED", "NO_COVER")
        yield f"book: {reason or 'in'}"
