"""Turns running nodes into a network: all nodes join the channel, and the members agree on the
contract.

The bootstrap may run at any time and repeatedly: it finds which steps are done and continues after
them. Nodes may start in any order; each node is polled until it reports that it is well.
"""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Callable
from functools import partial
from pathlib import Path

from ledger_network.fabric.consortium.definition import ADMIN_PORT, Node
from ledger_network.fabric.consortium.profile import profile
from ledger_network.fabric.gateway.errors import ClockSkew, GatewayError
from ledger_network.fabric.operations import joining
from ledger_network.fabric.operations.contract_rollout import ContractRollout, directly, endpoint_of
from ledger_network.fabric.operations.material import Material, NetworkFault
from ledger_network.fabric.runtime.probe import health, listens, until

READY_S = 60.0

Progress = Callable[[str], None]


class Bootstrap:
    """The one-time setup of a network's nodes, from its material.

    `within_s` bounds each wait. `has_logs` says whether the nodes' logs lie in the folder, so that
    they can be quoted if a node does not start.
    """

    def __init__(
        self, material: Material, *, within_s: float = READY_S, has_logs: bool = True
    ) -> None:
        self._material = material
        self._consortium = material.consortium
        self._placement = material.placement
        self._within_s = within_s
        self._has_logs = has_logs

    async def join(self, progress: Progress) -> None:
        """Let every orderer and every peer join the channel. Raises `NotReady`, `JoinFailed`."""
        genesis = await asyncio.to_thread(self._material.folder.genesis.read_bytes)
        orderers, peers = self._consortium.nodes("orderer"), self._consortium.nodes("peer")
        progress(f"{len(orderers)} orderers")
        await asyncio.gather(*(self._join_orderer(node, genesis) for node in orderers))
        progress(f"{len(peers)} peers")
        await asyncio.gather(*(self._join_peer(node, genesis) for node in peers))

    async def agree(self, progress: Progress) -> None:
        """Deploy the contract unless it is deployed; on return orders can be committed.

        A peer that has lost its data gets the blocks and the package again. Raises `NotReady`,
        `JoinFailed`, `GatewayError`, and `NetworkFault` when the channel has a later contract.
        """
        name = self._consortium.contract
        deployed = self._material.deployed()
        async with ContractRollout(self._consortium, self._placement) as rollout:
            progress("the contract")
            contracts = self._consortium.contracts(deployed.sequence)
            await asyncio.gather(*(self.until_well(node) for node in contracts))
            progress("peers fetch what they missed")
            await self._catch_up(rollout)
            progress("installed and approved by every member")
            await rollout.install(self._material.packages(deployed.sequence))
            there = await rollout.committed(name)
            if there is not None and there[1] > deployed.sequence:
                raise NetworkFault(
                    f"The channel has version {there[0]} of the contract, definition {there[1]}, "
                    f"and {self._material.folder.root} serves definition {deployed.sequence}: "
                    "finish the upgrade that was cut short, with `commonwatt network upgrade`."
                )
            await rollout.agree(self._material.definition(deployed), deployed.packages)
            progress("peers find each other")
            await rollout.probe(name, within_s=self._within_s)

    async def _catch_up(self, rollout: ContractRollout) -> None:
        """Wait until every peer has the blocks that were ordered before this was called."""
        orderers, peers = self._consortium.nodes("orderer"), self._consortium.nodes("peer")
        heights = await asyncio.gather(*(self._orderer_height(node) for node in orderers))
        ordered = max(heights)
        await asyncio.gather(*(self._fetch(rollout, peer, ordered) for peer in peers))

    async def _orderer_height(self, node: Node) -> int:
        host = self._placement.host(node)
        tls = self._material.folder.orderer_administrator(node.organisation) / "tls"
        channel = self._consortium.channel
        try:
            height = await asyncio.to_thread(joining.orderer_height, node, host, tls, channel)
        except (OSError, http.client.HTTPException):
            return 0  # the other orderers tell the height of the channel
        return height or 0

    async def _fetch(self, rollout: ContractRollout, peer: Node, ordered: int) -> None:
        """Wait until a peer has `ordered` blocks, as long as its height grows."""
        gateway, endpoint = rollout.admin(peer.organisation), endpoint_of(peer, self._placement)
        height = 0

        async def stands_still(before: int) -> str:
            nonlocal height
            try:
                height = await gateway.height(endpoint)
            except ClockSkew:
                raise  # waiting does not correct a clock
            except GatewayError as error:
                return str(error)
            return "" if height > before else f"it has {height} of {ordered} blocks"

        while height < ordered:
            await until(
                f"{peer.name}, which fetches blocks,",
                partial(stands_still, height),
                within_s=self._within_s,
                log=self._log(peer),
            )

    async def until_well(self, node: Node, *, within_s: float | None = None) -> None:
        """Wait until a node says that it is well. Raises `NotReady`."""
        host = self._placement.host(node)

        async def missing() -> str:
            if node.kind == "contract":  # a contract serves its metrics once all of it is up
                return await health(host, node.operations_port, "/metrics")
            # A node's own service may come up some moments after its health service.
            said = await health(host, node.operations_port)
            return said or await listens(host, node.port)

        await until(
            node.name,
            missing,
            within_s=self._within_s if within_s is None else within_s,
            log=self._log(node),
        )

    async def _join_orderer(self, node: Node, genesis: bytes) -> None:
        await self.until_well(node)
        host = self._placement.host(node)
        # The administration service comes up some moments after the health service.
        port = node.port + ADMIN_PORT
        await until(node.name, lambda: listens(host, port), within_s=self._within_s)
        tls = self._material.folder.orderer_administrator(node.organisation) / "tls"
        await asyncio.to_thread(joining.join_orderer, node, host, tls, genesis)

    async def _join_peer(self, node: Node, genesis: bytes) -> None:
        await self.until_well(node)
        own = profile(self._consortium, node.organisation.name, self._placement)
        async with directly(node, self._placement) as channel:
            await joining.join_peer(channel, own.identity("admin").current(), genesis)

    def _log(self, node: Node) -> Path | None:
        return self._material.folder.log(node) if self._has_logs else None
