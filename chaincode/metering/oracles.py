"""Oracles: who may speak for an area's meters. Rules of the contract, part 7.

The area's DSO appoints the oracle operator from a slot on, and that operator names its nodes. Reports
count by the node set of their slot, as long as the operator that named the set is still the appointed
one. A node that is revoked counts for no slot from then on, old slots included; revoking binds at
once, because it keeps the market safe, and cannot be undone.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import Annotated

import msgspec

from chaincode.area.clock import market_time_s
from chaincode.area.history import needed_slot
from chaincode.area.opening import require_unopened
from chaincode.area.zones import get_area, own_area, require_slot_start
from chaincode.consortium.organisations import require_key, require_role
from chaincode.context import Accepted, Context
from chaincode.errors import (
    NOT_ORACLE_OPERATOR,
    ORACLE_CONFIGURATION,
    ORACLE_NODES_COUNT,
    ORACLE_NODES_FEW,
    SIGNER_REPEATED,
    SIGNER_REVOKED,
)
from chaincode.state import DatedTable, Did, Id, Name, Row, Second, Table, encode

NODES_MAX = 31  # oracle nodes: f = 10
FAULTY_MAX = 10  # 3f + 1 nodes are needed, and there are at most NODES_MAX

Nodes = Annotated[list[Did], msgspec.Meta(max_length=NODES_MAX)]
FaultyNodes = Annotated[int, msgspec.Meta(ge=0, le=FAULTY_MAX)]


class OracleSet(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The nodes whose signatures count, and the number of them that may be faulty."""

    nodes: Nodes
    faulty_max: FaultyNodes


class OracleNodes(Row, frozen=True):
    """The nodes that an operator has named for an area, from a slot on."""

    operator: Name
    oracle: OracleSet


class Appointment(Row, frozen=True):
    """The oracle operator that an area's DSO has appointed, from a slot on."""

    operator: Name


class Revocation(Row, frozen=True):
    """A node whose signature counts for no slot, from this second of market time on."""

    from_s: Second


ORACLES = DatedTable(50, "oracle sets", OracleNodes, ("area", "inverted slot"))
APPOINTMENTS = DatedTable(56, "oracle appointments", Appointment, ("area", "inverted slot"))
REVOCATIONS = Table(9, "revoked oracle nodes", Revocation, ("area", "node"))


class AppointmentArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The organisation that reads an area's meters from a slot on."""

    area: Id
    oracle: Id
    from_slot: Second


class OracleArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An area's oracle nodes from a slot on; at least 3 x `faulty_max` + 1 of them."""

    area: Id
    from_slot: Second
    nodes: Nodes
    faulty_max: FaultyNodes


