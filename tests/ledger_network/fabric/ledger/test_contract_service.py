"""The contract behind the shim: callers, refusals, effects, and calls that are not the contract's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from types import MappingProxyType
from typing import cast

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.context import Context, Event
from chaincode.contract import Contract
from chaincode.errors import Broken, Refused
from chaincode.shim.calls.creator import Creator
from chaincode.shim.calls.invocation import Invocation
from chaincode.shim.calls.queries import RowPage, StoredRow
from chaincode.shim.faults import Rejected
from identity.keys import SignatureCheck
from ledger_network.fabric.ledger.contract_service import (
    ABOUT,
    READ,
    ROWS,
    ROWS_MAX,
    About,
    Rows,
    RowsArguments,
    contract_handler,
    decode_events,
    encode_events,
    refused_of,
)
from tests.ledger_network.embedded.notebook import Many, Notebook, Place, Put, Span

CLIENT = Creator("North", b"a certificate", ("client",), MappingProxyType({}))


@dataclass
class Private:
    """A private collection of one transaction."""

    values: dict[str, bytes]
    done: list[tuple[str, str, bytes | None]]

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self.values.get(key) for key in keys]

    def hashes(self, keys: Sequence[str]) -> list[bytes | None]:
        return [None if value is None else sha256(value).digest() for value in self.get_many(keys)]

    def put(self, key: str, value: bytes) -> None:
        self.done.append(("put", key, value))

    def delete(self, key: str) -> None:
        self.done.append(("delete", key, None))

    def purge(self, key: str) -> None:
        self.done.append(("purge", key, None))


@dataclass
class Peer:
    """What a peer lends to one transaction: committed rows; and what the transaction did."""

    arguments: Sequence[bytes]
    creator: Creator = CLIENT
    rows: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    secrets: dict[str, bytes] = field(default_factory=dict[str, bytes])
    transient: Mapping[str, bytes] = field(default_factory=dict[str, bytes])
    id: str = "ab" * 32
    channel: str = "market"
    chaincode: str = "notes"
    timestamp_s: int = 1_800_000_000
    written: dict[str, bytes | None] = field(default_factory=dict[str, bytes | None])
    done: list[tuple[str, str, bytes | None]] = field(
        default_factory=list[tuple[str, str, bytes | None]]
    )
    event: tuple[str, bytes] | None = None

    def get_many(self, keys: Sequence[str]) -> list[bytes | None]:
        return [self.rows.get(key) for key in keys]

    def range(self, start: str, end: str) -> Iterator[StoredRow]:
        for key in sorted(self.rows):
            if start <= key and (not end or key < end):
                yield StoredRow(key, self.rows[key])

    def page(self, start: str, end: str, *, rows_max: int) -> RowPage:
        found = list(self.range(start, end))
        return RowPage(found[:rows_max], "more" if len(found) > rows_max else "")

    def private(self, collection: str) -> Private:
        assert collection == "readings"
        return Private(self.secrets, self.done)

    def verify_many(self, checks: Sequence[SignatureCheck]) -> list[bool]:
        return [check.signature == b"good" for check in checks]

    def put(self, key: str, value: bytes) -> None:
        self.written[key] = value

    def delete(self, key: str) -> None:
        self.written[key] = None

    def emit(self, name: str, payload: bytes) -> None:
        self.event = (name, payload)


class Refusing(Notebook):
    """A contract that refuses everything in the words it was given."""

    def __init__(self, refused: Refused) -> None:
        self._refused = refused

    def invoke(self, context: Context, name: str, arguments: bytes) -> bytes:
        context.put("never", b"1")
        raise self._refused


def call(name: str, arguments: msgspec.Struct, *, read: bool = False) -> list[bytes]:
    return [name.encode(), msgspec.json.encode(arguments), *([READ] if read else [])]


def handled(peer: Peer, contract: Notebook | Contract | None = None) -> bytes:
    return contract_handler(contract or Notebook())(cast("Invocation", peer))


def rejected(peer: Peer, contract: Notebook | Contract | None = None) -> Rejected:
    with pytest.raises(Rejected) as raised:
        handled(peer, contract)
    return raised.value


# Who calls


@pytest.mark.parametrize(("units", "role"), [(("client",), "client"), (("dept", "admin"), "admin")])
def test_contract_learns_who_submits(units: tuple[str, ...], role: str) -> None:
    creator = Creator("South", b"another", units, MappingProxyType({}))

    answer = handled(Peer(call("note_who", Put("", 0)), creator))

    assert msgspec.json.decode(answer) == ["South", role, 1_800_000_000, "ab" * 32]


@pytest.mark.parametrize("units", [("peer",), ("orderer",), (), ("clients", "Admin")])
def test_certificate_of_no_user_submits_nothing(units: tuple[str, ...]) -> None:
    peer = Peer(call("put", Put("k", 1)), Creator("North", b"x", units, MappingProxyType({})))

    refused = rejected(peer)

    assert refused.status == 403
    assert "cannot submit" in str(refused)
    assert peer.written == {}


def test_answer_to_a_question_holds_no_transaction_id() -> None:
    answer = handled(Peer(call("who", Put("", 0), read=True)))

    assert msgspec.json.decode(answer) == ["North", "client", 1_800_000_000, "who"]


# What it does


def test_effects_are_given_to_the_peer_when_the_contract_is_done() -> None:
    peer = Peer(call("add", Put("k", 2)), rows={"k": b"40"})

    assert handled(peer) == b"42"

    assert peer.written == {"k": b"42"}
    assert peer.event is not None
    name, payload = peer.event
    assert name == "add"
    assert decode_events(payload) == [Event("added", msgspec.Raw(b'{"key":"k","value":42}'))]


def test_deleted_row_is_deleted_and_no_event_is_left_where_nothing_happened() -> None:
    peer = Peer(call("delete", Place("", "k")), rows={"k": b"1"})

    handled(peer)

    assert peer.written == {"k": None}
    assert peer.event is None


@pytest.mark.parametrize(
    ("name", "done"), [("private_delete", ("delete", "k", None)), ("purge", ("purge", "k", None))]
)
def test_private_value_is_erased_in_its_collection(
    name: str, done: tuple[str, str, bytes | None]
) -> None:
    peer = Peer(call(name, Place("readings", "k")), secrets={"k": b"1"})

    handled(peer)

    assert peer.done == [done]
    assert peer.written == {}


def test_private_value_is_read_by_its_key() -> None:
    peer = Peer(call("private_get", Place("readings", "k"), read=True), secrets={"k": b"7"})

    assert b"7" in handled(peer)


def test_range_ends_before_its_end() -> None:
    peer = Peer(call("sum", Span("a", "c"), read=True), rows={"a": b"1", "b": b"2", "c": b"4"})

    assert handled(peer) == b"3"


# What it refuses


def told(refused: Refused) -> tuple[str, str, bool]:
    return refused.code, refused.sentence, refused.repeatable


@given(
    st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ_", min_size=1),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.sampled_from([True, False]),
)
def test_refusal_survives_the_way_through_a_peer_s_message(
    code: str,
    sentence: str,
    repeatable: bool,  # noqa: FBT001 one of three that Hypothesis draws
) -> None:
    refused = Refused(code, sentence, repeatable=repeatable)

    message = rejected(Peer(call("put", Put("k", 1))), Refusing(refused))

    passed = refused_of(str(message))
    assert passed is not None
    assert told(passed) == (code, sentence, repeatable)
    assert message.status == 400


def test_what_was_refused_has_written_nothing() -> None:
    peer = Peer(call("put", Put("k", 1)))

    rejected(peer, Refusing(Refused("NO", "No.")))

    assert peer.written == {}
    assert peer.event is None


def test_unknown_transaction_is_refused_in_the_contract_s_words() -> None:
    passed = refused_of(str(rejected(Peer(call("fly", Put("", 0))), Contract())))

    assert passed is not None
    assert passed.code == "TRANSACTION_UNKNOWN"
    assert "'fly'" in passed.sentence


def test_name_that_is_no_text_is_an_unknown_transaction() -> None:
    passed = refused_of(str(rejected(Peer([b"\xff\xfe", b"{}"]), Contract())))

    assert passed is not None
    assert passed.code == "TRANSACTION_UNKNOWN"


def test_question_writes_nothing_even_where_the_transaction_would() -> None:
    peer = Peer(call("put", Put("k", 1), read=True))

    passed = refused_of(str(rejected(peer)))

    assert passed is not None
    assert passed.code == "READ_ONLY"
    assert peer.written == {}


def test_transaction_over_a_limit_of_the_contract_is_refused_here_too() -> None:
    peer = Peer(call("put_many", Many("k", 5_001)))

    passed = refused_of(str(rejected(peer)))

    assert passed is not None
    assert passed.code == "WRITES_TOO_MANY"
    assert peer.written == {}


def test_broken_invariant_is_no_refusal() -> None:
    peer = Peer(call("put", Put("", 1)))

    with pytest.raises(Broken):
        handled(peer)

    assert peer.written == {}


@pytest.mark.parametrize(
    "arguments",
    [[], [b"put"], [b"put", b"{}", b"write"], [b"put", b"{}", READ, READ]],
)
def test_call_of_another_shape_is_told_how_to_call(arguments: list[bytes]) -> None:
    refused = rejected(Peer(arguments))

    assert refused.status == 400
    assert "call it with a transaction's name" in str(refused)
    assert refused_of(str(refused)) is None


# What is not the contract's


def test_service_tells_what_it_runs() -> None:
    answer = handled(Peer([ABOUT.encode(), b"{}", READ]), Contract())

    assert msgspec.json.decode(answer, type=About) == About(Contract.name, Contract.version)


@pytest.mark.parametrize("count", [0, 1, ROWS_MAX - 1, ROWS_MAX, ROWS_MAX + 1, 2 * ROWS_MAX])
def test_rows_are_read_page_by_page_each_once(count: int) -> None:
    rows = {f"k{number:06d}": b"%d" % number for number in range(count)}
    found: list[tuple[str, bytes]] = []
    start = ""

    for _ in range(count // ROWS_MAX + 1):
        call_of_page = call(ROWS, RowsArguments(start), read=True)
        page = msgspec.msgpack.decode(handled(Peer(call_of_page, rows=rows)), type=Rows)
        found += page.rows
        start = page.following

    assert start == ""
    assert found == sorted(rows.items())


@given(st.lists(st.tuples(st.text(st.characters(exclude_categories=["Cs"])), st.integers())))
def test_events_come_back_as_they_happened(happened: list[tuple[str, int]]) -> None:
    events = [Event(name, msgspec.Raw(msgspec.json.encode(data))) for name, data in happened]

    assert decode_events(encode_events(events)) == events
