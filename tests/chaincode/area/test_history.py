"""Terms are kept for every slot that is not final, and pruned for the others."""

from __future__ import annotations

import msgspec

from chaincode.area.history import HISTORIES, needed_slot
from chaincode.area.tariffs import RESIDUALS, ResidualArguments, ResidualPrices, Tariffs
from tests.chaincode.town import AREA, RETAILERS, RULES, SLOT, SLOT_S, Town

FINAL_S = 2 * SLOT_S
QUICK = msgspec.structs.replace(RULES, report_deadline_s=0, final_s=FINAL_S)
ROUNDS = 40
KEPT_MAX = 20  # versions for open slots, slots that may still be corrected, and one before them


def post_price(town: Town, micro: int) -> int:
    """Post a price of R0 from the first unopened slot on; that slot."""
    reach_s = town.engine.now_s + QUICK.opens_s
    slot = reach_s - reach_s % SLOT_S + SLOT_S
    prices = [ResidualPrices(import_price=micro, export_price=0)]
    town.submit("set_residual_prices", ResidualArguments(AREA, slot, prices), "R0", admin=True)
    return slot


def kept(town: Town) -> int:
    """How many versions of R0's prices there are."""
    return sum(1 for _ in RESIDUALS.from_newest(town.engine.reading(), AREA, RETAILERS[0]))


def price(town: Town, slot: int) -> int:
    """The import price of R0 in a slot."""
    return Tariffs(town.engine.reading(), AREA, slot).residual(RETAILERS[0]).import_price


def test_rule_4_3_versions_that_only_final_slots_could_read_are_pruned() -> None:
    town = Town(1, rules=QUICK, slots=ROUNDS + 1)
    posted: dict[int, int] = {}
    for number in range(ROUNDS):
        slot = SLOT + number * SLOT_S
        town.at(QUICK.gate_s(slot))
        posted[post_price(town, number)] = number
        town.close_gate(slot)
        town.clear(slot)
        town.settle(slot)

        assert kept(town) <= KEPT_MAX
        needed = needed_slot(town.engine.reading(), AREA)
        assert all(price(town, s) == micro for s, micro in posted.items() if s >= needed)

    assert kept(town) < ROUNDS < len(posted) + 1
    assert needed_slot(town.engine.reading(), AREA) > SLOT + 30 * SLOT_S


def test_a_slot_that_does_not_settle_keeps_its_terms_and_those_after_it() -> None:
    town = Town(1, rules=QUICK, slots=ROUNDS + 1)
    stands = SLOT + 3 * SLOT_S
    for number in range(ROUNDS):
        slot = SLOT + number * SLOT_S
        town.at(QUICK.gate_s(slot))
        post_price(town, number)
        town.close_gate(slot)
        town.clear(slot)
        if slot != stands:
            town.settle(slot)

    history = HISTORIES.get(town.engine.reading(), AREA)
    assert history is not None
    assert (history.first_slot, history.needed_slot) == (SLOT, stands)
    assert price(town, stands) == 250_000
    town.settle(stands)
