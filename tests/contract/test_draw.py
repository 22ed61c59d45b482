"""The draw: chains, seeds revealed and withheld, what the gate seed is made of (contract.md, 5)."""

from __future__ import annotations

import msgspec
import pytest

from chaincode.area.rule_changes import RulesArguments
from chaincode.errors import Refused
from chaincode.queries.market import SeedChainsAnswer
from chaincode.slots.draw import SeedArguments, SeedState
from chaincode.slots.gate import Slot, SlotArguments
from tests.contract.stage.cast import (
    AREA,
    DSO,
    OTHER_DSO,
    R1,
    R2,
    SLOT,
    SLOT_S,
    market_rules,
    seeds,
)
from tests.contract.stage.market import Market, Opener
from tests.contract.stage.seed_member import SeedMember, grid_operator, member, seed_of

NEXT = SLOT + SLOT_S
THIRD = NEXT + SLOT_S
LATER = market_rules(opens_s=1_800)  # no slot has opened when a scenario begins
FIVE_ALIKE = """
    who  id   side  price   wh
    S1   tie  sell  100000  100
    S2   tie  sell  100000  100
    S3   tie  sell  100000  100
    S4   tie  sell  100000  100
    B    b    buy   100000  100
    """


def close(market: Market, slot: int = SLOT) -> None:
    """Close a gate at its time; nobody reveals."""
    market.pass_until(market.gate_s(slot))
    market.submit("close_gate", SlotArguments(AREA, slot), R2)


def cleared(market: Market, slot: int = SLOT) -> Slot:
    """The slot, cleared."""
    while market.clear_part(slot) != "CLEARED":
        pass
    row = market.slot(slot).row
    assert row is not None
    return row


def chain_anchors(market: Market, slot: int) -> dict[str, str]:
    """The anchors that hold for a slot, by member."""
    answer = market.ask("list_seed_chains", SlotArguments(AREA, slot), SeedChainsAnswer)
    return {chain.member: chain.anchor for chain in answer.chains}


def test_rule_5_1_a_gate_closes_without_secret_and_every_seed_member_reveals_after_it(
    open_market: Opener,
) -> None:
    market = open_market(LATER)
    members = [grid_operator(market), member(R1), member(OTHER_DSO)]
    for one in members[1:]:
        one.post(market, SLOT)

    close(market)
    view = market.slot()
    assert view.gate is not None
    assert view.gate.seeds == [DSO, OTHER_DSO, R1]
    assert view.row == Slot(phase="CLOSED")
    shown = {one.name: one.reveal(market, SLOT) for one in members}

    row = cleared(market)
    assert (row.seed, row.withheld) == (seed_of(dict(shown)), [])
    assert market.slot().seeds == [SeedState(name, shown[name]) for name in sorted(shown)]


def test_rule_5_2_the_order_in_which_seeds_are_revealed_changes_nothing(
    open_market: Opener,
) -> None:
    hashes: list[str] = []
    for turn in (1, -1):
        market = open_market(LATER)
        members = [grid_operator(market), member(R1), member(R2)]
        for one in members[1:]:
            one.post(market, SLOT)
        close(market)
        for one in members[::turn]:
            one.reveal(market, SLOT)
        cleared(market)
        hashes.append(market.state_hash())

    assert hashes[0] == hashes[1]


def test_rule_5_2_a_withheld_seed_counts_as_zeros_and_is_recorded(open_market: Opener) -> None:
    market = open_market(LATER)
    members = [grid_operator(market), member(R1)]
    members[1].post(market, SLOT)
    close(market)
    seed = members[0].reveal(market, SLOT)
    deadline_s = market.gate_s() + market.rules.market.seed_deadline_s

    market.pass_until(deadline_s - 1)
    with pytest.raises(Refused, match=f"SEEDS_AWAITED.* 1 seeds, of {R1}"):
        market.clear_part()
    assert market.slot().phase == "CLOSED"
    market.pass_until(deadline_s)
    with pytest.raises(Refused, match="SEED_LATE"):
        members[1].reveal(market, SLOT)

    row = cleared(market)
    assert (row.seed, row.withheld) == (seed_of({DSO: seed, R1: None}), [R1])
    assert market.slot().seeds == [SeedState(DSO, seed), SeedState(R1, None)]


def test_rule_5_2_a_slot_clears_as_soon_as_all_have_revealed(market: Market) -> None:
    close(market)
    with pytest.raises(Refused, match="SEEDS_AWAITED"):
        market.clear_part()

    market.reveal()

    assert market.clear_part() == "CLEARED"


def test_rule_5_2_a_slot_for_which_nobody_reveals_is_drawn_with_zeros(market: Market) -> None:
    market.traders("S1", "S2", "S3", "S4", "B")
    market.place(FIVE_ALIKE)
    market.close_gate(revealed=False)

    row = cleared(market)

    assert (row.seed, row.withheld) == (seed_of({DSO: None}), [DSO])
    assert len(market.traded()) == 1


def test_rule_5_3_who_wins_a_tie_depends_on_every_members_seed(open_market: Opener) -> None:
    """Until the last member reveals, each of the four equal sellers may still win."""
    winners: dict[str, set[str]] = {DSO: set(), R1: set()}
    for turned in (DSO, R1):
        for number in range(4):
            market = open_market(LATER)
            market.traders("S1", "S2", "S3", "S4", "B")
            members = {DSO: grid_operator(market), R1: member(R1)}
            if number:
                members[turned] = member(turned, f"{turned} {number}")
            for one in members.values():
                one.post(market, SLOT)
            market.pass_until(SLOT - 1_800)
            market.place(FIVE_ALIKE)
            close(market)
            for one in members.values():
                one.reveal(market, SLOT)
            cleared(market)
            winners[turned].update(market.traded())

    assert len(winners[DSO]) > 1
    assert len(winners[R1]) > 1


