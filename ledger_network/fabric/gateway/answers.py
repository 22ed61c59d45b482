"""Interprets the refusals of gRPC, the Gateway service, peers and orderers.

The wordings are those of Fabric 3.1.1 (internal/pkg/gateway, core/endorser, core/handlers/auth,
orderer/common/broadcast, internal/peer/node/grpc_limiters.go); each wording is here once.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import grpc
import grpc.aio
from fabric_protos.gateway import gateway_pb2
from google.protobuf.message import DecodeError

from ledger_network.fabric.gateway.errors import (
    MISMATCH,
    ClockSkew,
    Detail,
    Disagreement,
    EndorseError,
    EvaluateError,
    GatewayError,
    Outcome,
    SubmitError,
)

ALREADY_PROCESSED = "request already processed"
NO_ORDERERS = "no orderer nodes available"
BUSY = "exceeding concurrency limit"

_DETAILS = "grpc-status-details-bin"
_DETAIL_TYPE = gateway_pb2.ErrorDetail.DESCRIPTOR.full_name
_CHAINCODE = re.compile(r"chaincode response (\d+), (.*)", re.DOTALL)
_EVALUATED = "evaluate call to endorser returned error: "
_SKEW = re.compile(
    r"incorrect timestamp (\S+), peer time (\S+), peer\.authentication\.timewindow (\S+)"
)
_GO_DURATION = re.compile(r"(?:(\d+)h)?(?:(\d+)m)?(?:([\d.]+)s)?")
_NOT_PERMITTED = (
    "access denied",
    "failed evaluating policy",
    "signature set did not satisfy policy",
    "creator certificate is not valid",
    "client identity expired",
)
_ORDERER_SAID = re.compile(r"received unsuccessful response from orderer: status=(\w+), info=")
_CLIENTS_FAULT = {"BAD_REQUEST", "FORBIDDEN", "NOT_FOUND", "REQUEST_ENTITY_TOO_LARGE"}
_NEVER_REPEATED = {
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.UNIMPLEMENTED,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
}
_ELSEWHERE = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.CANCELLED,
    grpc.StatusCode.INTERNAL,
}


@dataclass(frozen=True, slots=True)
class Failure:
    """A failed request: status, sentence, what single nodes said, and which endpoint was asked."""

    code: grpc.StatusCode
    message: str
    details: tuple[Detail, ...]
    endpoint: str

    def says(self, *texts: str) -> bool:
        """Return whether the sentence or a detail holds one of `texts`."""
        said = (self.message, *(one.message for one in self.details))
        return any(text in words for words in said for text in texts)

    @property
    def busy(self) -> bool:
        """Return whether the peer turned the request away before reading it."""
        # With details the sentence may quote a contract, which is not a statement of a peer.
        said = not self.details and BUSY in self.message
        return said or self.code is grpc.StatusCode.RESOURCE_EXHAUSTED

    @property
    def elsewhere(self) -> bool:
        """Return whether another peer's gateway may answer what this one could not.

        Another peer may answer if this one is unavailable, busy, or knows too little of the
        network, but not if the chaincode or a check has answered, which the details show.
        """
        return self.busy or (self.code in _ELSEWHERE and not self.details)


def failure_of(error: grpc.aio.AioRpcError, endpoint: str) -> Failure:
    """Return what `error` says, with the details that Fabric puts in the trailer."""
    details: list[Detail] = []
    for key, value in error.trailing_metadata() or ():
        if key == _DETAILS:
            details.extend(_details(value if isinstance(value, bytes) else value.encode()))
    return Failure(error.code(), error.details() or "", tuple(details), endpoint)


def chaincode_answer(failure: Failure) -> tuple[int, str] | None:
    """Return status and exact message of the chaincode if the chaincode refused, else None."""
    said = [one.message for one in failure.details]
    said.append(failure.message.removeprefix(_EVALUATED))
    for words in said:
        if match := _CHAINCODE.match(words):
            return int(match[1]), match[2]
    return None


def skew_of(failure: Failure, transaction: str = "") -> ClockSkew | None:
    """Return the error of clocks too far apart if that is why a peer refused, else None."""
    for words in (one.message for one in failure.details):
        # A contract's message may contain these words too.
        if not _CHAINCODE.match(words) and (match := _SKEW.search(words)):
            own, peer = (datetime.fromisoformat(text.rstrip(",")) for text in match.groups()[:2])
            return ClockSkew(
                own_seconds=own.timestamp(),
                peer_seconds=peer.timestamp(),
                window_s=_seconds(match[3]),
                code=failure.code,
                details=failure.details,
                transaction=transaction,
                endpoint=failure.endpoint,
            )
    return None


def evaluate_error(failure: Failure, transaction: str) -> GatewayError:
    """The error of a query that failed."""
    return skew_of(failure, transaction) or _refusal(EvaluateError, failure, transaction)


def endorse_error(failure: Failure, transaction: str) -> GatewayError:
    """The error of a proposal that was not endorsed."""
    if skew := skew_of(failure, transaction):
        return skew
    if any(one.message == MISMATCH for one in failure.details):
        return Disagreement(
            failure.message,
            code=failure.code,
            details=failure.details,
            transaction=transaction,
            endpoint=failure.endpoint,
            repeatable=True,
        )
    return _refusal(EndorseError, failure, transaction)


def _refusal(
    kind: type[EvaluateError] | type[EndorseError], failure: Failure, transaction: str
) -> GatewayError:
    answer = chaincode_answer(failure)
    if answer is not None:
        outcome = Outcome.REFUSED
    elif failure.code is grpc.StatusCode.PERMISSION_DENIED or failure.says(*_NOT_PERMITTED):
        outcome = Outcome.FORBIDDEN
    else:
        outcome = Outcome.NOTHING
    status, message = answer or (None, None)
    return kind(
        failure.message,
        code=failure.code,
        details=failure.details,
        transaction=transaction,
        endpoint=failure.endpoint,
        outcome=outcome,
        repeatable=outcome is Outcome.NOTHING and failure.code not in _NEVER_REPEATED,
        chaincode_status=status,
        chaincode_message=message,
    )


def submit_error(failure: Failure, transaction: str, *, reached: bool) -> SubmitError:
    """The error of a transaction that the orderers may not have taken.

    `reached` says whether it was sent to any gateway at all. The orderers certainly did not take it
    only if the gateway never asked them, or if each orderer that it reports on rejected the
    transaction itself; an orderer that gave no answer may have it.
    """
    orderers = [_ORDERER_SAID.match(one.message) for one in failure.details]
    orderers = orderers or [_ORDERER_SAID.match(failure.message)]
    statuses = {match[1] if match else "" for match in orderers}
    if statuses <= _CLIENTS_FAULT:
        forbidden = "FORBIDDEN" in statuses
        outcome, repeatable = Outcome.FORBIDDEN if forbidden else Outcome.NOTHING, False
    elif not reached or never_sent(failure):
        outcome, repeatable = Outcome.NOTHING, failure.code not in _NEVER_REPEATED
    else:
        outcome, repeatable = Outcome.UNKNOWN, False
    return SubmitError(
        failure.message,
        code=failure.code,
        details=failure.details,
        transaction=transaction,
        endpoint=failure.endpoint,
        outcome=outcome,
        repeatable=repeatable,
    )


def never_sent(failure: Failure) -> bool:
    """Return whether a submit failed before the gateway asked any orderer."""
    return (
        failure.busy
        or failure.message == NO_ORDERERS
        or failure.code is grpc.StatusCode.FAILED_PRECONDITION
        or failure.code in _NEVER_REPEATED
    )


def _seconds(duration: str) -> float:
    """Return a duration in Go's notation as seconds."""
    match = _GO_DURATION.match(duration)
    hours, minutes, seconds = match.groups() if match else (None, None, None)
    return int(hours or 0) * 3600 + int(minutes or 0) * 60 + float(seconds or 0)


def _details(status: bytes) -> list[Detail]:
    """The gateway's details in a serialised `google.rpc.Status`: field 3, each an `Any`."""
    found: list[Detail] = []
    try:
        for number, entry in _fields(status):
            if number != 3:
                continue
            parts = dict(_fields(entry))
            kind = parts.get(1, b"").decode("utf-8", errors="replace")
            if kind.rpartition("/")[2] == _DETAIL_TYPE:
                one = gateway_pb2.ErrorDetail.FromString(parts.get(2, b""))
                found.append(Detail(one.address, one.msp_id, one.message))
    except (IndexError, DecodeError):
        return found
    return found


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """The length-delimited fields of a protobuf message; `google.rpc` has no module here.

    Raises `IndexError` where the message ends too early or holds what a `Status` cannot.
    """
    at = 0
    while at < len(message):
        tag, at = _varint(message, at)
        size, at = _varint(message, at)
        if tag & 7 == 0:
            continue
        if tag & 7 != 2 or at + size > len(message):
            raise IndexError(at)
        yield tag >> 3, message[at : at + size]
        at += size


def _varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7
