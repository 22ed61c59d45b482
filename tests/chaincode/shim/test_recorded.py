"""What a real peer said and accepted is said again: recorded conversations, replayed."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import NamedTuple

import pytest
from fabric_protos.peer import chaincode_pb2, proposal_response_pb2

from tests.chaincode.shim.proposals import Kind, Message
from tests.chaincode.shim.sample_contract import contract
from tests.chaincode.shim.stand import play, stand

RECORDED = Path(__file__).parent / "recorded"


class Line(NamedTuple):
    """One message of a conversation."""

    by_peer: bool
    message: Message


def conversation(name: str) -> list[Line]:
    lines: list[Line] = []
    for line in (RECORDED / name).read_text().splitlines():
        record: dict[str, str] = json.loads(line)
        message = Message.FromString(base64.b64decode(record["message"]))
        lines.append(Line(record["from"] == "peer", message))
    return lines


@pytest.mark.parametrize("name", ["batches.jsonl", "single.jsonl"])
def test_shim_says_what_a_real_peer_accepted(name: str) -> None:
    # The peer's side is sent as it was recorded; each message of the shim must be the recorded one.
    # Maps inside a message have no order, so messages are compared and not their bytes.
    lines = conversation(name)
    package_id = chaincode_pb2.ChaincodeID.FromString(lines[0].message.payload).name

    async def scene() -> None:
        async with (
            stand(contract, package_id=package_id) as place,
            place.peer(registers=False) as peer,
        ):
            peer.scripts = dict.fromkeys(Kind.values(), lambda _: ())
            heard = 0
            for line in lines:
                if line.by_peer:
                    await peer.send(line.message)
                else:
                    heard += 1
                    assert await peer.message(heard) == line.message

    play(scene)


def test_recordings_hold_every_kind_of_call() -> None:
    kinds = {
        line.message.type
        for name in ("batches.jsonl", "single.jsonl")
        for line in conversation(name)
    }

    unseen = {Kind.UNDEFINED, Kind.INIT, Kind.KEEPALIVE, Kind.GET_QUERY_RESULT}
    assert kinds == set(Kind.values()) - unseen


def test_recordings_hold_answers_of_every_kind() -> None:
    answers = [
        proposal_response_pb2.Response.FromString(line.message.payload).status
        for line in conversation("batches.jsonl")
        if line.message.type == Kind.COMPLETED
    ]

    assert set(answers) == {200, 404, 500}
