"""Bounds of what is frozen and drawn: seed members, locks, and changes of the rules."""

from __future__ import annotations

import msgspec
import pytest

from chaincode.area.rule_changes import RulesArguments
from chaincode.area.seed_chains import SEED_MEMBERS_MAX
from chaincode.area.zones import LANES
from chaincode.clearing.empty_slots import RULE_CHANGES_MAX, EmptyGatesArguments
from chaincode.consortium.organisations import OrganisationArguments
from chaincode.consortium.participants import LOCKED_MAX, LOCKS, PARTICIPANTS, Locks, Participant
from chaincode.queries.market import SeedChainsAnswer
from chaincode.slots.draw import SeedChainArguments
from chaincode.slots.gate import SlotArguments
from identity.canonical import encode
from tests.chaincode.town import AREA, DSO, RETAILERS, RULES, SLOT, SLOT_S, Town

FAR = SLOT + 200 * SLOT_S
ANCHOR = "ab" * 32


def chain(from_slot: int, anchor: str | None = ANCHOR) -> SeedChainArguments:
    """A chain of the member that posts it."""
    return SeedChainArguments(AREA, from_slot, anchor)


@pytest.fixture
def full() -> Town:
    """A town whose draw has no place left."""
    town = Town(0, rules=msgspec.structs.replace(RULES, opens_s=1_800))
    for number in range(SEED_MEMBERS_MAX):
        retailer = OrganisationArguments(f"Q{number:02d}", "retailer")
        town.submit("register_organisation", retailer, DSO, admin=True)
    for number in range(SEED_MEMBERS_MAX - 1):
        town.submit("post_seed_chain", chain(SLOT), f"Q{number:02d}")
    return town


def test_a_draw_has_a_bound_and_one_place_is_the_grid_operators(full: Town) -> None:
    assert full.refused("post_seed_chain", chain(FAR), "Q31") == "SEED_MEMBERS_TOO_MANY"

    full.submit("post_seed_chain", chain(FAR), "Q00")  # who takes part already needs no place
    full.submit("post_seed_chain", chain(FAR), DSO)

    answer = full.submit("list_seed_chains", SlotArguments(AREA, FAR))
    members = [one.member for one in msgspec.json.decode(answer, type=SeedChainsAnswer).chains]
    assert len(members) == SEED_MEMBERS_MAX
    assert members == sorted(members)


def test_a_member_that_left_makes_room_when_its_last_slot_has_closed(full: Town) -> None:
    full.submit("post_seed_chain", chain(SLOT + SLOT_S, None), "Q00")
    assert full.refused("post_seed_chain", chain(FAR), "Q31") == "SEED_MEMBERS_TOO_MANY"

    full.at(full.rules.gate_s(SLOT + SLOT_S))
    full.submit("close_gate", SlotArguments(AREA, SLOT))
    full.submit("close_gate", SlotArguments(AREA, SLOT + SLOT_S))

    full.submit("post_seed_chain", chain(FAR), "Q31")
    assert full.refused("post_seed_chain", chain(FAR), "Q00") == "SEED_MEMBERS_TOO_MANY"


def test_as_many_participants_are_locked_as_a_batch_can_read() -> None:
    town = Town(1)
    locked = [f"did:key:z6Mk{number:044d}" for number in range(LOCKED_MAX)]
    town.view.rows[LOCKS.key()] = encode(Locks(act=0, locked=locked))
    town.view.rows[PARTICIPANTS.key(locked[0])] = encode(
        Participant(did=locked[0], retailer=RETAILERS[0])
    )

    assert town.refused("record_act", town.lock_token(town.traders[0], 1, lock=True)) == (
        "LOCKED_TOO_MANY"
    )


def test_empty_slots_under_many_rules_are_closed_in_parts() -> None:
    town = Town(0, rules=msgspec.structs.replace(RULES, opens_s=1_800))
    town.close_gate(SLOT)
    town.clear(SLOT)
    last = SLOT + (1 + RULE_CHANGES_MAX) * SLOT_S
    for slot in range(SLOT + 2 * SLOT_S, last + 1, SLOT_S):  # as many as may lie ahead
        town.submit("set_market_rules", RulesArguments(AREA, slot, town.rules), admin=True)
    town.at(last)

    assert town.refused("close_empty_gates", EmptyGatesArguments(AREA, last)) == "GATES_TOO_MANY"
    town.submit("close_empty_gates", EmptyGatesArguments(AREA, last - SLOT_S))
    town.submit("close_empty_gates", EmptyGatesArguments(AREA, last))

    lane = LANES.found(town.view.rows[LANES.key(AREA)])
    assert lane is not None
    assert lane.closed_slot == last
