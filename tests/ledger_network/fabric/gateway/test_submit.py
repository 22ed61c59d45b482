"""The way of a transaction: what is signed and sent, and what a caller learns when it fails."""

from __future__ import annotations

import asyncio
from typing import Any

import grpc
import pytest

from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.gateway.errors import (
    CommitError,
    CommitStatusError,
    Disagreement,
    EndorseError,
    EvaluateError,
    GatewayError,
    Outcome,
    SubmitError,
    TamperedEndorsement,
)
from ledger_network.fabric.gateway.peers import Limits
from tests.ledger_network.fabric.gateway import scripted
from tests.ledger_network.fabric.gateway.scripted import (
    ScriptedPeer,
    order_and_vanish,
    refuse,
    vanish,
)
from tests.ledger_network.fabric.gateway.stage import LIMITS, Stage, play, user

UNAVAILABLE = grpc.StatusCode.UNAVAILABLE
ABORTED = grpc.StatusCode.ABORTED
FAILED = "failed to endorse transaction, see attached details for more info"
FEW = "failed to collect enough transaction endorsements, see attached details for more info"
QUORUM = (
    "insufficient number of orderers could successfully process transaction to satisfy quorum "
    "requirement"
)
ORDERER = "received unsuccessful response from orderer: status={}, info={}"
PUT = [b"put", b"key", b"value"]


async def failure_of_submit(stage: Stage, **options: Any) -> GatewayError:
    with pytest.raises(GatewayError) as caught:
        await stage.gateway.submit("market", PUT, **options)
    return caught.value


def test_submit_returns_result_block_and_id() -> None:
    async def scene(stage: Stage) -> None:
        done = await stage.gateway.submit("market", PUT)

        assert (done.code, done.block, done.result) == ("VALID", 0, b"put|key|value")
        assert stage.chain.find(done.transaction) == (0, 0)

    play(scene)


def test_steps_can_be_taken_one_by_one() -> None:
    async def scene(stage: Stage) -> None:
        endorsed = await stage.gateway.endorse("market", PUT, organisations=["SouthMSP"])
        assert endorsed.endorsers == ("SouthMSP",)
        assert endorsed.result == b"put|key|value"
        assert not stage.chain.blocks

        await stage.gateway.order(endorsed)
        done = await stage.gateway.commit_status(endorsed.transaction)

        assert (done.code, done.block) == ("VALID", 0)

    play(scene)


def test_query_carries_transient_values_and_target_organisations() -> None:
    async def scene(stage: Stage) -> None:
        answer = await stage.gateway.evaluate(
            "market", [b"get"], transient={"secret": b"xyz"}, organisations=["SouthMSP"]
        )

        assert answer == b"market|get|xyz"
        (_, request) = stage.north.calls[0]
        assert list(request.target_organizations) == ["SouthMSP"]

    play(scene)


@pytest.mark.parametrize(
    "words",
    ["gate is closed", "", 'a, b: 50 %\n"ü€𝄞"', "chaincode response 400, nested", "x" * 300_000],
)
def test_contracts_words_come_back_exactly(words: str) -> None:
    async def scene(stage: Stage) -> None:
        said = f"chaincode response 409, {words}"
        detail = ("NorthMSP", said)
        stage.north.at_next("Endorse", refuse(ABORTED, FAILED, detail))
        evaluated = f"evaluate call to endorser returned error: {said[:500]}"
        stage.north.at_next("Evaluate", refuse(grpc.StatusCode.UNKNOWN, evaluated, detail))

        refused = await failure_of_submit(stage)
        with pytest.raises(EvaluateError) as query:
            await stage.gateway.evaluate("market", [b"get"])

        assert isinstance(refused, EndorseError)
        for error in (refused, query.value):
            assert error.outcome is Outcome.REFUSED
            assert not error.repeatable
            assert (error.chaincode_status, error.chaincode_message) == (409, words)
            assert [one.msp_id for one in error.details] == ["NorthMSP"]
        assert stage.asked("Endorse") == (1, 0)

    play(scene)


