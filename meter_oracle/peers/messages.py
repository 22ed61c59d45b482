"""The messages between nodes, and between a node and the ledger gateway: JSON, one struct each.

A node signs its observations: the token names market, boundary, sequence and the digest of the values, so
two observations that contradict each other prove that their signer equivocates. For all other messages
the receiver relies on the TLS connection, which identifies the sender.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Literal

import msgspec

from chaincode.documents.document import Document
from chaincode.metering.oracles import NODES_MAX
from chaincode.metering.reports import LEAVES_MAX, Leaf, Report
from identity.canonical import encode
from identity.errors import TOKEN_SIGNATURE
from identity.jws import sign_compact
from identity.keys import PrivateKey

OK = "OK"
OBSERVATION_TYP = "commonwatt-observation+jws"
OBSERVED_MAX = 10 * LEAVES_MAX  # meters of one node; an observation of all fits into a frame


class Observed(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """One meter's registers at a boundary, Wh."""

    meter: str
    import_wh: int
    export_wh: int
    resolution_wh: int


class ObservationHeader(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The part of an observation that the node signs.

    `sequence` rises with each further observation of the same boundary (market time, s);
    `sent_ns` is the node's own clock; `digest` is the SHA-256 of the values as canonical JSON.
    """

    area: str
    boundary: int
    channel: str
    configuration: str
    contract: str
    digest: str
    sent_ns: str
    sequence: int
    v: Literal[1] = 1


class Observe(msgspec.Struct, frozen=True, tag="observe"):
    """A node's observation of a boundary: the signed header, and the values under its digest."""

    token: str
    values: list[Observed]


class Heard(msgspec.Struct, frozen=True, tag="heard"):
    """The answer to a message: OK, or a code and a sentence that say why it was not taken."""

    code: str
    sentence: str = ""


class Propose(msgspec.Struct, frozen=True, tag="propose"):
    """A request to sign a report, with its leaves and the signed observations that it rests on."""

    report: Report
    leaves: list[Leaf]
    observations: list[str]


class Signed(msgspec.Struct, frozen=True, tag="signed"):
    """The same report, signed by the node that was asked."""

    token: str


class Declined(msgspec.Struct, frozen=True, tag="declined"):
    """Why the node does not sign; `meters` lists those it cannot vouch for."""

    code: str
    sentence: str
    meters: list[str]


class Submitted(msgspec.Struct, frozen=True, tag="submitted"):
    """The ledger has taken a report of a boundary; the receiver asks the ledger itself."""

    boundary: int


class Submit(msgspec.Struct, frozen=True, tag="submit"):
    """To the ledger gateway: submit a signed report, with its leaves as canonical JSON."""

    tokens: list[str]
    leaves: msgspec.Raw


class AskReadings(msgspec.Struct, frozen=True, tag="ask-readings"):
    """To the ledger gateway: which readings of a boundary are recorded?"""

    boundary: int


class AskMeters(msgspec.Struct, frozen=True, tag="ask-meters"):
    """To the ledger gateway: which meters are certified before or after a boundary?"""

    boundary: int


class AskSales(msgspec.Struct, frozen=True, tag="ask-sales"):
    """To the ledger gateway: what was sold for a slot?"""

    slot: int


class Tell(msgspec.Struct, frozen=True, tag="tell"):
    """To the ledger gateway: pass a signed word on health on to the API."""

    token: str


class Sales(msgspec.Struct, frozen=True, tag="sales"):
    """The cleared sales of a slot: Wh by meter, empty until the slot has cleared."""

    sold_wh: dict[str, int]


class Readings(msgspec.Struct, frozen=True, tag="readings"):
    """The recorded readings of a slot, the newest of each meter."""

    leaves: list[Leaf]


class Certified(msgspec.Struct, frozen=True, gc=False, array_like=True):
    """The powers that a meter is certified for in a slot, W."""

    meter: str
    import_w: int
    export_w: int


class Meters(msgspec.Struct, frozen=True, tag="meters"):
    """The meters certified for a slot."""

    meters: list[Certified]


Message = (
    Observe
    | Heard
    | Propose
    | Signed
    | Declined
    | Submitted
    | Submit
    | AskReadings
    | AskMeters
    | AskSales
    | Tell
    | Readings
    | Meters
    | Sales
)

_messages: msgspec.json.Decoder[Message] = msgspec.json.Decoder(Message)
_HEADERS = Document(OBSERVATION_TYP, ObservationHeader)
_encoder = msgspec.json.Encoder()


def to_bytes(message: Message) -> bytes:
    """Encode a message."""
    return _encoder.encode(message)


def from_bytes(data: bytes) -> Message:
    """Decode a message from a peer; raises `msgspec.MsgspecError` if the bytes are no valid message."""
    message = _messages.decode(data)
    if isinstance(message, Propose) and len(message.observations) > 2 * NODES_MAX:
        raise msgspec.ValidationError("more observations than two per node")
    if isinstance(message, Observe) and len(message.values) > OBSERVED_MAX:
        raise msgspec.ValidationError("more meters than one node may read")
    return message


def digest_of(values: list[Observed]) -> str:
    """Return the digest that a header carries for its values."""
    return sha256(encode(values)).hexdigest()


def sign_observation(key: PrivateKey, header: ObservationHeader, values: list[Observed]) -> Observe:
    """Sign an observation; this sets the digest in its header."""
    header = msgspec.structs.replace(header, digest=digest_of(values))
    return Observe(sign_compact(key, OBSERVATION_TYP, encode(header)), values)


def read_header(token: str) -> tuple[str, ObservationHeader]:
    """Return the signer of an observation and its header; raises `TokenRefused`."""
    opened = _HEADERS.open(token)
    if not opened.holds():
        raise TOKEN_SIGNATURE(did=opened.did)
    return opened.did, opened.payload
