"""Door 13: who may speak for an area's meters, and for how long. Rules 7.1 and 7.2."""

from __future__ import annotations

import pytest

from chaincode.area.rule_changes import RulesArguments
from chaincode.area.zones import AreaArguments
from chaincode.consortium.organisations import OrganisationArguments
from chaincode.errors import Refused
from chaincode.metering.oracles import (
    AppointmentArguments,
    OracleArguments,
    RevocationArguments,
)
from chaincode.queries.meters import OracleView
from chaincode.slots.draw import SeedChainArguments
from chaincode.slots.gate import SlotArguments
from tests.contract.stage.cast import (
    AREA,
    DSO,
    GUEST,
    ORACLE,
    OTHER_DSO,
    SLOT,
    SLOT_S,
    did_of,
    seeds,
)
from tests.contract.stage.market import Market

NEXT = SLOT + SLOT_S
THIRD = NEXT + SLOT_S
FOUR = [did_of(f"own {number}") for number in range(4)]


def stranger(market: Market) -> None:
    """A second oracle organisation, which nobody of the area has chosen."""
    guest = OrganisationArguments(GUEST, "oracle")
    market.submit("register_organisation", guest, admin=True)


def test_door_13_an_oracle_that_nobody_of_the_area_chose_names_no_nodes(market: Market) -> None:
    stranger(market)
    own = OracleArguments(AREA, NEXT, FOUR[:1], 0)

    with pytest.raises(Refused, match=f"NOT_ORACLE_OPERATOR.*{ORACLE}"):
        market.submit("set_oracle_nodes", own, GUEST, admin=True)
    chosen = AppointmentArguments(AREA, GUEST, NEXT)
    with pytest.raises(Refused, match="NOT_AREA_DSO"):
        market.submit("appoint_oracle", chosen, OTHER_DSO, admin=True)


def test_door_13_a_real_area_is_never_read_by_nodes_that_must_all_be_honest(
    market: Market,
) -> None:
    market.submit("register_area", AreaArguments("real", "real-root", 5), admin=True)
    market.submit("post_seed_chain", SeedChainArguments("real", NEXT, seeds(b"real")[0]))
    market.submit("appoint_oracle", AppointmentArguments("real", ORACLE, NEXT), admin=True)
    rules = RulesArguments("real", NEXT, market.rules.market)
    market.submit("set_market_rules", rules, admin=True)

    for area, code in (("real", "ORACLE_NODES_FEW"), (AREA, "")):
        one = OracleArguments(area, NEXT, FOUR[:1], 0)
        try:
            market.submit("set_oracle_nodes", one, ORACLE, admin=True)
            said = ""
        except Refused as refused:
            said = refused.code
        assert said == code


def test_door_13_a_node_that_was_taken_out_rewrites_no_old_slot(market: Market) -> None:
    market.traders("S", "B")
    market.clear()
    market.pass_until(NEXT)
    taken_out = market.oracle.nodes[0]
    leaves = [market.leaf("S", export_wh=10), market.leaf("B")]
    with_it = market.signed_report(leaves, signers=(0, 1, 2))
    without = market.signed_report(leaves, signers=(1, 2, 3))

    revoked = RevocationArguments(AREA, taken_out, NEXT)
    market.submit("revoke_oracle_node", revoked, ORACLE, admin=True)

    with pytest.raises(Refused, match="SIGNER_REVOKED"):
        market.send_report(with_it)
    market.send_report(without)
    starts = [market.leaf("S", SLOT), market.leaf("B", SLOT)]
    with pytest.raises(Refused, match="SIGNER_REVOKED"):
        market.send_report(market.signed_report(starts, signers=(0, 1, 2)))
    market.send_report(market.signed_report(starts, signers=(1, 2, 3)))
    market.settle()


def test_rule_7_1_each_slot_counts_the_nodes_of_the_operator_appointed_for_it(
    market: Market,
) -> None:
    market.traders("S", "B")
    stranger(market)
    market.submit("appoint_oracle", AppointmentArguments(AREA, GUEST, THIRD), admin=True)

    def view(slot: int) -> OracleView:
        return market.ask("describe_oracle", SlotArguments(AREA, slot), OracleView)

    assert (view(NEXT).operator, view(THIRD).operator) == (ORACLE, GUEST)
    assert view(NEXT).oracle == market.oracle
    assert view(THIRD).oracle is None  # those of the operator before do not speak for this slot
    own = OracleArguments(AREA, THIRD, market.oracle.nodes, 1)
    with pytest.raises(Refused, match="NOT_ORACLE_OPERATOR"):
        market.submit("set_oracle_nodes", own, ORACLE, admin=True)
    named = OracleArguments(AREA, THIRD, FOUR, 1)
    market.submit("set_oracle_nodes", named, GUEST, admin=True)
    oracle = view(THIRD).oracle
    assert oracle is not None
    assert oracle.nodes == FOUR
    market.pass_until(THIRD + SLOT_S)
    with pytest.raises(Refused, match="ORACLE_CONFIGURATION"):
        market.send_report(market.signed_report([market.leaf("S", THIRD)]))
    market.send_report(market.signed_report([market.leaf("S"), market.leaf("B")]))


def test_rule_7_1_sets_and_appointments_of_an_open_slot_are_frozen(market: Market) -> None:
    market.open()

    for name, arguments, member in (
        ("appoint_oracle", AppointmentArguments(AREA, ORACLE, SLOT), DSO),
        ("set_oracle_nodes", OracleArguments(AREA, SLOT, FOUR, 1), ORACLE),
    ):
        with pytest.raises(Refused, match="TERMS_FROZEN"):
            market.submit(name, arguments, member, admin=True)


def test_rule_7_2_a_revocation_binds_from_its_second_on_and_for_good(market: Market) -> None:
    market.traders("S", "B")
    node = market.oracle.nodes[0]
    market.submit("revoke_oracle_node", RevocationArguments(AREA, node, THIRD), admin=True)
    market.pass_until(NEXT)
    early = market.signed_report([market.leaf("S"), market.leaf("B")])
    market.send_report(early)  # market time has not reached the second yet
    market.pass_until(THIRD)

    with pytest.raises(Refused, match="SIGNER_REVOKED"):
        market.send_report(market.signed_report([market.leaf("S", THIRD)]))
    later = RevocationArguments(AREA, node, THIRD + 100 * SLOT_S)
    with pytest.raises(Refused, match="SIGNER_REVOKED"):
        market.submit("revoke_oracle_node", later, admin=True)
    again = OracleArguments(AREA, THIRD + 100 * SLOT_S, market.oracle.nodes, 1)
    with pytest.raises(Refused, match="SIGNER_REVOKED"):
        market.submit("set_oracle_nodes", again, ORACLE, admin=True)
    seen = market.ask("describe_oracle", SlotArguments(AREA, SLOT), OracleView)
    assert seen.revoked == [node]


def test_door_8_an_operator_names_its_nodes_three_hundred_times(market: Market) -> None:
    def name_often(market: Market) -> None:
        for number in range(300):
            nodes = [did_of(f"{number} {place}") for place in range(4)]
            named = OracleArguments(AREA, THIRD + number * SLOT_S, nodes, 1)
            market.submit("set_oracle_nodes", named, ORACLE, admin=True)

    market.leap(name_often)

    seen = market.ask("describe_oracle", SlotArguments(AREA, THIRD + 7 * SLOT_S), OracleView)
    assert seen.oracle is not None
    assert seen.oracle.nodes[0] == did_of("7 0")