@pytest.mark.parametrize(
    "words",
    [
        "ProposalResponsePayloads do not match",
        "too many requests for us, exceeding concurrency limit (3)",
        (
            "incorrect timestamp 2026-01-01T00:00:00Z, peer time 2026-01-01T00:00:00Z, "
            "peer.authentication.timewindow 1m0s"
        ),
        "access denied",
    ],
)
def test_contract_cannot_speak_for_a_peer(words: str) -> None:
    async def scene(stage: Stage) -> None:
        detail = ("NorthMSP", f"chaincode response 400, {words}")
        stage.north.at_next("Endorse", refuse(ABORTED, FAILED, detail))
        evaluated = f"evaluate call to endorser returned error: {detail[1]}"
        stage.north.at_next("Evaluate", refuse(grpc.StatusCode.UNKNOWN, evaluated, detail))

        error = await failure_of_submit(stage)
        with pytest.raises(EvaluateError) as query:
            await stage.gateway.evaluate("market", [b"get"])

        for one in (error, query.value):
            assert one.outcome is Outcome.REFUSED
            assert one.chaincode_message == words
        assert stage.asked("Evaluate") == (1, 0)

    play(scene)


def test_organisation_that_disagrees_is_named() -> None:
    async def scene(stage: Stage) -> None:
        detail = ("SouthMSP", "ProposalResponsePayloads do not match")
        for peer in stage.peers:
            peer.at_next("Endorse", *[refuse(ABORTED, FEW, detail)] * LIMITS.endorse_tries)

        error = await failure_of_submit(stage)

        assert isinstance(error, Disagreement)
        assert error.organisations == ("SouthMSP",)
        assert (error.outcome, error.repeatable) == (Outcome.NOTHING, True)
        assert sum(stage.asked("Endorse")) == LIMITS.endorse_tries

    play(scene)


def test_disagreement_is_traced_to_the_odd_one_and_to_the_key() -> None:
    async def otherwise(peer: ScriptedPeer, request: Any, _context: Any) -> Any:
        opened = peer.opened(request.proposed_transaction)
        value = b"other" if "SouthMSP" in request.endorsing_organizations else b"v"
        envelope = opened.prepared(request.endorsing_organizations, value=value)
        return scripted.gateway_pb2.EndorseResponse(prepared_transaction=envelope)

    async def scene(stage: Stage) -> None:
        for peer in stage.peers:
            peer.at_next("Endorse", *[otherwise] * 3)

        verdict = await stage.gateway.disagreement(
            "market", PUT, organisations=["NorthMSP", "SouthMSP", "EastMSP"]
        )

        assert verdict.odd == ("SouthMSP",)
        assert verdict.sides == (("NorthMSP", "EastMSP"), ("SouthMSP",))
        assert verdict.differing == ("write market 'k'",)
        assert not stage.chain.blocks

    play(scene)


def test_aborted_endorsement_is_tried_again_with_the_same_proposal() -> None:
    async def scene(stage: Stage) -> None:
        closing = "rpc error: code = Canceled desc = grpc: the client connection is closing"
        stage.north.at_next("Endorse", *[refuse(ABORTED, FEW, ("SouthMSP", closing))] * 2)

        done = await stage.gateway.submit("market", PUT)

        assert done.valid
        asked = {request.transaction_id for name, request in stage.north.calls if name == "Endorse"}
        assert asked == {done.transaction}
        assert stage.asked("Endorse") == (3, 0)

    play(scene)


def test_endorsement_that_stays_aborted_gives_up() -> None:
    async def scene(stage: Stage) -> None:
        stage.north.at_next("Endorse", *[refuse(ABORTED, FEW, ("SouthMSP", "gone"))] * 9)

        error = await failure_of_submit(stage)

        assert isinstance(error, EndorseError)
        assert (error.outcome, error.repeatable) == (Outcome.NOTHING, True)
        assert stage.asked("Endorse") == (LIMITS.endorse_tries, 0)

    play(scene)


