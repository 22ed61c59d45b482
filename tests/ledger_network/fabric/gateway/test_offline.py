"""A server that never holds its users' keys takes a transaction and streams all the way."""

from __future__ import annotations

import hashlib

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from ledger_network.fabric.gateway.checkpoint import Checkpoint
from ledger_network.fabric.gateway.requests import Unsigned
from ledger_network.fabric.gateway.signing import (
    BadIdentity,
    CannotSign,
    OfflineIdentity,
    SigningIdentity,
)
from tests.ledger_network.fabric.gateway.papers import issued, user_papers
from tests.ledger_network.fabric.gateway.scripted import channel_header
from tests.ledger_network.fabric.gateway.stage import Stage, play, user

PUT = [b"put", b"key", b"value"]
OFFLINE = OfflineIdentity("NorthMSP", user_papers().certificate)


def wallet(unsigned: Unsigned) -> bytes:
    """What the user's device gives back: a signature of the digest, in whichever form of S."""
    key = load_pem_private_key(user_papers().key, None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    assert unsigned.digest == hashlib.sha256(unsigned.message).digest()
    return key.sign(unsigned.digest, ec.ECDSA(Prehashed(SHA256())))


def test_whole_flow_without_a_key() -> None:
    async def scene(stage: Stage) -> None:
        gateway = stage.gateway
        query = gateway.propose("market", [b"get"])
        assert await gateway.evaluate_signed(query.signed(wallet(query))) == b"market|get"

        proposal = gateway.propose("market", PUT)
        endorsed = await gateway.endorse_signed(proposal.signed(wallet(proposal)))
        await gateway.order(endorsed.signed(wallet(endorsed.unsigned)))
        question = gateway.status_request(endorsed.transaction)
        done = await gateway.commit_status_signed(question.signed(wallet(question)))

        assert (done.code, done.transaction) == ("VALID", proposal.transaction)
        assert stage.north.creators[-1] == OFFLINE.current().creator

    play(scene, identity=OFFLINE)


def test_server_asks_after_its_users_transaction_as_itself() -> None:
    async def scene(stage: Stage) -> None:
        proposal = stage.gateway.propose("market", PUT, identity=OFFLINE)
        endorsed = await stage.gateway.endorse_signed(proposal.signed(wallet(proposal)))

        done = await stage.gateway.submit_endorsed(endorsed.signed(wallet(endorsed.unsigned)))

        assert done.valid
        assert done.result == b"put|key|value"

    play(scene, identity=SigningIdentity("SouthMSP", *issued("server")))


def test_streams_by_requests_signed_elsewhere_are_resumed_by_the_same() -> None:
    async def scene(stage: Stage) -> None:
        for number in range(2):
            await submit_event(stage, b"%d" % number)
        gateway = stage.gateway
        wish = gateway.events_request("market", start=0)
        blocks = gateway.blocks_request(start=1, endpoint=stage.north.endpoint)

        events = gateway.chaincode_events_signed(wish.signed(wallet(wish)))
        seen = [(await anext(events)).payload for _ in range(2)]
        await stage.north.stop()
        await submit_event(stage, b"2")
        seen.append((await anext(events)).payload)
        await events.aclose()
        await stage.north.start()
        stream = gateway.blocks_signed(blocks.signed(wallet(blocks)), endpoint=stage.north.endpoint)
        numbers = [(await anext(stream)).number for _ in range(2)]
        await stream.aclose()

        assert seen == [b"0", b"1", b"2"]
        assert numbers == [1, 2]

    play(scene, identity=OFFLINE)


def test_events_before_the_checkpoint_are_passed_over_whatever_the_request_says() -> None:
    async def scene(stage: Stage) -> None:
        for number in range(3):
            await submit_event(stage, b"%d" % number)
        wish = stage.gateway.events_request("market", start=0)
        after = Checkpoint(1, channel_header(stage.chain.blocks[1].data.data[0]).tx_id)

        events = stage.gateway.chaincode_events_signed(wish.signed(wallet(wish)), after=after)
        first = await anext(events)
        await events.aclose()

        assert first.payload == b"2"

    play(scene, identity=OFFLINE)


async def submit_event(stage: Stage, payload: bytes) -> None:
    proposal = stage.gateway.propose("market", [b"event", payload])
    endorsed = await stage.gateway.endorse_signed(proposal.signed(wallet(proposal)))
    await stage.gateway.order(endorsed.signed(wallet(endorsed.unsigned)))


def test_wrong_signature_is_refused_before_anything_is_sent() -> None:
    async def scene(stage: Stage) -> None:
        proposal = stage.gateway.propose("market", PUT)
        other = stage.gateway.propose("market", PUT)

        with pytest.raises(BadIdentity, match="does not hold"):
            proposal.signed(wallet(other))
        assert not stage.north.calls

    play(scene, identity=OFFLINE)


def test_nothing_is_ordered_that_is_unsigned_or_cannot_be_asked_after() -> None:
    async def scene(stage: Stage) -> None:
        proposal = stage.gateway.propose("market", PUT)
        endorsed = await stage.gateway.endorse_signed(proposal.signed(wallet(proposal)))

        with pytest.raises(CannotSign, match="not signed"):
            await stage.gateway.order(endorsed)
        with pytest.raises(CannotSign):
            await stage.gateway.submit_endorsed(endorsed.signed(wallet(endorsed.unsigned)))
        with pytest.raises(CannotSign):
            await stage.gateway.submit("market", PUT)

        assert stage.asked("Submit") == (0, 0)

    play(scene, identity=OFFLINE)


def test_user_of_the_tests_is_the_wallets() -> None:
    assert user().current().creator == OFFLINE.current().creator
