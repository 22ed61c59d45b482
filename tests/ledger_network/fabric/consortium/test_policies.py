"""Policies: who may do what, as the text that Fabric's tools read and in the form that it stores."""

from __future__ import annotations

import pytest
from fabric_protos.common import policies_pb2
from fabric_protos.msp import msp_principal_pb2

from ledger_network.fabric.consortium.definition import read_consortium
from ledger_network.fabric.consortium.policies import (
    Principal,
    Rule,
    any_of,
    approvers,
    collection_members,
    one_of_each,
    orderer_members,
    readers,
    stored,
    writers,
)
from tests.ledger_network.fabric.consortium.files import default_document, member, parsed

A, B, C = Principal("A", "peer"), Principal("B", "peer"), Principal("C", "admin")


def read_back(envelope: policies_pb2.SignaturePolicyEnvelope) -> str:
    """A stored policy as text again, read from the protobuf alone."""
    names: list[str] = []
    for principal in envelope.identities:
        assert principal.principal_classification == msp_principal_pb2.MSPPrincipal.ROLE
        role = msp_principal_pb2.MSPRole.FromString(principal.principal)
        kind = msp_principal_pb2.MSPRole.MSPRoleType.Name(role.role).lower()
        names.append(f"'{role.msp_identifier}.{kind}'")

    def text(rule: policies_pb2.SignaturePolicy) -> str:
        if rule.WhichOneof("Type") == "signed_by":
            return names[rule.signed_by]
        inner = ", ".join(map(text, rule.n_out_of.rules))
        return f"OutOf({rule.n_out_of.n}, {inner})"

    return text(envelope.rule)


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (any_of([A]), "OutOf(1, 'A.peer')"),
        (any_of([A, B]), "OutOf(1, 'A.peer', 'B.peer')"),
        (Rule(2, (A, B, C)), "OutOf(2, 'A.peer', 'B.peer', 'C.admin')"),
        (
            Rule(2, (any_of([A, B]), any_of([B, C]))),
            "OutOf(2, OutOf(1, 'A.peer', 'B.peer'), OutOf(1, 'B.peer', 'C.admin'))",
        ),
    ],
)
def test_text_and_stored_form_say_the_same(rule: Rule, text: str) -> None:
    assert str(rule) == text
    assert read_back(stored(rule)) == text


def test_principal_that_stands_twice_is_stored_once() -> None:
    envelope = stored(Rule(2, (any_of([A, B]), any_of([B, A]))))

    assert len(envelope.identities) == 2
    numbers = [[part.signed_by for part in g.n_out_of.rules] for g in envelope.rule.n_out_of.rules]
    assert numbers == [[0, 1], [1, 0]]


def test_market_needs_a_grid_operator_and_a_retailer() -> None:
    consortium = read_consortium()

    rule = one_of_each(consortium, consortium.policies.endorsement)

    assert str(rule) == (
        "OutOf(2, OutOf(1, 'NordGrid.peer', 'SouthGrid.peer'), "
        "OutOf(1, 'GreenPower.peer', 'CityEnergy.peer'))"
    )


def test_readings_need_the_oracle_operator_and_a_grid_operator() -> None:
    consortium = read_consortium()
    (readings,) = consortium.collections

    rule = one_of_each(consortium, readings.endorsement)

    assert str(rule) == (
        "OutOf(2, OutOf(1, 'MeterHouse.peer'), OutOf(1, 'NordGrid.peer', 'SouthGrid.peer'))"
    )
    assert "EnergyAuthority.member" in str(collection_members(consortium, readings.members))


def test_regulator_reads_all_and_writes_by_its_administrator_alone() -> None:
    consortium = read_consortium()

    assert Principal("EnergyAuthority", "member") in readers(consortium)
    assert [who for who in writers(consortium) if who.msp == "EnergyAuthority"] == [
        Principal("EnergyAuthority", "admin")
    ]


def test_regulator_and_oracle_decide_on_no_contract() -> None:
    rule = approvers(read_consortium(), "peer")

    assert rule.needed == 3
    assert {who.msp for who in rule.parts if isinstance(who, Principal)} == {
        "NordGrid", "SouthGrid", "GreenPower", "CityEnergy",
    }  # fmt: skip


def test_who_orders_is_told_apart_from_who_trades() -> None:
    consortium = read_consortium()

    assert not {who.msp for who in orderer_members(consortium)} & {
        organisation.msp for organisation in consortium.organisations
    }


def test_member_without_a_peer_is_asked_for_no_endorsement() -> None:
    document = default_document()
    document["organisations"].append(member("Small", "retailer"))
    consortium = parsed(document)

    assert "Small" not in str(one_of_each(consortium, consortium.policies.endorsement))
    assert "Small" not in str(approvers(consortium, "peer"))
    assert Principal("Small", "member") in writers(consortium)