class RevocationArguments(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The node whose signature counts for no slot once market time has reached `from_slot`."""

    area: Id
    did: Did
    from_slot: Second


def appoint_oracle(context: Context, arguments: AppointmentArguments) -> Accepted:
    """Appoint the oracle operator of the caller's area from an unopened slot on."""
    area = own_area(context, arguments.area)
    require_role(context, arguments.oracle, "oracle")
    require_unopened(context, area, arguments.from_slot)
    appointment = Appointment(operator=arguments.oracle)
    APPOINTMENTS.put_from(context, appointment, area.area, from_slot=arguments.from_slot)
    APPOINTMENTS.prune(context, area.area, needed_slot=needed_slot(context, area.area))
    context.emit("oracle_appointed", encode(arguments))
    return Accepted(arguments.oracle)


def set_oracle_nodes(context: Context, arguments: OracleArguments) -> Accepted:
    """Name the nodes of the calling operator, which is appointed, from an unopened slot on."""
    area = get_area(context, arguments.area)
    require_unopened(context, area, arguments.from_slot)
    _require_operator(context, area.area, arguments.from_slot)
    needed = 3 * arguments.faulty_max + 1
    if not needed <= len(arguments.nodes) <= NODES_MAX:
        raise ORACLE_NODES_COUNT(
            count=len(arguments.nodes), needed=needed, faulty=arguments.faulty_max, limit=NODES_MAX
        )
    if not arguments.faulty_max and not area.demonstration:
        raise ORACLE_NODES_FEW(area=area.area)
    for place, node in enumerate(arguments.nodes):
        require_key(node)
        if node in arguments.nodes[:place]:
            raise SIGNER_REPEATED(did=node)
    _refuse_revoked(context, area.area, arguments.nodes, at_s=None)
    oracle = OracleSet(nodes=arguments.nodes, faulty_max=arguments.faulty_max)
    named = OracleNodes(operator=context.caller.member, oracle=oracle)
    ORACLES.put_from(context, named, area.area, from_slot=arguments.from_slot)
    ORACLES.prune(context, area.area, needed_slot=needed_slot(context, area.area))
    context.emit("oracle_nodes_set", encode(arguments))
    return Accepted(area.area)


def revoke_oracle_node(context: Context, arguments: RevocationArguments) -> Accepted:
    """Revoke a node of an area; the area's DSO or the operator of the slot may do so."""
    area = get_area(context, arguments.area)
    require_slot_start(area, arguments.from_slot)
    if context.caller.member != area.dso:
        _require_operator(context, area.area, arguments.from_slot)
    require_key(arguments.did)
    earlier = REVOCATIONS.get(context, area.area, arguments.did)
    if earlier is not None and earlier.from_s < arguments.from_slot:
        raise SIGNER_REVOKED(did=arguments.did, from_s=earlier.from_s)
    REVOCATIONS.put(context, Revocation(from_s=arguments.from_slot), area.area, arguments.did)
    context.emit("oracle_node_revoked", encode(arguments))
    return Accepted(arguments.did)


def oracle_at(context: Context, area: str, slot: int) -> OracleSet | None:
    """The nodes whose signatures count for a slot; None if the operator has named none."""
    appointed = APPOINTMENTS.at(context, area, slot=slot)
    named = ORACLES.at(context, area, slot=slot)
    if appointed is None or named is None or named.operator != appointed.operator:
        return None
    return named.oracle


def counting_nodes(
    context: Context, *, area: str, slot: int, configuration: str, signers: Sequence[str]
) -> OracleSet:
    """The set that a report of a slot counts by; another set or a revoked signer is refused."""
    oracle = oracle_at(context, area, slot)
    if oracle is None or configuration_digest(oracle) != configuration:
        raise ORACLE_CONFIGURATION(area=area, slot=slot)
    _refuse_revoked(context, area, signers, at_s=market_time_s(context, area))
    return oracle


def revoked_nodes(context: Context, area: str, nodes: Sequence[str]) -> list[str]:
    """Those of `nodes` that are revoked, now or from some time on."""
    rows = REVOCATIONS.get_many(context, [(area, node) for node in nodes])
    return [node for node, row in zip(nodes, rows, strict=True) if row is not None]


def configuration_digest(oracle: OracleSet) -> str:
    """The SHA-256 of an oracle set, which each report names."""
    return sha256(encode(oracle)).hexdigest()


def _require_operator(context: Context, area: str, slot: int) -> None:
    appointed = APPOINTMENTS.at(context, area, slot=slot)
    if appointed is None or appointed.operator != context.caller.member:
        operator = "nobody" if appointed is None else appointed.operator
        raise NOT_ORACLE_OPERATOR(area=area, slot=slot, operator=operator)


def _refuse_revoked(context: Context, area: str, nodes: Sequence[str], *, at_s: int | None) -> None:
    """Refuse nodes that are revoked at `at_s`; with None also nodes that will be."""
    rows = REVOCATIONS.get_many(context, [(area, node) for node in nodes])
    for node, row in zip(nodes, rows, strict=True):
        if row is not None and (at_s is None or row.from_s <= at_s):
            raise SIGNER_REVOKED(did=node, from_s=row.from_s)
