"""Capacities against a model of one dict: whatever is tried, no open slot's capacity rises."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from chaincode.area.capacities import CapacityArguments, capacity_at
from tests.chaincode.town import DSO, SLOT, SLOT_S, Town

ZONE = "east"
SLOTS = [SLOT + number * SLOT_S for number in range(14)]

powers = st.sampled_from([None, 0, 1, 2, 3])
acts = st.tuples(st.sampled_from(SLOTS), powers, powers, st.integers(0, 900))


def within(power_w: int | None, limit_w: int | None) -> bool:
    """Whether a power is at most a limit; None is unlimited."""
    return limit_w is None or (power_w is not None and power_w <= limit_w)


@settings(max_examples=60)
@given(acted=st.lists(acts, min_size=1, max_size=25))
def test_capacity_of_an_open_slot_only_falls_and_others_are_what_was_posted_last(
    acted: list[tuple[int, int | None, int | None, int]],
) -> None:
    town = Town(0, slots=16)
    model: dict[int, tuple[int | None, int | None]] = dict.fromkeys(SLOTS, (None, None))
    begins: set[int] = set()
    town.at(town.rules.opening_s(SLOT))
    for from_slot, import_w, export_w, waits_s in acted:
        town.at(town.engine.now_s + waits_s)
        opened = town.rules.opening_s(from_slot) <= town.engine.now_s
        old = model[from_slot]
        lower = within(import_w, old[0]) and within(export_w, old[1])
        arguments = CapacityArguments(ZONE, import_w, export_w, from_slot, "works")
        if opened and not lower:
            assert town.refused("set_zone_capacity", arguments, DSO) == "TERMS_FROZEN"
        else:
            town.submit("set_zone_capacity", arguments, DSO)
            begins.add(from_slot)
            end = min([begin for begin in begins if begin > from_slot], default=SLOTS[-1] + SLOT_S)
            for slot in range(from_slot, end, SLOT_S):
                was_open = town.rules.opening_s(slot) <= town.engine.now_s
                falls = within(import_w, model[slot][0]) and within(export_w, model[slot][1])
                assert falls or not was_open
                model[slot] = (import_w, export_w)
        context = town.engine.reading()
        found = [capacity_at(context, ZONE, slot) for slot in SLOTS]
        assert [(edge.import_w, edge.export_w) for edge in found] == list(model.values())
