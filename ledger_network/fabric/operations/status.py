"""The status of a network: each node's process, height and memory, and the contract."""

from __future__ import annotations

import asyncio
import http.client
from collections.abc import Sequence

import msgspec

from ledger_network.fabric.consortium.definition import Node
from ledger_network.fabric.gateway.errors import GatewayError
from ledger_network.fabric.ledger.contract_service import ABOUT, READ, About
from ledger_network.fabric.operations.contract_rollout import ContractRollout, endpoint_of
from ledger_network.fabric.operations.joining import orderer_height
from ledger_network.fabric.operations.network import Network, contract_process
from ledger_network.fabric.runtime.processes import Processes, children_of, memory_bytes

ASK_S = 5.0


class NodeStatus(msgspec.Struct, frozen=True):
    """One node. `height` counts blocks; `lag` is how many blocks the most advanced node has more.

    `state` is that of the node's process (`down` if no supervisor runs), `says` what is wrong or
    how the process last ended.
    """

    name: str
    kind: str
    organisation: str
    role: str
    address: str
    state: str
    pid: int | None
    restarts: int
    height: int | None
    lag: int | None
    memory_bytes: int
    says: str


class NetworkStatus(msgspec.Struct, frozen=True):
    """A whole network. `is_well`: all processes run, all nodes answer and no node lags far."""

    consortium: str
    folder: str
    channel: str
    contract: str
    version: str
    sequence: int
    is_well: bool
    memory_bytes: int
    nodes: list[NodeStatus]


LAG_MAX = 20  # blocks; a node that is further behind is catching up or stuck


async def network_status(network: Network) -> NetworkStatus:
    """Ask every node; one that does not answer has no height and says why."""
    deployed = network.deployed()
    running = network.processes()
    orderers, peers = network.consortium.nodes("orderer"), network.consortium.nodes("peer")
    async with ContractRollout(network.consortium, network.placement) as rollout:
        heights = dict(
            zip(
                [node.name for node in (*orderers, *peers)],
                await asyncio.gather(
                    *(asyncio.to_thread(_orderer_height, network, node) for node in orderers),
                    *(_peer_height(network, rollout, node) for node in peers),
                ),
                strict=True,
            )
        )
    furthest = max((h for h in heights.values() if isinstance(h, int)), default=0)
    nodes = [
        _status(node, node.name, running, heights[node.name], furthest)
        for node in (*orderers, *peers)
    ]
    nodes += [
        _status(node, contract_process(node, deployed.sequence), running, None, 0)
        for node in network.consortium.contracts(deployed.sequence)
    ]
    supervised = memory_bytes(running.supervisor.pid) if running else 0
    return NetworkStatus(
        consortium=network.consortium.name,
        folder=str(network.folder.root),
        channel=network.consortium.channel,
        contract=network.consortium.contract,
        version=deployed.version,
        sequence=deployed.sequence,
        is_well=all(_is_well(node) for node in nodes),
        memory_bytes=supervised + sum(node.memory_bytes for node in nodes),
        nodes=nodes,
    )


def _is_well(node: NodeStatus) -> bool:
    answers = node.kind == "contract" or node.height is not None
    return node.state == "running" and answers and (node.lag or 0) <= LAG_MAX


def _status(
    node: Node,
    process: str,
    running: Processes | None,
    height: int | str | None,
    furthest: int,
) -> NodeStatus:
    found = running.named(process) if running else None
    pid = found.process.pid if found and found.process else None
    says = height if isinstance(height, str) else (found.last_exit if found else "")
    counted = height if isinstance(height, int) else None
    return NodeStatus(
        name=process,
        kind=node.kind,
        organisation=node.organisation.name,
        role=node.organisation.role,
        address=node.address,
        state=found.state if found else "down",
        pid=pid,
        restarts=found.restarts if found else 0,
        height=counted,
        lag=None if counted is None else furthest - counted,
        memory_bytes=sum(map(memory_bytes, (pid, *children_of(pid)))) if pid else 0,
        says=says,
    )


def _orderer_height(network: Network, node: Node) -> int | str:
    """Return an orderer's height, from its administration service, or why it is not known."""
    tls = network.folder.orderer_administrator(node.organisation) / "tls"
    channel = network.consortium.channel
    try:
        height = orderer_height(node, network.placement.host(node), tls, channel)
    except (OSError, http.client.HTTPException, ValueError) as error:
        return f"no answer: {error}"
    return f"is not in the channel {channel}" if height is None else height


async def _peer_height(network: Network, rollout: ContractRollout, node: Node) -> int | str:
    """Return the height of a peer, or why it is not known."""
    gateway = rollout.admin(node.organisation)
    try:
        async with asyncio.timeout(ASK_S):
            return await gateway.height(endpoint_of(node, network.placement))
    except (GatewayError, TimeoutError) as error:
        return f"no answer: {error}" if str(error) else f"no answer within {ASK_S:.0f} s"


async def contracts_run(
    network: Network, rollout: ContractRollout, members: Sequence[str]
) -> dict[str, About | str]:
    """Return which contract each member's service runs, or why that is not known."""
    found: dict[str, About | str] = {}
    for member in rollout.members:
        if member.name not in members:
            continue
        peer = network.consortium.peers_of(member)[0]
        call = [ABOUT.encode(), b"{}", READ]
        try:
            async with asyncio.timeout(ASK_S):
                answer = await rollout.admin(member).evaluate(
                    network.consortium.contract,
                    call,
                    organisations=[member.msp],
                    endpoint=endpoint_of(peer, network.placement),
                )
        except (GatewayError, TimeoutError) as error:
            found[member.name] = str(error) or f"no answer within {ASK_S:.0f} s"
        else:
            found[member.name] = msgspec.json.decode(answer, type=About)
    return found
