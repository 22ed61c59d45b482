"""The lifecycle of a contract on the channel: install, approve, commit, by Fabric's `_lifecycle`.

Every organisation installs its own package and approves the definition; one commits it when enough
have approved. Each step may be repeated: what is done already is found and passed over.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import grpc.aio
from fabric_protos.peer import collection_pb2
from fabric_protos.peer.lifecycle import lifecycle_pb2

from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.gateway.errors import GatewayError, Outcome
from ledger_network.fabric.gateway.signing import Credential
from ledger_network.fabric.joining import JoinFailed, ask_peer

LIFECYCLE = "_lifecycle"
WITHIN_S = 90.0  # peers that have just joined take up to half a minute to find each other
PAUSE_S = 0.1
INSTALLED_ALREADY = "already successfully installed"
UNCHANGED = re.compile(
    r"attempted to redefine (uncommitted sequence .* with unchanged content"
    r"|the current committed sequence \(\d+\) for namespace [^ ;(]+(?! with))"
)
"""What a peer says of a definition that is approved or committed already, just so."""


@dataclass(frozen=True)
class Definition:
    """A contract as the channel agrees on it; `sequence` counts the definitions of its name."""

    name: str
    version: str
    sequence: int
    policy: bytes
    collections: collection_pb2.CollectionConfigPackage


async def install(channel: grpc.aio.Channel, admin: Credential, package: bytes) -> str:
    """Install a package on a peer; its id. Raises `JoinFailed`."""
    arguments = lifecycle_pb2.InstallChaincodeArgs(chaincode_install_package=package)
    try:
        answer = await _own(channel, admin, "InstallChaincode", arguments.SerializeToString())
    except JoinFailed as failed:
        if INSTALLED_ALREADY not in str(failed):
            raise
        return ""
    return lifecycle_pb2.InstallChaincodeResult.FromString(answer).package_id


async def installed(channel: grpc.aio.Channel, admin: Credential) -> list[str]:
    """The ids of the packages on a peer."""
    asked = lifecycle_pb2.QueryInstalledChaincodesArgs().SerializeToString()
    answer = await _own(channel, admin, "QueryInstalledChaincodes", asked)
    result = lifecycle_pb2.QueryInstalledChaincodesResult.FromString(answer)
    return [one.package_id for one in result.installed_chaincodes]


async def _own(channel: grpc.aio.Channel, admin: Credential, name: str, arguments: bytes) -> bytes:
    return await ask_peer(channel, admin, LIFECYCLE, [name.encode(), arguments])


async def approve(gateway: Gateway, definition: Definition, package: str) -> None:
    """Approve a definition for the gateway's organisation, with the package that it runs."""
    arguments = lifecycle_pb2.ApproveChaincodeDefinitionForMyOrgArgs(
        name=definition.name,
        version=definition.version,
        sequence=definition.sequence,
        endorsement_plugin="escc",
        validation_plugin="vscc",
        validation_parameter=definition.policy,
        collections=definition.collections,
        source=lifecycle_pb2.ChaincodeSource(
            local_package=lifecycle_pb2.ChaincodeSource.Local(package_id=package)
        ),
    )
    own = [gateway.identity.msp_id]
    call = [b"ApproveChaincodeDefinitionForMyOrg", arguments.SerializeToString()]
    await _until_done(gateway, call, own)


async def commit(gateway: Gateway, definition: Definition, organisations: Sequence[str]) -> None:
    """Commit a definition that `organisations` have approved and endorse."""
    arguments = lifecycle_pb2.CommitChaincodeDefinitionArgs(
        name=definition.name,
        version=definition.version,
        sequence=definition.sequence,
        endorsement_plugin="escc",
        validation_plugin="vscc",
        validation_parameter=definition.policy,
        collections=definition.collections,
    )
    call = [b"CommitChaincodeDefinition", arguments.SerializeToString()]
    await _until_done(gateway, call, organisations)


async def committed(gateway: Gateway, name: str) -> tuple[str, int] | None:
    """Version and sequence of the definition that the channel has, None where it has none."""
    asked = lifecycle_pb2.QueryChaincodeDefinitionArgs(name=name).SerializeToString()
    try:
        answer = await gateway.evaluate(LIFECYCLE, [b"QueryChaincodeDefinition", asked])
    except GatewayError as error:
        if "is not defined" in str(error):
            return None
        raise
    found = lifecycle_pb2.QueryChaincodeDefinitionResult.FromString(answer)
    return found.version, found.sequence


async def approvals(gateway: Gateway, definition: Definition) -> Mapping[str, bool]:
    """Which organisations have approved a definition that is not committed yet."""
    arguments = lifecycle_pb2.CheckCommitReadinessArgs(
        name=definition.name,
        version=definition.version,
        sequence=definition.sequence,
        endorsement_plugin="escc",
        validation_plugin="vscc",
        validation_parameter=definition.policy,
        collections=definition.collections,
    ).SerializeToString()
    answer = await gateway.evaluate(LIFECYCLE, [b"CheckCommitReadiness", arguments])
    return dict(lifecycle_pb2.CheckCommitReadinessResult.FromString(answer).approvals)


async def _until_done(
    gateway: Gateway, call: Sequence[bytes], organisations: Sequence[str]
) -> None:
    """Submit, again while peers have not yet found each other or lag behind."""
    loop = asyncio.get_running_loop()
    deadline_s = loop.time() + WITHIN_S
    while True:
        try:
            await gateway.submit(LIFECYCLE, call, organisations=organisations)
        except GatewayError as error:
            if UNCHANGED.search(str(error)):
                return
            if loop.time() > deadline_s or error.outcome is Outcome.FORBIDDEN:
                raise
        else:
            return
        await asyncio.sleep(PAUSE_S)
