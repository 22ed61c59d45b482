"""The consortium's file, from which everything of its network is generated.

The file is read into frozen structures and checked as a whole before anything is generated from it;
a fault names its place in the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Literal

import msgspec

from ledger_network.fabric.binaries.install import RELEASE

DEFAULT_FILE = Path(__file__).parents[1] / "consortium.yaml"
ROLES = ("dso", "retailer", "oracle", "regulator")
Role = Literal["dso", "retailer", "oracle", "regulator", "guest"]
"""The role of an organisation. A guest is a channel member that the contract does not know."""
NodeKind = Literal["peer", "orderer", "contract"]

PORT_BLOCK = 10
CHAINCODE_PORT, OPERATIONS_PORT, CONTRACT_PORT, METRICS_PORT = 1, 2, 3, 4  # of a peer's block
TURN_PORTS = 2  # the contract that takes over in an upgrade uses ports this much higher
ADMIN_PORT = 1  # of an orderer's block, which has OPERATIONS_PORT too
ORDERERS_MIN = 4  # BFT: n = 3f + 1, so four tolerate one orderer that lies or is down
NODES_MAX = 200

_NAME = r"^[A-Za-z0-9][A-Za-z0-9._-]{0,59}$"
_CHANNEL = r"^[a-z][a-z0-9.-]{0,248}$"
_HOST = r"^[A-Za-z0-9]([A-Za-z0-9.:-]{0,252}[A-Za-z0-9])?$"
Host = Annotated[str, msgspec.Meta(pattern=_HOST)]
Count = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
Port = Annotated[int, msgspec.Meta(ge=1024, le=65535 - PORT_BLOCK)]


class ConsortiumInvalid(Exception):
    """The file is invalid; the sentence names the place and the fault."""


class _Part(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A part of the file; an unknown field in it is a mistake."""


class Site(_Part, frozen=True):
    """Where a node runs: its host and the first port of its block of ten."""

    port: Port
    host: Host = "127.0.0.1"


class Organisation(_Part, frozen=True):
    """A member. `name` is its MSP id and its name in the contract."""

    name: Annotated[str, msgspec.Meta(pattern=_NAME)]
    role: Role
    domain: Host
    peers: list[Site] = []
    orderers: list[Site] = []

    @property
    def msp(self) -> str:
        """The MSP of the organisation's peers and users."""
        return self.name

    @property
    def orderer_msp(self) -> str:
        """The MSP of the organisation's orderers, which are kept apart from traders."""
        return f"{self.name}Orderer"

    @property
    def slug(self) -> str:
        """The organisation's part in the names of files and nodes."""
        return re.sub(r"[^a-z0-9]+", "-", self.name.lower()).strip("-")


class Lifecycle(_Part, frozen=True):
    """Who approves a contract: `at_least` organisations of these roles."""

    roles: list[Role]
    at_least: Count


class Policies(_Part, frozen=True):
    """Whose endorsement counts: one peer of each group, a group being roles."""

    endorsement: list[list[Role]]
    lifecycle: Lifecycle


class Collection(_Part, frozen=True):
    """A private collection: who holds its values, and who has to endorse a write.

    A value has to reach `required_peers` besides the endorser's before the endorsement is given,
    and is sent to `max_peers`; a member that it has not reached asks others for it when it commits.
    """

    name: Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z0-9_-]{1,64}$")]
    members: list[Role]
    endorsement: list[list[Role]]
    required_peers: Annotated[int, msgspec.Meta(ge=0, le=100)] = 1
    max_peers: Annotated[int, msgspec.Meta(ge=0, le=100)] = 100


class Limits(_Part, frozen=True):
    """How the network is set; the defaults were measured on two cores.

    `cut_interval_ms` bounds how long a transaction waits for its block. `time_window_s` is how far
    a client's clock may be from an endorsing peer's. The others are the timers of BFT ordering.
    """

    cut_interval_ms: Annotated[int, msgspec.Meta(ge=5, le=10_000)] = 200
    block_transactions: Count = 500
    block_bytes: Annotated[int, msgspec.Meta(ge=1_048_576, le=99 * 1_048_576)] = 10 * 1_048_576
    time_window_s: Annotated[int, msgspec.Meta(ge=1, le=9_000_000_000)] = 60
    gateway_requests: Count = 5_000
    request_pool: Count = 10_000
    forward_timeout_ms: Count = 1_000
    complain_timeout_ms: Count = 4_000
    heartbeat_timeout_ms: Count = 10_000
    view_change_timeout_ms: Count = 10_000


