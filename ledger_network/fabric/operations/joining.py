"""Lets nodes join the channel: orderers by their administration service, peers by their endorser.

Joining twice does no harm: the answer of a node that has already joined counts as success.
"""

from __future__ import annotations

import http.client
import json
import secrets
import ssl
import time
from pathlib import Path

import grpc.aio
from fabric_protos.peer import proposal_pb2, proposal_response_pb2

from ledger_network.fabric.consortium.definition import ADMIN_PORT, Node
from ledger_network.fabric.gateway.requests import Proposal
from ledger_network.fabric.gateway.signing import Credential

JOIN_TIMEOUT_S = 30.0
CHANNELS = "/participation/v1/channels"
SYSTEM_CHANNEL = ""  # calls that concern one peer belong to no channel
OK_MAX = 400  # a peer's answer with this status or above is a refusal


class JoinFailed(Exception):
    """A node did not join, or a peer refused an administrator; the text quotes the node."""


def join_orderer(node: Node, host: str, tls: Path, genesis: bytes) -> None:
    """Let an orderer join the channel of `genesis`. Blocks.

    `tls` holds the client certificate of the orderer's administrator, its key, and the authority.
    """
    body, kind = _form("config-block", "channel.block", genesis)
    try:
        status, said = _administered(node, host, tls, CHANNELS, body=body, kind=kind)
    except (OSError, http.client.HTTPException) as error:
        raise JoinFailed(f"{node.name} at {host}:{node.port + ADMIN_PORT}: {error}") from error
    # 405 says that the channel exists, 201 that it was created.
    if status not in (http.client.CREATED, http.client.METHOD_NOT_ALLOWED):
        raise JoinFailed(f"{node.name} did not join: {status} {_reason(said)}")


def orderer_height(node: Node, host: str, tls: Path, channel: str) -> int | None:
    """Return an orderer's height of a channel, None if it has not joined the channel. Blocks.

    Raises `OSError` and `HTTPException` of the connection.
    """
    status, said = _administered(node, host, tls, f"{CHANNELS}/{channel}")
    if status != http.client.OK:
        return None
    height: object = json.loads(said).get("height")
    return height if isinstance(height, int) else None


def _administered(
    node: Node, host: str, tls: Path, path: str, *, body: bytes = b"", kind: str = ""
) -> tuple[int, bytes]:
    """Ask an orderer's administration service; return status and body. A given body is posted."""
    context = ssl.create_default_context(cafile=str(tls / "ca.crt"))
    context.load_cert_chain(tls / "client.crt", tls / "client.key")
    connection = http.client.HTTPSConnection(
        host, node.port + ADMIN_PORT, context=context, timeout=JOIN_TIMEOUT_S
    )
    try:
        if kind:
            connection.request("POST", path, body, {"Content-Type": kind})
        else:
            connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    finally:
        connection.close()


def _form(field: str, name: str, content: bytes) -> tuple[bytes, str]:
    """A form with one file in it, and its content type."""
    boundary = secrets.token_hex(16)
    head = (
        f"--{boundary}\r\n"
        f'Content-Disposition: form-data; name="{field}"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n"
    )
    body = head.encode() + content + f"\r\n--{boundary}--\r\n".encode()
    return body, f"multipart/form-data; boundary={boundary}"


def _reason(answer: bytes) -> str:
    try:
        return str(json.loads(answer).get("error", ""))
    except (ValueError, AttributeError):
        return answer[:200].decode("utf-8", "replace")


async def join_peer(channel: grpc.aio.Channel, admin: Credential, genesis: bytes) -> None:
    """Let a peer join the channel of `genesis`, as its organisation's administrator."""
    try:
        await ask_peer(channel, admin, "cscc", [b"JoinChain", genesis])
    except JoinFailed as failed:
        if "already exists" not in str(failed):
            raise


async def ask_peer(
    channel: grpc.aio.Channel, admin: Credential, chaincode: str, arguments: list[bytes]
) -> bytes:
    """Call a system chaincode of one peer directly; return its answer. Raises `JoinFailed`."""
    proposal = Proposal(
        admin,
        SYSTEM_CHANNEL,
        chaincode,
        arguments,
        transient=None,
        clock=time.time,
        entropy=secrets.token_bytes,
    ).self_signed()
    call = channel.unary_unary(
        "/protos.Endorser/ProcessProposal",
        request_serializer=proposal_pb2.SignedProposal.SerializeToString,
        response_deserializer=proposal_response_pb2.ProposalResponse.FromString,
    )
    try:
        answer = await call(proposal.proposed, timeout=JOIN_TIMEOUT_S)
    except grpc.aio.AioRpcError as error:
        raise JoinFailed(f"{chaincode}: {error.details()}") from error
    if answer.response.status >= OK_MAX:
        raise JoinFailed(f"{chaincode}: {answer.response.message}")
    return answer.response.payload
