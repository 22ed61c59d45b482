"""What a client of one organisation, ours or any other, needs to reach the network.

A profile names files and addresses only; keys stay where they are.
"""

from __future__ import annotations

from pathlib import Path

import msgspec

from chaincode.context import Role
from ledger_network.fabric.consortium.definition import Consortium, Node, Organisation
from ledger_network.fabric.consortium.placement import Placement
from ledger_network.fabric.gateway.endpoint import Endpoint
from ledger_network.fabric.gateway.signing import SigningIdentity, WatchedIdentity

USER_NAMES: dict[Role, str] = {"admin": "Admin", "client": "User1"}


class PeerProfile(msgspec.Struct, frozen=True):
    """A peer's gateway: address, root of its TLS certificate (a file), and organisation."""

    endpoint: str
    msp: str
    tls_root: str

    def as_endpoint(self) -> Endpoint:
        """The same for the Gateway client, which reads the file when it connects."""
        return Endpoint(self.endpoint, self.msp, Path(self.tls_root))


class UserProfile(msgspec.Struct, frozen=True):
    """A user's certificate and private key (files, PEM)."""

    certificate: str
    key: str


class Profile(msgspec.Struct, frozen=True):
    """One organisation's access to the network; `peers` lists its own peers first."""

    organisation: str
    role: str
    msp: str
    channel: str
    contract: str
    peers: list[PeerProfile]
    users: dict[Role, UserProfile]

    def identity(self, role: Role) -> WatchedIdentity:
        """The identity of a user, which is read again when the user's files are renewed."""
        user = self.users[role]
        return SigningIdentity.from_files(self.msp, Path(user.certificate), Path(user.key))

    @property
    def endpoints(self) -> list[Endpoint]:
        """The peers for the Gateway client, in the same order."""
        return [peer.as_endpoint() for peer in self.peers]


def profile(consortium: Consortium, name: str, placement: Placement) -> Profile:
    """The profile of an organisation. Raises `ConsortiumInvalid` for an unknown organisation."""
    organisation = consortium.organisation(name)
    own = consortium.peers_of(organisation)
    others = [
        node
        for node in consortium.nodes("peer")
        if node not in own and node.organisation.role != "regulator"
    ]
    return Profile(
        organisation=organisation.name,
        role=organisation.role,
        msp=organisation.msp,
        channel=consortium.channel,
        contract=consortium.contract,
        peers=[_peer(node, placement) for node in (*own, *others)],
        users={role: _user(organisation, role, placement) for role in USER_NAMES},
    )


def _peer(node: Node, placement: Placement) -> PeerProfile:
    root = placement.folder.tls_root(node)
    return PeerProfile(
        f"{placement.host(node)}:{node.port}", node.organisation.msp, str(root.absolute())
    )


def _user(organisation: Organisation, role: Role, placement: Placement) -> UserProfile:
    name = USER_NAMES[role]
    msp = placement.folder.user(organisation, name).absolute() / "msp"
    certificate = msp / "signcerts" / f"{name}@{organisation.domain}-cert.pem"
    return UserProfile(str(certificate), str(msp / "keystore" / "priv_sk"))
