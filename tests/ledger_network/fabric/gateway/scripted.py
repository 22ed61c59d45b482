"""A peer that plays Gateway and Deliver over TLS and misbehaves on demand.

A real peer cannot be told to lose its connection between the order and its answer, to hand back
another transaction, or to give a certain refusal. This one keeps a chain (shared by the peers of
a channel), checks every signature that it gets, and before each call asks its script what to do.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections import deque
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from fabric_protos.common import common_pb2, ledger_pb2
from fabric_protos.gateway import gateway_pb2
from fabric_protos.ledger.rwset import rwset_pb2
from fabric_protos.ledger.rwset.kvrwset import kv_rwset_pb2
from fabric_protos.msp import identities_pb2
from fabric_protos.orderer import ab_pb2
from fabric_protos.peer import (
    chaincode_event_pb2,
    chaincode_pb2,
    events_pb2,
    proposal_pb2,
    proposal_response_pb2,
    transaction_pb2,
)
from google.protobuf import any_pb2

from ledger_network.fabric.gateway.block import header_hash
from ledger_network.fabric.gateway.endpoint import Endpoint
from ledger_network.fabric.gateway.signing import P256_ORDER
from tests.ledger_network.fabric.gateway.papers import Papers, tls_papers

Context = grpc.aio.ServicerContext[Any, Any]
Act = Callable[["ScriptedPeer", Any, Context], Awaitable[Any]]


class BadSignature(AssertionError):
    """The client signed something else, in a form that Fabric refuses, or not at all."""


def check(creator: bytes, message: bytes, signature: bytes) -> str:
    """The MSP id of `creator`, whose signature under `message` holds and is low-S."""
    identity = identities_pb2.SerializedIdentity.FromString(creator)
    public = x509.load_pem_x509_certificate(identity.id_bytes).public_key()
    assert isinstance(public, ec.EllipticCurvePublicKey)
    public.verify(signature, message, ec.ECDSA(SHA256()))
    if decode_dss_signature(signature)[1] > P256_ORDER // 2:
        raise BadSignature("high S")
    return identity.mspid


@dataclass
class Chain:
    """The blocks of a channel, and who waits for the next."""

    blocks: list[common_pb2.Block] = field(default_factory=list[common_pb2.Block])
    grown: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def commit(self, *entries: bytes, codes: Sequence[int] = ()) -> None:
        """Add a block of transactions."""
        previous = b""
        if self.blocks:
            last = self.blocks[-1].header
            previous = header_hash(last.number, last.previous_hash, last.data_hash)
        block = common_pb2.Block()
        block.header.number = len(self.blocks)
        block.header.previous_hash = previous
        block.header.data_hash = hashlib.sha256(b"".join(entries)).digest()
        block.data.data.extend(entries)
        filter_ = bytes(codes) or bytes(len(entries))
        block.metadata.metadata.extend([b"", b"", filter_, b"", b""])
        async with self.grown:
            self.blocks.append(block)
            self.grown.notify_all()

    async def wait_for(self, number: int) -> common_pb2.Block:
        """Block `number`, as soon as there is one."""
        async with self.grown:
            await self.grown.wait_for(lambda: len(self.blocks) > number)
        return self.blocks[number]

    def find(self, transaction: str) -> tuple[int, int] | None:
        """Block and code of a transaction."""
        for block in self.blocks:
            for place, entry in enumerate(block.data.data):
                if channel_header(entry).tx_id == transaction:
                    return block.header.number, block.metadata.metadata[2][place]
        return None


def channel_header(entry: bytes) -> common_pb2.ChannelHeader:
    payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(entry).payload)
    return common_pb2.ChannelHeader.FromString(payload.header.channel_header)


class ScriptedPeer:
    """A peer of `msp_id` over `chain`; `script[method]` holds what to do at its next calls."""

    def __init__(self, msp_id: str, chain: Chain) -> None:
        self.msp_id = msp_id
        self.chain = chain
        self.script: dict[str, deque[Act]] = {}
        self.calls: list[tuple[str, Any]] = []
        self._asked = asyncio.Condition()
        self.creators: list[bytes] = []
        self.endorsers = ("NorthMSP", "SouthMSP")
        self.judge = transaction_pb2.VALID
        self.papers: Papers = tls_papers()
        self.client_roots: bytes | None = None
        self.port = 0
        self.status_once: common_pb2.Status.ValueType | None = None
        self._server: grpc.aio.Server | None = None

    def at_next(self, method: str, *acts: Act) -> None:
        """Do `acts` at the next calls of `method`, one each."""
        self.script.setdefault(method, deque()).extend(acts)

    def asked(self, method: str) -> int:
        return sum(1 for name, _ in self.calls if name == method)

    async def was_asked(self, method: str) -> None:
        """Wait until somebody calls `method`."""
        async with self._asked:
            await self._asked.wait_for(lambda: self.asked(method) > 0)

    async def _note(self, method: str, request: Any) -> None:
        async with self._asked:
            self.calls.append((method, request))
            self._asked.notify_all()

    @property
    def endpoint(self) -> Endpoint:
        return Endpoint(f"127.0.0.1:{self.port}", self.msp_id, self.papers.certificate)

    async def start(self) -> None:
        server = grpc.aio.server(
            options=[
                ("grpc.max_receive_message_length", 100 << 20),
                ("grpc.max_metadata_size", 16 << 20),
                ("grpc.absolute_max_metadata_size", 16 << 20),
                ("grpc.so_reuseport", 0),
            ]
        )
        gateway = {
            "Evaluate": (self._evaluate, gateway_pb2.EvaluateRequest),
            "Endorse": (self._endorse, gateway_pb2.EndorseRequest),
            "Submit": (self._submit, gateway_pb2.SubmitRequest),
            "CommitStatus": (self._status, gateway_pb2.SignedCommitStatusRequest),
        }
        handlers: dict[str, grpc.RpcMethodHandler[Any, Any]] = {
            name: grpc.unary_unary_rpc_method_handler(
                self._scripted(name, act),
                request_deserializer=request.FromString,
                response_serializer=lambda answer: answer.SerializeToString(),
            )
            for name, (act, request) in gateway.items()
        }
        handlers["ChaincodeEvents"] = grpc.unary_stream_rpc_method_handler(
            self._events,
            request_deserializer=gateway_pb2.SignedChaincodeEventsRequest.FromString,
            response_serializer=gateway_pb2.ChaincodeEventsResponse.SerializeToString,
        )
        deliver = {
            name: grpc.stream_stream_rpc_method_handler(
                act,
                request_deserializer=common_pb2.Envelope.FromString,
                response_serializer=events_pb2.DeliverResponse.SerializeToString,
            )
            for name, act in (("Deliver", self._deliver), ("DeliverFiltered", self._filtered))
        }
        server.add_generic_rpc_handlers(
            (
                grpc.method_handlers_generic_handler("gateway.Gateway", handlers),
                grpc.method_handlers_generic_handler("protos.Deliver", deliver),
            )
        )
        credentials = grpc.ssl_server_credentials(
            [(self.papers.key, self.papers.certificate)],
            root_certificates=self.client_roots,
            require_client_auth=self.client_roots is not None,
        )
        self.port = server.add_secure_port(f"127.0.0.1:{self.port}", credentials)
        await server.start()
        self._server = server

    async def stop(self, *, grace_s: float | None = None) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.stop(grace_s)

    def _scripted(self, name: str, act: Callable[[Any, Context], Awaitable[Any]]) -> Any:
        async def handle(request: Any, context: Context) -> Any:
            await self._note(name, request)
            waiting = self.script.get(name)
            if waiting:
                answer = await waiting.popleft()(self, request, context)
                if answer is not None:
                    return answer
            return await act(request, context)

        return handle

    def opened(self, proposed: proposal_pb2.SignedProposal) -> Opened:
        proposal = proposal_pb2.Proposal.FromString(proposed.proposal_bytes)
        header = common_pb2.Header.FromString(proposal.header)
        signed_by = common_pb2.SignatureHeader.FromString(header.signature_header)
        check(signed_by.creator, proposed.proposal_bytes, proposed.signature)
        self.creators.append(signed_by.creator)
        channel = common_pb2.ChannelHeader.FromString(header.channel_header)
        named = hashlib.sha256(signed_by.nonce + signed_by.creator).hexdigest()
        assert channel.tx_id == named
        assert len(signed_by.nonce) == 24
        payload = proposal_pb2.ChaincodeProposalPayload.FromString(proposal.payload)
        spec = chaincode_pb2.ChaincodeInvocationSpec.FromString(payload.input).chaincode_spec
        return Opened(header, channel, payload, spec, dict(payload.TransientMap))

    async def _evaluate(self, request: Any, context: Context) -> gateway_pb2.EvaluateResponse:
        opened = self.opened(request.proposed_transaction)
        name = opened.spec.chaincode_id.name
        arguments = list(opened.spec.input.args)
        if name == "qscc":
            return await self._chain_answer(arguments, context)
        return _answer(b"|".join([name.encode(), *arguments, *opened.transient.values()]))

    async def _chain_answer(
        self, arguments: list[bytes], context: Context
    ) -> gateway_pb2.EvaluateResponse:
        """What the system chaincode `qscc` says."""
        blocks = self.chain.blocks
        question, about = arguments[0], arguments[2:]
        if question == b"GetChainInfo":
            return _answer(ledger_pb2.BlockchainInfo(height=len(blocks)).SerializeToString())
        if question == b"GetBlockByNumber":
            found = (int(about[0]), 0) if int(about[0]) < len(blocks) else None
        else:
            found = self.chain.find(about[0].decode())
        if found is None:
            detail = (self.msp_id, "chaincode response 500, no such thing in index")
            await refuse(grpc.StatusCode.UNKNOWN, "evaluate call failed", detail)(
                self, arguments, context
            )
        assert found is not None
        block = blocks[found[0]]
        if question != b"GetTransactionByID":
            return _answer(block.SerializeToString())
        (envelope,) = (
            entry for entry in block.data.data if channel_header(entry).tx_id == about[0].decode()
        )
        processed = transaction_pb2.ProcessedTransaction(validationCode=found[1])
        processed.transactionEnvelope.ParseFromString(envelope)
        return _answer(processed.SerializeToString())

    async def _endorse(self, request: Any, _context: Context) -> gateway_pb2.EndorseResponse:
        opened = self.opened(request.proposed_transaction)
        orgs = list(request.endorsing_organizations) or list(self.endorsers)
        return gateway_pb2.EndorseResponse(prepared_transaction=opened.prepared(orgs))

    async def _submit(self, request: Any, _context: Context) -> gateway_pb2.SubmitResponse:
        envelope = request.prepared_transaction
        payload = common_pb2.Payload.FromString(envelope.payload)
        signed_by = common_pb2.SignatureHeader.FromString(payload.header.signature_header)
        check(signed_by.creator, envelope.payload, envelope.signature)
        await self.chain.commit(envelope.SerializeToString(), codes=[self.judge])
        return gateway_pb2.SubmitResponse()

    async def _status(self, request: Any, _context: Context) -> gateway_pb2.CommitStatusResponse:
        asked = gateway_pb2.CommitStatusRequest.FromString(request.request)
        check(asked.identity, request.request, request.signature)
        chain = self.chain
        async with chain.grown:
            await chain.grown.wait_for(lambda: chain.find(asked.transaction_id) is not None)
        found = chain.find(asked.transaction_id)
        assert found is not None
        return gateway_pb2.CommitStatusResponse(result=judged(found[1]), block_number=found[0])

    async def _events(
        self, request: Any, context: Context
    ) -> AsyncIterator[gateway_pb2.ChaincodeEventsResponse]:
        await self._note("ChaincodeEvents", request)
        wish = gateway_pb2.ChaincodeEventsRequest.FromString(request.request)
        check(wish.identity, request.request, request.signature)
        number = wish.start_position.specified.number
        while True:
            await self._stream_act("ChaincodeEvents", number, context)
            block = await self.chain.wait_for(number)
            events = [
                event
                for entry, code in zip(block.data.data, block.metadata.metadata[2], strict=True)
                if code == transaction_pb2.VALID and (event := event_of(entry)) is not None
            ]
            if events:
                yield gateway_pb2.ChaincodeEventsResponse(block_number=number, events=events)
            number += 1

    async def _stream_act(self, name: str, number: int, context: Context) -> None:
        waiting = self.script.get(name)
        if waiting:
            await waiting.popleft()(self, number, context)

    async def _deliver(
        self, requests: AsyncIterator[common_pb2.Envelope], context: Context
    ) -> AsyncIterator[events_pb2.DeliverResponse]:
        async for number, block in self._wanted("Deliver", requests, context):
            del number
            yield block

    async def _filtered(
        self, requests: AsyncIterator[common_pb2.Envelope], context: Context
    ) -> AsyncIterator[events_pb2.DeliverResponse]:
        async for number, answer in self._wanted("DeliverFiltered", requests, context):
            found = events_pb2.FilteredBlock(channel_id="market", number=number)
            codes = answer.block.metadata.metadata[2] if answer.HasField("block") else b""
            for entry, code in zip(answer.block.data.data, codes, strict=True):
                found.filtered_transactions.add(
                    txid=channel_header(entry).tx_id,
                    type=common_pb2.ENDORSER_TRANSACTION,
                    tx_validation_code=judged(code),
                )
            yield events_pb2.DeliverResponse(filtered_block=found)

    async def _wanted(
        self, name: str, requests: AsyncIterator[common_pb2.Envelope], context: Context
    ) -> AsyncIterator[tuple[int, events_pb2.DeliverResponse]]:
        envelope = await anext(aiter(requests))
        await self._note(name, envelope)
        payload = common_pb2.Payload.FromString(envelope.payload)
        signed_by = common_pb2.SignatureHeader.FromString(payload.header.signature_header)
        check(signed_by.creator, envelope.payload, envelope.signature)
        number = ab_pb2.SeekInfo.FromString(payload.data).start.specified.number
        status, self.status_once = self.status_once, None
        if status is not None:
            yield number, events_pb2.DeliverResponse(status=status)
            return
        while True:
            await self._stream_act(name, number, context)
            block = await self.chain.wait_for(number)
            yield number, events_pb2.DeliverResponse(block=block)
            number += 1


@dataclass
class Opened:
    header: common_pb2.Header
    channel: common_pb2.ChannelHeader
    payload: proposal_pb2.ChaincodeProposalPayload
    spec: chaincode_pb2.ChaincodeSpec
    transient: dict[str, bytes]

    def prepared(
        self, endorsers: Sequence[str], *, value: bytes = b"v", private_block: int | None = None
    ) -> common_pb2.Envelope:
        """The transaction that peers of `endorsers` would sign; it writes `value`.

        With `private_block` it reads a private value of that block.
        """
        arguments = list(self.spec.input.args)
        writes = kv_rwset_pb2.KVRWSet()
        writes.writes.add(key="k", value=value)
        results = rwset_pb2.TxReadWriteSet()
        space = results.ns_rwset.add(namespace="market", rwset=writes.SerializeToString())
        if private_block is not None:
            version = kv_rwset_pb2.Version(block_num=private_block)
            hashed = kv_rwset_pb2.HashedRWSet()
            hashed.hashed_reads.add(key_hash=b"k", version=version)
            space.collection_hashed_rwset.add(
                collection_name="readings", hashed_rwset=hashed.SerializeToString()
            )
        event = chaincode_event_pb2.ChaincodeEvent()
        if arguments[0] == b"event":
            event.chaincode_id, event.tx_id = self.spec.chaincode_id.name, self.channel.tx_id
            event.event_name, event.payload = "happened", arguments[1]
        action = proposal_pb2.ChaincodeAction(
            results=results.SerializeToString(),
            events=event.SerializeToString(),
            response=proposal_response_pb2.Response(status=200, payload=b"|".join(arguments)),
        )
        response = proposal_response_pb2.ProposalResponsePayload(
            extension=action.SerializeToString()
        )
        acted = transaction_pb2.ChaincodeActionPayload(
            chaincode_proposal_payload=proposal_pb2.ChaincodeProposalPayload(
                input=self.payload.input
            ).SerializeToString()
        )
        acted.action.proposal_response_payload = response.SerializeToString()
        for one in endorsers:
            who = identities_pb2.SerializedIdentity(mspid=one, id_bytes=b"peer")
            acted.action.endorsements.add(endorser=who.SerializeToString(), signature=b"s")
        transaction = transaction_pb2.Transaction()
        transaction.actions.add(
            header=self.header.signature_header, payload=acted.SerializeToString()
        )
        payload = common_pb2.Payload(header=self.header, data=transaction.SerializeToString())
        return common_pb2.Envelope(payload=payload.SerializeToString())


def _answer(result: bytes) -> gateway_pb2.EvaluateResponse:
    return gateway_pb2.EvaluateResponse(
        result=proposal_response_pb2.Response(status=200, payload=result)
    )


def event_of(entry: bytes) -> chaincode_event_pb2.ChaincodeEvent | None:
    payload = common_pb2.Payload.FromString(common_pb2.Envelope.FromString(entry).payload)
    transaction = transaction_pb2.Transaction.FromString(payload.data)
    acted = transaction_pb2.ChaincodeActionPayload.FromString(transaction.actions[0].payload)
    response = proposal_response_pb2.ProposalResponsePayload.FromString(
        acted.action.proposal_response_payload
    )
    events = proposal_pb2.ChaincodeAction.FromString(response.extension).events
    return chaincode_event_pb2.ChaincodeEvent.FromString(events) if events else None


def judged(code: int) -> transaction_pb2.TxValidationCode.ValueType:
    name = transaction_pb2.TxValidationCode.DESCRIPTOR.values_by_number[code].name
    return transaction_pb2.TxValidationCode.Value(name)


def status_details(
    code: grpc.StatusCode, message: str, details: Sequence[tuple[str, str]]
) -> bytes:
    """A serialised `google.rpc.Status` with the gateway's details, as Fabric sends it."""
    number = code.value[0]
    status = bytes((0x08, number)) + _field(2, message.encode())
    for msp_id, words in details:
        detail = gateway_pb2.ErrorDetail(address=f"{msp_id}:7051", msp_id=msp_id, message=words)
        packed = any_pb2.Any()
        packed.Pack(detail)
        status += _field(3, packed.SerializeToString())
    return status


