"""What a failure of the Gateway is at the port: each kind has one meaning there."""

from __future__ import annotations

import grpc
import msgspec
import pytest

from chaincode.errors import Refused
from ledger_network.fabric.gateway.errors import (
    MISMATCH,
    ClockSkew,
    CommitError,
    CommitStatusError,
    Detail,
    Disagreement,
    EndorseError,
    EvaluateError,
    GatewayError,
    Outcome,
    StreamError,
    SubmitError,
    TamperedEndorsement,
)
from ledger_network.fabric.ledger.contract_service import RefusalMessage
from ledger_network.fabric.ledger.outcomes import outcome_of
from ledger_network.port import Conflict, Invalid, Unknown

ID = "ab" * 32


def refusal(*, repeatable: bool) -> str:
    told = RefusalMessage("GATE_CLOSED", repeatable, "The gate is closed.")
    return msgspec.json.encode(told).decode()


@pytest.mark.parametrize("kind", [EndorseError, EvaluateError])
@pytest.mark.parametrize("repeatable", [False, True])
def test_refusal_of_the_contract_comes_through(kind: type[GatewayError], repeatable: bool) -> None:  # noqa: FBT001 the case of a table
    error = kind(
        "the contract refused",
        outcome=Outcome.REFUSED,
        chaincode_status=400,
        chaincode_message=refusal(repeatable=repeatable),
    )

    found = outcome_of(error)

    assert isinstance(found, Refused)
    assert (found.code, found.sentence) == ("GATE_CLOSED", "The gate is closed.")
    assert found.repeatable is repeatable


@pytest.mark.parametrize(
    "message", ["KeyError in line 3", "{}", '{"code": 1}', "", "[]", '"GATE_CLOSED"']
)
def test_contract_that_failed_is_no_refusal(message: str) -> None:
    error = EndorseError("failed", chaincode_status=500, chaincode_message=message)

    found = outcome_of(error)

    assert isinstance(found, Invalid)
    assert str(found) == f"the contract at a peer failed: {message}"


@pytest.mark.parametrize(
    "validation", ["MVCC_READ_CONFLICT", "PHANTOM_READ_CONFLICT", "EXPIRED_CHAINCODE"]
)
def test_transaction_that_was_overtaken_is_a_conflict(validation: str) -> None:
    found = outcome_of(CommitError(ID, validation, 7))

    assert isinstance(found, Conflict)
    assert str(found) == f"{validation} in block 7"


@pytest.mark.parametrize(
    "validation", ["ENDORSEMENT_POLICY_FAILURE", "BAD_CREATOR_SIGNATURE", "DUPLICATE_TXID"]
)
def test_transaction_that_policy_or_integrity_turned_away_is_invalid(validation: str) -> None:
    found = outcome_of(CommitError(ID, validation, 7))

    assert isinstance(found, Invalid)
    assert validation in str(found)
    assert "block 7" in str(found)


def test_members_whose_contracts_differ_are_named() -> None:
    details = [
        Detail("127.0.0.1:17020", "GreenPower", MISMATCH),
        Detail("127.0.0.1:17000", "NordGrid", "something else"),
    ]

    found = outcome_of(Disagreement("no agreement", details=details, repeatable=True))

    assert isinstance(found, Invalid)
    assert str(found) == "the organisations' contracts disagree: GreenPower answered otherwise"


@pytest.mark.parametrize("kind", [SubmitError, CommitStatusError])
def test_outcome_that_nobody_knows_carries_the_id_to_look_up(kind: type[GatewayError]) -> None:
    found = outcome_of(kind("the answer was lost", outcome=Outcome.UNKNOWN, transaction=ID))

    assert isinstance(found, Unknown)
    assert found.transaction == ID
    assert found.sentence == "the answer was lost"


@pytest.mark.parametrize(
    "error",
    [
        EndorseError("no peer", code=grpc.StatusCode.UNAVAILABLE, repeatable=True),
        EndorseError("access denied", outcome=Outcome.FORBIDDEN),
        SubmitError("no orderer", repeatable=True),
        SubmitError("not permitted", outcome=Outcome.FORBIDDEN),
        TamperedEndorsement("another transaction came back"),
        EvaluateError("no answer"),
        StreamError("refused"),
        ClockSkew(own_seconds=120.0, peer_seconds=0.0, window_s=60.0),
    ],
    ids=lambda error: f"{type(error).__name__}-{error.outcome.name}",
)
def test_all_else_is_invalid_and_says_which_step_it_was(error: GatewayError) -> None:
    found = outcome_of(error)

    assert isinstance(found, Invalid)
    assert str(found).startswith(f"{error.step}: {error.message}")