@dataclass(frozen=True)
class Node:
    """One process of the network.

    `turn` is 0 or 1 for a contract service: while one takes over from the other both run.
    """

    kind: NodeKind
    organisation: Organisation
    index: int
    site: Site
    turn: int = 0

    @property
    def name(self) -> str:
        """The node's name in status, logs, folders and compose services."""
        return f"{self.kind}-{self.organisation.slug}{self.index or ''}"

    @property
    def hostname(self) -> str:
        """The node's name in its certificates."""
        if self.kind == "orderer":
            return f"orderer{self.index}.orderers.{self.organisation.domain}"
        return f"{self.kind}{self.index}.{self.organisation.domain}"

    @property
    def port(self) -> int:
        """The node's main port: a peer's gateway, an orderer's broadcast, a contract's service."""
        if self.kind == "contract":
            return self.site.port + CONTRACT_PORT + self.turn * TURN_PORTS
        return self.site.port

    @property
    def operations_port(self) -> int:
        """The port at which the node serves health and metrics."""
        if self.kind == "contract":
            return self.site.port + METRICS_PORT + self.turn * TURN_PORTS
        return self.site.port + OPERATIONS_PORT

    @property
    def address(self) -> str:
        """The node's host and main port."""
        return f"{self.site.host}:{self.port}"


class Consortium(_Part, frozen=True):
    """The whole file."""

    name: Annotated[str, msgspec.Meta(pattern=_CHANNEL)]
    fabric: str
    channel: Annotated[str, msgspec.Meta(pattern=_CHANNEL)]
    contract: Annotated[str, msgspec.Meta(pattern=_NAME)]
    organisations: list[Organisation]
    policies: Policies
    collections: list[Collection] = []
    limits: Limits = Limits()

    def of_roles(self, roles: Sequence[str]) -> list[Organisation]:
        """The organisations that have one of `roles`, in the order of the file."""
        return [organisation for organisation in self.organisations if organisation.role in roles]

    def organisation(self, name: str) -> Organisation:
        """The organisation of that name; raises `ConsortiumInvalid` if it does not exist."""
        for organisation in self.organisations:
            if organisation.name == name:
                return organisation
        known = ", ".join(organisation.name for organisation in self.organisations)
        raise ConsortiumInvalid(
            f"{name!r} is not an organisation of {self.name}, which has {known}."
        )

    def nodes(self, *kinds: NodeKind) -> list[Node]:
        """The nodes of these kinds, or all: orderers first, then peers and their contracts."""
        found: list[Node] = []
        for kind in kinds or ("orderer", "peer", "contract"):
            for organisation in self.organisations:
                sites = organisation.orderers if kind == "orderer" else organisation.peers
                found.extend(
                    Node(kind, organisation, index, site) for index, site in enumerate(sites)
                )
        return found

    def contracts(self, sequence: int) -> list[Node]:
        """The contract services of a definition; the next definition's services use other ports."""
        return [replace(node, turn=(sequence - 1) % 2) for node in self.nodes("contract")]

    def peers_of(self, organisation: Organisation) -> list[Node]:
        """The peers of one organisation."""
        return [node for node in self.nodes("peer") if node.organisation == organisation]


def read_consortium(path: Path = DEFAULT_FILE) -> Consortium:
    """The consortium that a file describes. Raises `ConsortiumInvalid`."""
    try:
        text = path.read_bytes()
    except OSError as error:
        raise ConsortiumInvalid(f"{path} cannot be read: {error.strerror}.") from None
    return parse_consortium(text, str(path))