def test_stranger_is_forbidden_and_not_tried_again() -> None:
    async def scene(stage: Stage) -> None:
        words = "error validating proposal: access denied: channel [market] creator org [NorthMSP]"
        stage.north.at_next("Endorse", refuse(ABORTED, FAILED, ("NorthMSP", words)))

        error = await failure_of_submit(stage)

        assert (error.outcome, error.repeatable) == (Outcome.FORBIDDEN, False)
        assert stage.asked("Endorse") == (1, 0)

    play(scene)


def test_other_transaction_than_the_proposed_is_not_signed() -> None:
    async def forge(peer: ScriptedPeer, request: Any, _context: Any) -> Any:
        opened = peer.opened(request.proposed_transaction)
        opened.spec.input.args[2] = b"mine"
        spec = scripted.chaincode_pb2.ChaincodeInvocationSpec(chaincode_spec=opened.spec)
        opened.payload.input = spec.SerializeToString()
        return scripted.gateway_pb2.EndorseResponse(prepared_transaction=opened.prepared(["XMSP"]))

    async def scene(stage: Stage) -> None:
        stage.north.at_next("Endorse", forge)

        error = await failure_of_submit(stage)

        assert isinstance(error, TamperedEndorsement)
        assert stage.asked("Submit") == (0, 0)

    play(scene)


def test_transaction_under_another_header_is_not_signed() -> None:
    async def forge(peer: ScriptedPeer, request: Any, _context: Any) -> Any:
        opened = peer.opened(request.proposed_transaction)
        opened.channel.channel_id = "other"
        opened.header.channel_header = opened.channel.SerializeToString()
        return scripted.gateway_pb2.EndorseResponse(prepared_transaction=opened.prepared(["XMSP"]))

    async def scene(stage: Stage) -> None:
        stage.north.at_next("Endorse", forge)

        assert isinstance(await failure_of_submit(stage), TamperedEndorsement)

    play(scene)


def test_two_that_differ_are_both_odd() -> None:
    async def otherwise(peer: ScriptedPeer, request: Any, _context: Any) -> Any:
        opened = peer.opened(request.proposed_transaction)
        value = request.endorsing_organizations[0].encode()
        envelope = opened.prepared(request.endorsing_organizations, value=value)
        return scripted.gateway_pb2.EndorseResponse(prepared_transaction=envelope)

    async def scene(stage: Stage) -> None:
        stage.north.at_next("Endorse", *[otherwise] * 2)

        verdict = await stage.gateway.disagreement(
            "market", PUT, organisations=["NorthMSP", "SouthMSP"]
        )

        assert set(verdict.odd) == {"NorthMSP", "SouthMSP"}

    play(scene)


def test_refusal_is_not_repeated() -> None:
    async def scene(stage: Stage) -> None:
        detail = ("NorthMSP", "chaincode response 400, no")
        stage.north.at_next("Endorse", *[refuse(ABORTED, FAILED, detail)] * 3)

        await failure_of_submit(stage, repeats=2)

        assert stage.asked("Endorse") == (1, 0)

    play(scene)


def test_already_processed_is_asked_after_and_never_ordered_again() -> None:
    async def ordered_before(peer: ScriptedPeer, request: Any, context: Any) -> None:
        envelope = request.prepared_transaction.SerializeToString()
        await peer.chain.commit(envelope)
        words = ORDERER.format("SERVICE_UNAVAILABLE", "failed to submit: request already processed")
        await refuse(UNAVAILABLE, QUORUM, ("O1MSP", words), ("O2MSP", words))(
            peer, request, context
        )

    async def scene(stage: Stage) -> None:
        stage.north.at_next("Submit", ordered_before)

        done = await stage.gateway.submit("market", PUT)

        assert done.valid
        assert stage.asked("Submit") == (1, 0)

    play(scene)


