"""The contract as chaincode: calls the contract for a peer and writes its effects back.

The shim implements the peer's protocol without knowing the contract, and the contract uses
`Context` without knowing peers; this module connects the two. A call's arguments are the
transaction's name, its arguments as JSON and, for an evaluation, `read`.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Literal

import msgspec

from chaincode.context import Caller, Context, Effects, Event
from chaincode.errors import Refused
from chaincode.shim.calls.invocation import Handler, Invocation
from chaincode.shim.faults import Rejected
from identity.canonical import encode
from identity.keys import SignatureCheck
from ledger_network.port import RunnableContract

READ = b"read"
ROWS, ABOUT = "rows", "about"
"""Calls that this service answers itself: `ROWS`, a page of the contract's public rows, to compare
states, and `ABOUT`, which contract the service runs.
"""
ROWS_MAX = 5_000
REFUSED_STATUS, FOREIGN_STATUS = 400, 403


class RefusalMessage(msgspec.Struct, frozen=True):
    """A refusal of the contract, encoded in a peer's error message."""

    code: str
    repeatable: bool
    sentence: str


class About(msgspec.Struct, frozen=True):
    """The contract that a service runs."""

    name: str
    version: str


class RowsArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Arguments of `ROWS`: a page holds the rows with keys from `start` on."""

    start: str


class Rows(msgspec.Struct, frozen=True, array_like=True):
    """A page of rows in key order, and the first key of the next page, empty at the end."""

    rows: list[tuple[str, bytes]]
    following: str


_refusal_encoder = msgspec.json.Encoder()
_rows_encoder = msgspec.msgpack.Encoder()


class PeerStateView:
    """The `StateView` of one transaction, on the state that its peer has committed."""

    def __init__(self, invocation: Invocation) -> None:
        self._invocation = invocation

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        """Committed values in the order asked, None where absent."""
        return self._invocation.get_many(keys)

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        """Committed rows with start <= key < end, read lazily."""
        yield from self._invocation.range(start, end)

    def private_get_many(self, collection: str, keys: Sequence[str]) -> list[bytes | None]:
        """Committed private values, None where absent or purged."""
        return self._invocation.private(collection).get_many(keys)

    def private_hashes(self, collection: str, keys: Sequence[str]) -> list[bytes | None]:
        """SHA-256 of committed private values."""
        return self._invocation.private(collection).hashes(keys)

    def verify_many(self, checks: Sequence[SignatureCheck]) -> list[bool]:
        """Return whether each signature is valid."""
        return self._invocation.verify_many(checks)


def contract_handler(contract: RunnableContract) -> Handler:
    """Return the handler that the shim calls for each transaction of `contract`."""

    def handle(invocation: Invocation) -> bytes:
        name, arguments, is_read = _called(invocation)
        if name == ROWS:
            return _rows(invocation, arguments)
        if name == ABOUT:
            return msgspec.json.encode(About(contract.name, contract.version))
        try:
            context = Context(
                PeerStateView(invocation),
                channel=invocation.channel,
                contract=invocation.chaincode,
                caller=_caller(invocation),
                transaction=name if is_read else invocation.id,
                time_s=invocation.timestamp_s,
                transient=invocation.transient,
                arguments_bytes=len(arguments),
                writes=contract.is_write(name) and not is_read,
            )
            result = contract.invoke(context, name, arguments)
        except Refused as refused:
            told = RefusalMessage(refused.code, refused.repeatable, refused.sentence)
            raise Rejected(_refusal_encoder.encode(told).decode(), REFUSED_STATUS) from refused
        _write(invocation, name, context.effects())
        return result

    return handle


def refused_of(message: str) -> Refused | None:
    """Return the refusal in a peer's error message, or None if the contract did not refuse."""
    try:
        told = msgspec.json.decode(message, type=RefusalMessage)
    except msgspec.DecodeError:
        return None
    return Refused(told.code, told.sentence, repeatable=told.repeatable)


def _called(invocation: Invocation) -> tuple[str, bytes, bool]:
    """Return name and arguments of a call, and whether the call may only read."""
    match list(invocation.arguments):
        case [name, arguments]:
            return name.decode("utf-8", "replace"), arguments, False
        case [name, arguments, mode] if mode == READ:
            return name.decode("utf-8", "replace"), arguments, True
        case _:
            raise Rejected("call it with a transaction's name, its arguments and perhaps 'read'")


def _caller(invocation: Invocation) -> Caller:
    """The submitter. Certificates of peers and orderers cannot submit."""
    creator = invocation.creator
    role: Literal["admin", "client"]
    if "admin" in creator.units:
        role = "admin"
    elif "client" in creator.units:
        role = "client"
    else:
        units = ", ".join(creator.units) or "none"
        raise Rejected(
            f"a certificate of {creator.msp_id} with the units {units} cannot submit: "
            "use the certificate of an admin or a client",
            FOREIGN_STATUS,
        )
    return Caller(creator.msp_id, role, sha256(creator.certificate).hexdigest())


def _write(invocation: Invocation, name: str, effects: Effects) -> None:
    for key, value in effects.writes.items():
        if value is None:
            invocation.delete(key)
        else:
            invocation.put(key, value)
    for place, value in effects.private.items():
        collection = invocation.private(place.collection)
        if value is None:
            collection.delete(place.key)
        else:
            collection.put(place.key, value)
    for place in effects.purged:
        invocation.private(place.collection).purge(place.key)
    if effects.events:
        invocation.emit(name, encode_events(effects.events))


def encode_events(events: Sequence[Event]) -> bytes:
    """Encode the contract's events as the single event of a Fabric transaction."""
    return encode(list(events))


def decode_events(payload: bytes) -> list[Event]:
    """The contract's events in the payload of a Fabric event."""
    return msgspec.json.decode(payload, type=list[Event])


def _rows(invocation: Invocation, arguments: bytes) -> bytes:
    start = msgspec.json.decode(arguments, type=RowsArguments).start
    page = invocation.page(start, "", rows_max=ROWS_MAX)
    rows = [(row.key, row.value) for row in page.rows]
    following = rows[-1][0] + "\0" if len(rows) == ROWS_MAX else ""
    return _rows_encoder.encode(Rows(rows, following))