def test_a_chain_goes_on_after_a_slot_whose_seed_was_withheld(market: Market) -> None:
    dso = grid_operator(market)
    close(market)
    market.pass_until(market.gate_s() + market.rules.market.seed_deadline_s)
    cleared(market)

    close(market, NEXT)
    seed = dso.reveal(market, NEXT)

    assert cleared(market, NEXT).seed == seed_of({DSO: seed})
    answer = market.ask("list_seed_chains", SlotArguments(AREA, NEXT), SeedChainsAnswer)
    (chain,) = answer.chains
    assert (chain.anchor, chain.tip) == (market.seeds[0], seed)
    assert chain.revealed_slot == NEXT


def test_a_chain_that_ends_in_the_middle_fails_until_the_next_one_begins(
    open_market: Opener,
) -> None:
    market = open_market(LATER)
    first = seeds(b"long")[-2:]  # one link can be revealed; nobody knows what comes before it
    short, following = SeedMember(R1, first), member(R1, "new")
    short.post(market, SLOT)
    following.post(market, THIRD)
    dso = grid_operator(market)

    withheld: list[list[str]] = []
    for slot in (SLOT, NEXT, THIRD):
        close(market, slot)
        dso.reveal(market, slot)
        if slot == SLOT:
            short.reveal(market, slot)
        if slot == NEXT:
            guess = SeedArguments(AREA, slot, following.next_seed)
            with pytest.raises(Refused, match="SEED_WRONG"):
                market.submit("reveal_seed", guess, R1)
            market.pass_until(market.gate_s(slot) + market.rules.market.seed_deadline_s)
        if slot == THIRD:
            following.reveal(market, slot)
        withheld.append(cleared(market, slot).withheld)

    assert withheld == [[], [R1], []]


def test_a_renewed_chain_holds_from_its_slot_on(open_market: Opener) -> None:
    market = open_market(LATER)
    dso, following = grid_operator(market), member(DSO, "another")
    following.post(market, THIRD)

    for slot in (SLOT, NEXT):
        close(market, slot)
        dso.reveal(market, slot)
        cleared(market, slot)
    close(market, THIRD)
    with pytest.raises(Refused, match="SEED_WRONG"):
        dso.reveal(market, THIRD)
    seed = following.reveal(market, THIRD)

    assert cleared(market, THIRD).seed == seed_of({DSO: seed})


def test_a_member_takes_part_from_its_slot_on_and_until_it_leaves(open_market: Opener) -> None:
    market = open_market(LATER)
    retailer = member(R1)
    retailer.post(market, NEXT)
    retailer.leave(market, THIRD)
    dso = grid_operator(market)

    drawn: dict[int, list[str]] = {}
    for slot in (SLOT, NEXT, THIRD):
        close(market, slot)
        dso.reveal(market, slot)
        if slot == NEXT:
            retailer.reveal(market, slot)
        else:
            with pytest.raises(Refused, match="NO_SEED_CHAIN"):
                retailer.reveal(market, slot)
        cleared(market, slot)
        drawn[slot] = [state.member for state in market.slot(slot).seeds]

    assert drawn == {SLOT: [DSO], NEXT: [DSO, R1], THIRD: [DSO]}


def test_rule_4_1_a_seed_chain_is_dated_to_a_slot_that_has_not_opened(open_market: Opener) -> None:
    market = open_market(LATER)
    market.pass_until(NEXT - 1_801)
    with pytest.raises(Refused, match="TERMS_FROZEN"):
        member(R1).post(market, SLOT)

    member(R1).post(market, NEXT)
    market.pass_until(NEXT - 1_800)
    with pytest.raises(Refused, match="TERMS_FROZEN"):
        member(DSO, "chosen late").post(market, NEXT)

    assert chain_anchors(market, NEXT) == {DSO: market.seeds[0], R1: seeds(R1.encode())[0]}


def gates_that_close_together(open_market: Opener) -> Market:
    """A market in which rules move the gate of the second slot to that of the first one."""
    market = open_market(LATER)
    earlier = msgspec.structs.replace(
        market.rules.market, opens_s=3_600, gate_lead_s=1_200, seed_deadline_s=180
    )
    market.submit("set_market_rules", RulesArguments(AREA, NEXT, earlier), admin=True)
    close(market)
    market.submit("close_gate", SlotArguments(AREA, NEXT), R2)
    return market


def test_seeds_of_one_member_are_revealed_in_the_order_of_slots(open_market: Opener) -> None:
    market = gates_that_close_together(open_market)
    dso = grid_operator(market)

    with pytest.raises(Refused, match=f"SEED_OUT_OF_ORDER.*{SLOT}"):
        dso.reveal(market, NEXT)
    first, second = dso.reveal(market, SLOT), dso.reveal(market, NEXT)

    assert cleared(market, SLOT).seed == seed_of({DSO: first})
    assert cleared(market, NEXT).seed == seed_of({DSO: second})


def test_rules_that_move_a_gate_forward_leave_time_to_reveal(open_market: Opener) -> None:
    """Both gates close 300 s before the first slot, and the first slot's deadline is 300 s later.

    Without the first deadline the second seed could only be late, because seeds have an order.
    """
    market = gates_that_close_together(open_market)
    dso = grid_operator(market)
    gates = [market.slot(slot).gate for slot in (SLOT, NEXT)]

    assert [gate and gate.deadline_s for gate in gates] == [SLOT, SLOT]
    dso.reveal(market, SLOT)
    dso.reveal(market, NEXT)
    assert (cleared(market, SLOT).withheld, cleared(market, NEXT).withheld) == ([], [])