@pytest.mark.parametrize(
    ("statuses", "outcome"),
    [
        (["FORBIDDEN", "FORBIDDEN"], Outcome.FORBIDDEN),
        (["BAD_REQUEST", "BAD_REQUEST"], Outcome.NOTHING),
        (["FORBIDDEN", "SERVICE_UNAVAILABLE"], Outcome.UNKNOWN),
        (["SERVICE_UNAVAILABLE", "SERVICE_UNAVAILABLE"], Outcome.UNKNOWN),
    ],
)
def test_unavailable_is_read_by_what_each_orderer_said(
    statuses: list[str], outcome: Outcome
) -> None:
    async def scene(stage: Stage) -> None:
        said = [("OMSP", ORDERER.format(status, "no")) for status in statuses]
        stage.north.at_next("Submit", refuse(UNAVAILABLE, QUORUM, *said))

        error = await failure_of_submit(stage)

        assert isinstance(error, SubmitError)
        assert (error.outcome, error.repeatable) == (outcome, False)
        assert stage.asked("Submit") == (1, 0)
        assert (sum(stage.asked("CommitStatus")) > 0) == (outcome is Outcome.UNKNOWN)

    play(scene, limits=Limits(status_try_s=0.1, settle_s=0.3, retry_first_s=0.01))


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (UNAVAILABLE, "no orderer nodes available"),
        (grpc.StatusCode.UNKNOWN, "too many requests for /g, exceeding concurrency limit (500)"),
        (grpc.StatusCode.FAILED_PRECONDITION, "no such channel"),
    ],
)
def test_transaction_that_no_orderer_saw_goes_to_the_next_gateway(
    code: grpc.StatusCode, message: str
) -> None:
    async def scene(stage: Stage) -> None:
        stage.north.at_next("Submit", refuse(code, message))

        done = await stage.gateway.submit("market", PUT)

        assert done.valid
        assert stage.asked("Submit") == (1, 1)

    play(scene)


def test_transaction_that_no_gateway_passes_on_did_not_happen() -> None:
    async def scene(stage: Stage) -> None:
        for peer in stage.peers:
            peer.at_next("Submit", refuse(UNAVAILABLE, "no orderer nodes available"))

        error = await failure_of_submit(stage)

        assert isinstance(error, SubmitError)
        assert (error.outcome, error.repeatable) == (Outcome.NOTHING, True)
        assert stage.asked("CommitStatus") == (0, 0)

    play(scene)


def test_connection_lost_after_the_order_is_asked_after_elsewhere() -> None:
    async def scene(stage: Stage) -> None:
        stage.north.at_next("Submit", order_and_vanish)

        done = await stage.gateway.submit("market", PUT)

        assert done.valid
        assert done.result == b"put|key|value"
        assert stage.asked("Submit") == (1, 0)
        assert stage.south.asked("CommitStatus") == 1

    play(scene)


def test_connection_lost_before_the_order_leaves_it_unknown() -> None:
    async def scene(stage: Stage) -> None:
        stage.north.at_next("Submit", vanish)

        error = await failure_of_submit(stage)

        assert isinstance(error, SubmitError)
        assert (error.outcome, error.repeatable) == (Outcome.UNKNOWN, False)
        assert error.transaction
        assert stage.asked("Submit") == (1, 0)

    play(scene, limits=Limits(connect_s=1.0, status_try_s=0.1, settle_s=0.3, retry_first_s=0.01))


@pytest.mark.parametrize(
    ("validation", "repeatable"),
    [
        ("MVCC_READ_CONFLICT", True),
        ("PHANTOM_READ_CONFLICT", True),
        ("ENDORSEMENT_POLICY_FAILURE", False),
    ],
)
def test_invalid_transaction_tells_its_code(validation: str, *, repeatable: bool) -> None:
    async def scene(stage: Stage) -> None:
        stage.north.judge = scripted.transaction_pb2.TxValidationCode.Value(validation)

        error = await failure_of_submit(stage)

        assert isinstance(error, CommitError)
        assert (error.validation, error.block) == (validation, 0)
        assert (error.outcome, error.repeatable) == (Outcome.INVALID, repeatable)

    play(scene)


