"""The permissions on the channel, as Fabric's signature policies.

All policies are explicit: an implicit majority would count the regulator among the deciders, and
implicit readers and writers cost almost half of the throughput, since each signature is then
checked against every organisation in turn.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from fabric_protos.common import policies_pb2
from fabric_protos.msp import msp_principal_pb2

from ledger_network.fabric.consortium.definition import Consortium

PrincipalRole = Literal["member", "admin", "client", "peer", "orderer"]


class Principal(NamedTuple):
    """A principal: a role within an MSP."""

    msp: str
    role: PrincipalRole

    def __str__(self) -> str:
        return f"'{self.msp}.{self.role}'"


@dataclass(frozen=True)
class Rule:
    """`needed` of `parts` have to sign. The text of a rule is what Fabric's own tools read."""

    needed: int
    parts: tuple[Principal | Rule, ...]

    def __str__(self) -> str:
        return f"OutOf({self.needed}, {', '.join(map(str, self.parts))})"


def any_of(principals: Iterable[Principal]) -> Rule:
    """Return the rule that one of `principals` has to sign."""
    return Rule(1, tuple(principals))


def stored(rule: Rule) -> policies_pb2.SignaturePolicyEnvelope:
    """Return the rule as Fabric stores it: each principal once, and its number in the rule."""
    numbers: dict[Principal, int] = {}

    def of(part: Principal | Rule) -> policies_pb2.SignaturePolicy:
        if isinstance(part, Principal):
            return policies_pb2.SignaturePolicy(signed_by=numbers.setdefault(part, len(numbers)))
        n_out_of = policies_pb2.SignaturePolicy.NOutOf(
            n=part.needed, rules=[of(inner) for inner in part.parts]
        )
        return policies_pb2.SignaturePolicy(n_out_of=n_out_of)

    made = of(rule)
    return policies_pb2.SignaturePolicyEnvelope(
        version=0, rule=made, identities=[_principal(each) for each in numbers]
    )


def _principal(principal: Principal) -> msp_principal_pb2.MSPPrincipal:
    role = msp_principal_pb2.MSPRole.MSPRoleType.Value(principal.role.upper())
    named = msp_principal_pb2.MSPRole(msp_identifier=principal.msp, role=role)
    return msp_principal_pb2.MSPPrincipal(
        principal_classification=msp_principal_pb2.MSPPrincipal.ROLE,
        principal=named.SerializeToString(),
    )


def one_of_each(consortium: Consortium, groups: Sequence[Sequence[str]]) -> Rule:
    """Return the rule of one peer per group of roles; organisations without a peer do not count."""
    rules = tuple(
        any_of(
            Principal(member.msp, "peer") for member in consortium.of_roles(group) if member.peers
        )
        for group in groups
    )
    return Rule(len(rules), rules)


def orderer_members(consortium: Consortium) -> list[Principal]:
    """Return the members of the organisations that run orderers."""
    return [
        Principal(member.orderer_msp, "member")
        for member in consortium.organisations
        if member.orderers
    ]


def readers(consortium: Consortium) -> list[Principal]:
    """Return who may read the channel: every member."""
    return [Principal(member.msp, "member") for member in consortium.organisations]


def writers(consortium: Consortium) -> list[Principal]:
    """Return who may submit: every member but the users of a regulator.

    A regulator's administrator has to approve the contract that its peer runs, which is a
    transaction; the contract refuses all other transactions of a regulator.
    """
    return [
        Principal(member.msp, "admin" if member.role == "regulator" else "member")
        for member in consortium.organisations
    ]


def approvers(consortium: Consortium, principal: PrincipalRole) -> Rule:
    """Return the rule for decisions on contracts and on the channel."""
    lifecycle = consortium.policies.lifecycle
    members = [member for member in consortium.of_roles(lifecycle.roles) if member.peers]
    return Rule(lifecycle.at_least, tuple(Principal(member.msp, principal) for member in members))


def collection_members(consortium: Consortium, roles: Sequence[str]) -> Rule:
    """Return the rule that names who holds a collection's values."""
    return any_of(Principal(member.msp, "member") for member in consortium.of_roles(roles))
