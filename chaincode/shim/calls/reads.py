"""Single rows and lists of rows by key, public and private, and their hashes."""

from __future__ import annotations

from collections.abc import Sequence

from fabric_protos.peer import chaincode_shim_pb2 as shim_pb2
from google.protobuf.message import DecodeError

from chaincode.shim.calls.composite import check_key, check_keys
from chaincode.shim.calls.conversation import Conversation, Kind
from chaincode.shim.faults import PeerError


def read(conversation: Conversation, collection: str, key: str) -> bytes | None:
    """The committed value of a key; None if the key has no value."""
    check_key(key)
    request = shim_pb2.GetState(key=key, collection=collection).SerializeToString()
    return conversation.ask(Kind.GET_STATE, request) or None


def read_hash(conversation: Conversation, collection: str, key: str) -> bytes | None:
    """The SHA-256 of the committed private value of a key; None if the key has no value."""
    check_key(key)
    request = shim_pb2.GetState(key=key, collection=collection).SerializeToString()
    return conversation.ask(Kind.GET_PRIVATE_DATA_HASH, request) or None


def read_many(
    conversation: Conversation, collection: str, keys: Sequence[str]
) -> list[bytes | None]:
    """The committed values of keys, in the order given, in as few messages as the peer allows."""
    keys_max = conversation.batches.keys_max
    if keys_max <= 1:
        return [read(conversation, collection, key) for key in keys]
    check_keys(keys)
    found: list[bytes | None] = []
    for at in range(0, len(keys), keys_max):
        part = keys[at : at + keys_max]
        request = shim_pb2.GetStateMultiple(keys=part, collection=collection).SerializeToString()
        reply = conversation.ask(Kind.GET_STATE_MULTIPLE, request)
        try:
            values = shim_pb2.GetStateMultipleResult.FromString(reply).values
        except DecodeError as fault:
            raise unreadable(conversation, Kind.GET_STATE_MULTIPLE) from fault
        if len(values) != len(part):
            raise unreadable(conversation, Kind.GET_STATE_MULTIPLE)
        found.extend(value or None for value in values)
    return found


def read_policy(
    conversation: Conversation, collection: str, key: str, metakey: str
) -> bytes | None:
    """The value of one piece of a key's metadata; None if that piece is missing."""
    check_key(key)
    request = shim_pb2.GetStateMetadata(key=key, collection=collection).SerializeToString()
    reply = conversation.ask(Kind.GET_STATE_METADATA, request)
    try:
        entries = shim_pb2.StateMetadataResult.FromString(reply).entries
    except DecodeError as fault:
        raise unreadable(conversation, Kind.GET_STATE_METADATA) from fault
    return next((entry.value for entry in entries if entry.metakey == metakey), None) or None


def unreadable(conversation: Conversation, kind: Kind.ValueType) -> PeerError:
    """The failure of a transaction whose peer gave a reply that cannot be read."""
    failure = PeerError(Kind.Name(kind), "its reply cannot be read")
    conversation.fail(failure)
    return failure