def test_conflict_is_repeated_as_a_new_transaction_as_often_as_allowed() -> None:
    async def scene(stage: Stage) -> None:
        stage.north.judge = scripted.transaction_pb2.MVCC_READ_CONFLICT

        error = await failure_of_submit(stage, repeats=2)

        assert isinstance(error, CommitError)
        ids = {request.transaction_id for name, request in stage.north.calls if name == "Submit"}
        assert len(ids) == stage.north.asked("Submit") == 3

    play(scene)


def test_commit_that_one_peer_has_not_seen_is_asked_of_the_next() -> None:
    async def scene(stage: Stage) -> None:
        never = asyncio.Event()
        stage.north.at_next("CommitStatus", scripted.wait_for(never))

        done = await stage.gateway.submit("market", PUT)

        assert done.valid
        assert stage.asked("CommitStatus") == (1, 1)

    play(scene)


def test_unknown_id_is_given_up_in_time() -> None:
    async def scene(stage: Stage) -> None:
        with pytest.raises(CommitStatusError) as caught:
            await stage.gateway.commit_status("00" * 32)

        assert caught.value.outcome is Outcome.UNKNOWN

    play(scene, limits=Limits(status_try_s=0.1, status_s=0.3, retry_first_s=0.01))


def test_nothing_happened_when_no_peer_is_there() -> None:
    async def scene(stage: Stage) -> None:
        endorsed = await stage.gateway.endorse("market", PUT)
        for peer in stage.peers:
            await peer.stop()

        with pytest.raises(SubmitError) as ordering:
            await stage.gateway.order(endorsed)
        with pytest.raises(EvaluateError) as query:
            await stage.gateway.evaluate("market", [b"get"])

        for error in (ordering.value, query.value):
            assert (error.outcome, error.repeatable) == (Outcome.NOTHING, True)

    play(scene, limits=Limits(connect_s=0.5))


def test_more_than_allowed_at_once_wait_for_their_turn() -> None:
    async def scene(stage: Stage) -> None:
        most, now, full, go = 0, 0, asyncio.Event(), asyncio.Event()

        async def count(_peer: ScriptedPeer, _request: Any, _context: Any) -> None:
            nonlocal most, now
            now += 1
            most = max(most, now)
            if now == 3:
                full.set()
            await go.wait()
            now -= 1

        stage.north.at_next("Evaluate", *[count] * 20)
        asking = [
            asyncio.create_task(stage.gateway.evaluate("market", [b"get"])) for _ in range(20)
        ]
        await full.wait()
        go.set()

        assert len(await asyncio.gather(*asking)) == 20
        assert most == 3

    play(scene, limits=Limits(in_flight=3))


def test_closing_ends_what_is_under_way_and_refuses_what_comes() -> None:
    async def scene(stage: Stage) -> None:
        never, came = asyncio.Event(), asyncio.Event()

        async def hold(_peer: ScriptedPeer, _request: Any, _context: Any) -> None:
            came.set()
            await never.wait()

        stage.north.at_next("Evaluate", hold)
        asking = asyncio.create_task(stage.gateway.evaluate("market", [b"get"]))
        await came.wait()
        await stage.gateway.close()
        await stage.gateway.close()

        with pytest.raises(EvaluateError):
            await asking
        with pytest.raises(EvaluateError, match="closed"):
            await stage.gateway.evaluate("market", [b"get"])

    play(scene)


def test_cancelled_caller_is_cancelled_and_leaves_the_client_well() -> None:
    async def scene(stage: Stage) -> None:
        never, came = asyncio.Event(), asyncio.Event()

        async def hold(_peer: ScriptedPeer, _request: Any, _context: Any) -> None:
            came.set()
            await never.wait()

        stage.north.at_next("Evaluate", hold)
        asking = asyncio.create_task(stage.gateway.evaluate("market", [b"get"]))
        await came.wait()
        asking.cancel()

        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await stage.gateway.evaluate("market", [b"get"]) == b"market|get"

    play(scene)


def test_gateway_needs_an_endpoint() -> None:
    async def make() -> None:
        with pytest.raises(ValueError, match="at least one endpoint"):
            Gateway(user(), [], channel="market")

    asyncio.run(make())