def parse_consortium(text: bytes, name: str = "the file") -> Consortium:
    """The consortium in a YAML text. Raises `ConsortiumInvalid`."""
    try:
        consortium = msgspec.yaml.decode(text, type=Consortium)
    except msgspec.DecodeError as error:
        raise ConsortiumInvalid(f"{name}: {error}") from None
    faults = list(_faults(consortium))
    if faults:
        raise ConsortiumInvalid(f"{name}: " + " ".join(faults))
    return consortium


_A = {"dso": "a dso", "oracle": "an oracle operator", "regulator": "a regulator"}


def _faults(consortium: Consortium) -> Iterator[str]:
    """Yield a sentence for each fault beyond the shape of single fields."""
    if consortium.fabric != RELEASE:
        yield f"fabric: this Commonwatt builds {RELEASE}, not {consortium.fabric}."
    yield from _faults_of_names(consortium)
    yield from _faults_of_ports(consortium)
    orderers = len(consortium.nodes("orderer"))
    if orderers < ORDERERS_MIN:
        yield f"orderers: {orderers}; ordering that survives a fault needs {ORDERERS_MIN}."
    for organisation in consortium.organisations:
        if organisation.role == "regulator" and organisation.orderers:
            yield f"{organisation.name}.orderers: a regulator reads and orders nothing."
        if organisation.role in ("regulator", "oracle", "dso") and not organisation.peers:
            yield f"{organisation.name}.peers: {_A[organisation.role]} runs a peer of its own."
    yield from _faults_of_policies(consortium)


def _faults_of_names(consortium: Consortium) -> Iterator[str]:
    for field in ("name", "slug", "domain"):
        values = [getattr(organisation, field) for organisation in consortium.organisations]
        for value in sorted({value for value in values if values.count(value) > 1}):
            yield f"organisations: {value!r} appears twice."
    names = {organisation.name for organisation in consortium.organisations}
    for organisation in consortium.organisations:
        if organisation.orderer_msp in names:
            yield f"organisations: {organisation.orderer_msp} is the MSP of its orderers."
    collections = [collection.name for collection in consortium.collections]
    if len(set(collections)) < len(collections):
        yield "collections: a name appears twice."


def _faults_of_ports(consortium: Consortium) -> Iterator[str]:
    nodes = consortium.nodes("peer", "orderer")
    if len(nodes) > NODES_MAX:
        yield f"organisations: {len(nodes)} nodes; at most {NODES_MAX} are supported."
    taken: dict[str, list[Node]] = {}
    for node in nodes:
        for other in taken.setdefault(node.site.host, []):
            if abs(other.site.port - node.site.port) < PORT_BLOCK:
                yield (
                    f"ports: {other.name} ({other.site.port}) and {node.name} ({node.site.port}) "
                    f"on {node.site.host} need {PORT_BLOCK} ports each."
                )
        taken[node.site.host].append(node)


def _faults_of_policies(consortium: Consortium) -> Iterator[str]:
    groups = [("policies.endorsement", consortium.policies.endorsement)]
    for collection in consortium.collections:
        place = f"collections.{collection.name}"
        groups.append((f"{place}.endorsement", collection.endorsement))
        members = consortium.of_roles(collection.members)
        if not members:
            yield f"{place}.members: no organisation has one of these roles."
        holders = sum(len(organisation.peers) for organisation in members)
        if collection.required_peers > collection.max_peers:
            yield f"{place}: required_peers is more than max_peers."
        if collection.required_peers >= holders:
            yield f"{place}: required_peers asks for more peers than hold it besides the endorser."
    for place, listed in groups:
        if not listed:
            yield f"{place}: nobody would have to endorse."
        for group in listed:
            if not any(organisation.peers for organisation in consortium.of_roles(group)):
                yield f"{place}: nobody of {', '.join(group) or 'an empty group'} runs a peer."
            if "regulator" in group:
                yield f"{place}: a regulator endorses nothing."
    lifecycle = consortium.policies.lifecycle
    approvers = [member for member in consortium.of_roles(lifecycle.roles) if member.peers]
    if lifecycle.at_least > len(approvers):
        yield f"policies.lifecycle: {lifecycle.at_least} of {len(approvers)} cannot approve."
