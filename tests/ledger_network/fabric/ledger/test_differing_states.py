"""Peers that read different states for a while: a submit waits for them, and says so if it lasts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import grpc
import pytest
from fabric_protos.gateway import gateway_pb2

from chaincode.contract import Contract
from chaincode.slots.gate import SlotArguments
from ledger_network.fabric.consortium.profile import PeerProfile, Profile, UserProfile
from ledger_network.fabric.gateway.errors import MISMATCH
from ledger_network.fabric.ledger.engine import ATTEMPTS_MAX, FabricLedger
from ledger_network.port import Invalid, Member, Receipt
from tests.ledger_network.fabric.gateway.papers import user_papers
from tests.ledger_network.fabric.gateway.scripted import Act, Context, ScriptedPeer, refuse
from tests.ledger_network.fabric.gateway.stage import LIMITS, NOON, Stage, play

MEMBER = Member("North")
CALL = SlotArguments("area", 900)
FEW = "failed to collect enough transaction endorsements, see attached details for more info"
ASKED_MAX = 1_000
LONG_S, BRIEF_S = 20.0, 0.0
ROUNDS = (ATTEMPTS_MAX + 2) * LIMITS.endorse_tries
"""Refusals that a submit outlives only if it waits longer than for peers that are unavailable."""


def differing(rounds: int, south: dict[str, Any]) -> Act:
    """South endorses otherwise, with `south` for `Opened.prepared`, in the next so many rounds."""
    left = rounds

    async def act(peer: ScriptedPeer, request: Any, context: Context) -> Any:
        nonlocal left
        asked = list(request.endorsing_organizations)
        if asked:
            prepared = peer.opened(request.proposed_transaction).prepared
            changes: dict[str, Any] = south if asked == ["SouthMSP"] else {"private_block": 1}
            return gateway_pb2.EndorseResponse(prepared_transaction=prepared(asked, **changes))
        if left == 0:
            return None
        left -= 1
        refusal = refuse(grpc.StatusCode.ABORTED, FEW, ("SouthMSP", MISMATCH))
        return await refusal(peer, request, context)

    return act


def written(path: Path, content: bytes) -> str:
    """A file with this content."""
    path.write_bytes(content)
    return str(path)


async def submitted(stage: Stage, folder: Path, act: Act, states_s: float) -> Receipt:
    """A submit while `act` is what North's and South's peers do when they are asked to endorse."""
    await stage.chain.commit()
    certificate, key = user_papers()
    user = UserProfile(written(folder / "crt", certificate), written(folder / "key", key))
    peers: list[PeerProfile] = []
    for peer in stage.peers:
        peer.at_next("Endorse", *[act] * ASKED_MAX)
        root = written(folder / peer.msp_id, peer.papers.certificate)
        peers.append(PeerProfile(peer.endpoint.address, peer.msp_id, root))
    north = Profile("North", "dso", "NorthMSP", "market", "market", peers, {"client": user})
    async with await FabricLedger.open(
        [north], contract=Contract(), clock=lambda: NOON, limits=LIMITS, states_s=states_s
    ) as ledger:
        return await ledger.submit("settle_slot", CALL, member=MEMBER)


def test_peer_that_gets_a_private_value_late_is_waited_for(tmp_path: Path) -> None:
    act = differing(ROUNDS, {"private_block": None})

    receipt = play(lambda stage: submitted(stage, tmp_path, act, LONG_S))

    assert receipt.block == 1


def test_states_that_go_on_differing_are_told_with_who_read_otherwise(tmp_path: Path) -> None:
    act = differing(ASKED_MAX, {"private_block": None})

    with pytest.raises(Invalid) as invalid:
        play(lambda stage: submitted(stage, tmp_path, act, BRIEF_S))

    said = str(invalid.value)
    assert said.startswith("the organisations' peers have different states: ")
    assert "NorthMSP, SouthMSP differed in private read market 'readings'" in said
    assert "commonwatt network doctor" in said


def test_contract_that_writes_otherwise_in_the_same_state_is_not_waited_for(tmp_path: Path) -> None:
    act = differing(ASKED_MAX, {"private_block": 1, "value": b"other"})

    with pytest.raises(Invalid, match=r"contracts disagree: .* write market 'k'"):
        play(lambda stage: submitted(stage, tmp_path, act, LONG_S))