def _field(number: int, body: bytes) -> bytes:
    size, digits = len(body), bytearray()
    while size >= 0x80:
        digits.append(size & 0x7F | 0x80)
        size >>= 7
    return bytes((number << 3 | 2,)) + bytes(digits) + bytes((size,)) + body


def refuse(code: grpc.StatusCode, message: str, *details: tuple[str, str]) -> Act:
    """Answer with a status; each detail is an MSP id and its words."""

    async def act(_peer: ScriptedPeer, _request: Any, context: Context) -> None:
        trailer = (("grpc-status-details-bin", status_details(code, message, details)),)
        await context.abort(code, message, trailer if details else ())

    return act


def wait_for(event: asyncio.Event) -> Act:
    """Go on when `event` is set."""

    async def act(_peer: ScriptedPeer, _request: Any, _context: Context) -> None:
        await event.wait()

    return act


async def vanish(peer: ScriptedPeer, _request: Any, _context: Context) -> None:
    """Die before anything is done."""
    await _die(peer)


async def order_and_vanish(peer: ScriptedPeer, request: Any, _context: Context) -> None:
    """Have the transaction ordered and die before the client hears so."""
    envelope = request.prepared_transaction
    await peer.chain.commit(envelope.SerializeToString(), codes=[peer.judge])
    await _die(peer)


async def _die(peer: ScriptedPeer) -> None:
    stopping = asyncio.create_task(peer.stop())
    await stopping


async def carry_on(_peer: ScriptedPeer, _request: Any, _context: Context) -> None:
    """Behave well."""
