"""Running the handler once and building the answer to the peer.

The peer always gets an answer: the handler's bytes, the contract's rejection, or a status of 500 or
more with a sentence that contains no value. Writes and the event are sent only in the first case.
"""

from __future__ import annotations

import logging
import traceback
from typing import cast

from fabric_protos.peer import chaincode_event_pb2, chaincode_shim_pb2, proposal_response_pb2

from chaincode.shim.calls.conversation import Conversation, Kind, Message
from chaincode.shim.calls.invocation import ChaincodeEvent, Handler, Invocation
from chaincode.shim.calls.proposal import read_proposal
from chaincode.shim.faults import FAILED, OK, MessageTooLarge, PeerError, Rejected, ShimFault
from identity.verification import Verification

logger = logging.getLogger("chaincode.shim")


def simulate(
    message: chaincode_shim_pb2.ChaincodeMessage,
    conversation: Conversation,
    handler: Handler,
    verification: Verification,
) -> bytes:
    """Run the handler on a TRANSACTION or INIT and return the message that answers it.

    Raises what the handler raises, and the conversation's failure even if the handler swallowed it.
    """
    conversation.begin()
    try:
        if conversation.failure is not None:
            raise conversation.failure
        invocation = Invocation(
            conversation,
            read_proposal(message),
            verification,
            is_init=message.type == Kind.INIT,
        )
        result = cast("object", handler(invocation))
        if conversation.failure is not None:
            raise conversation.failure
        if not isinstance(result, bytes):
            raise TypeError("a handler returns bytes")
        event = invocation.event
        answer = completed(
            conversation, OK, payload=result, event=event, chaincode=invocation.chaincode
        )
        conversation.check_size(answer)
        invocation.writes.send(conversation)
        return answer
    finally:
        conversation.end()


def completed(
    conversation: Conversation,
    status: int,
    message: str = "",
    *,
    payload: bytes = b"",
    event: ChaincodeEvent | None = None,
    chaincode: str = "",
) -> bytes:
    """The COMPLETED message that answers a transaction."""
    response = proposal_response_pb2.Response(status=status, message=message, payload=payload)
    answer = Message(
        type=Kind.COMPLETED,
        payload=response.SerializeToString(),
        txid=conversation.transaction,
        channel_id=conversation.channel,
    )
    if event is not None:
        answer.chaincode_event.CopyFrom(
            chaincode_event_pb2.ChaincodeEvent(
                chaincode_id=chaincode,
                tx_id=conversation.transaction,
                event_name=event.name,
                payload=event.payload,
            )
        )
    return answer.SerializeToString()


def failed(conversation: Conversation, fault: BaseException) -> bytes:
    """The answer for a handler that raised: its rejection, or 500 and the kind of logged fault."""
    if isinstance(fault, Rejected):
        answer = completed(conversation, fault.status, fault.message)
        if len(answer) <= conversation.limits.message_bytes_max:
            return answer
        fault = MessageTooLarge(len(answer), conversation.limits.message_bytes_max)
    logger.error(
        "transaction %s of channel %s failed:\n%s",
        conversation.transaction,
        conversation.channel,
        trace_without_values(fault),
    )
    return completed(conversation, FAILED, f"The transaction failed: {_kind_of(fault)}.")


def trace_without_values(fault: BaseException) -> str:
    """The kinds and the lines of code of a fault and its causes, without their messages.

    Messages of exceptions often contain the key or value that caused them.
    """
    parts: list[str] = []
    seen: set[int] = set()
    link: BaseException | None = fault
    while link is not None and id(link) not in seen:
        seen.add(id(link))
        parts.append("".join(traceback.format_tb(link.__traceback__)) + _kind_of(link))
        link = link.__cause__ or (None if link.__suppress_context__ else link.__context__)
    return "\ncaused by:\n".join(parts)


def _kind_of(fault: BaseException) -> str:
    if isinstance(fault, PeerError):
        return f"PeerError at {fault.request}"
    if isinstance(fault, ShimFault):
        return f"{type(fault).__name__}, {fault}"
    return type(fault).__name__
