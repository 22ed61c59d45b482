"""Rolls out a contract: members install and approve it, one commits it, peers find each other.

On a network of one machine this module acts for all organisations. In a consortium each member's
administrator makes the calls for its own organisation.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from types import TracebackType
from typing import Self

import grpc.aio

from ledger_network.fabric.consortium.definition import Consortium, Node, Organisation
from ledger_network.fabric.consortium.package import application_policy, collections
from ledger_network.fabric.consortium.placement import Placement
from ledger_network.fabric.consortium.policies import one_of_each
from ledger_network.fabric.consortium.profile import profile
from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.gateway.endpoint import Connection, Endpoint
from ledger_network.fabric.gateway.errors import GatewayError
from ledger_network.fabric.ledger.contract_service import ABOUT, READ
from ledger_network.fabric.operations import lifecycle
from ledger_network.fabric.operations.lifecycle import Definition
from ledger_network.fabric.runtime.probe import until

KEEPALIVE_S = 20.0
CONNECT_S = 30.0


class ContractRollout:
    """Gateways of the administrators of all members that run peers; an async context manager."""

    def __init__(self, consortium: Consortium, placement: Placement) -> None:
        self._consortium = consortium
        self._placement = placement
        self._held = AsyncExitStack()
        self._admins: dict[str, Gateway] = {}
        self.members = [member for member in consortium.organisations if member.peers]

    async def __aenter__(self) -> Self:
        for member in self.members:
            own = profile(self._consortium, member.name, self._placement)
            endpoints = [
                endpoint_of(peer, self._placement) for peer in self._consortium.peers_of(member)
            ]
            gateway = Gateway(own.identity("admin"), endpoints, channel=self._consortium.channel)
            self._admins[member.name] = await self._held.enter_async_context(gateway)
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._held.aclose()

    def admin(self, member: Organisation) -> Gateway:
        """The gateway of a member's administrator, through the member's own peers."""
        return self._admins[member.name]

    async def committed(self, name: str) -> tuple[str, int] | None:
        """Return version and sequence of a contract on the channel, None if it is not committed."""
        return await lifecycle.committed(self.admin(self.members[0]), name)

    async def install(self, packages: Mapping[str, bytes]) -> None:
        """Install on each peer the package under the peer's name, unless it is installed."""
        await asyncio.gather(
            *(self._install(peer, packages[peer.name]) for peer in self._consortium.nodes("peer"))
        )

    async def _install(self, peer: Node, package: bytes) -> None:
        admin = self.admin(peer.organisation).identity.current()
        async with directly(peer, self._placement) as channel:
            await lifecycle.install(channel, admin, package)

    async def agree(self, definition: Definition, package_ids: Mapping[str, str]) -> None:
        """Let every member approve a definition and one member commit it, unless that is done.

        A member approves with its first peer's package.
        """
        await asyncio.gather(
            *(self.approve(member, definition, package_ids) for member in self.members)
        )
        there = await self.committed(definition.name)
        if there != (definition.version, definition.sequence):
            await self.commit(definition)

    async def approve(
        self, member: Organisation, definition: Definition, package_ids: Mapping[str, str]
    ) -> None:
        """Approve a definition for one member, unless the member has approved it."""
        package = package_ids[self._consortium.peers_of(member)[0].name]
        admin = self.admin(member)
        if not await lifecycle.approved(admin, definition, package):
            await lifecycle.approve(admin, definition, package)

    async def commit(self, definition: Definition) -> None:
        """Commit a definition, endorsed by all members that decide on contracts."""
        roles = self._consortium.policies.lifecycle.roles
        deciders = [member for member in self.members if member.role in roles]
        endorsers = [member.msp for member in deciders]
        await lifecycle.commit(self.admin(deciders[0]), definition, endorsers)

    async def probe(self, contract: str, *, within_s: float) -> None:
        """Wait until every member's gateway reaches the contract at every endorser's peer.

        Peers learn of each other by gossip, some seconds after they have joined; before that a
        gateway finds too few endorsers.
        """
        await asyncio.gather(*(self._probe(member, contract, within_s) for member in self.members))

    async def _probe(self, member: Organisation, contract: str, within_s: float) -> None:
        gateway = self.admin(member)
        targets = self._endorsers()

        async def missing() -> str:
            while targets:
                try:
                    call = [ABOUT.encode(), b"{}", READ]
                    await gateway.evaluate(contract, call, organisations=targets[:1])
                except GatewayError as error:
                    return f"the contract at {targets[0]}: {error}"
                targets.pop(0)
            return ""

        await until(f"the gateway of {member.name}", missing, within_s=within_s)

    def _endorsers(self) -> list[str]:
        """The members that endorse any transactions."""
        groups = list(self._consortium.policies.endorsement)
        for collection in self._consortium.collections:
            groups.extend(collection.endorsement)
        roles = sorted({role for group in groups for role in group})
        return [member.msp for member in self._consortium.of_roles(roles) if member.peers]


def definition(consortium: Consortium, name: str, *, version: str, sequence: int) -> Definition:
    """A contract's definition, with the consortium's policies and collections."""
    policy = one_of_each(consortium, consortium.policies.endorsement)
    return Definition(
        name=name,
        version=version,
        sequence=sequence,
        policy=application_policy(policy),
        collections=collections(consortium),
    )


def endpoint_of(peer: Node, placement: Placement) -> Endpoint:
    """A peer for the Gateway client."""
    root = placement.folder.tls_root(peer)
    return Endpoint(f"{placement.host(peer)}:{peer.port}", peer.organisation.msp, root)


@asynccontextmanager
async def directly(peer: Node, placement: Placement) -> AsyncGenerator[grpc.aio.Channel]:
    """Yield a connection to one peer, for calls that concern this peer alone."""
    connection = Connection(endpoint_of(peer, placement), keepalive_s=KEEPALIVE_S)
    try:
        yield await connection.ready(within_s=CONNECT_S)
    finally:
        await connection.close()
