"""The lifecycle of a contract on the channel: install, approve, commit, by Fabric's `_lifecycle`.

Every organisation installs its own package and approves the definition; one commits it when enough
have approved. Each step may be repeated: what is already done is skipped.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import TypedDict

import grpc.aio
from fabric_protos.peer import collection_pb2
from fabric_protos.peer.lifecycle import lifecycle_pb2

from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.gateway.errors import GatewayError, Outcome
from ledger_network.fabric.gateway.signing import Credential
from ledger_network.fabric.operations.joining import JoinFailed, ask_peer

LIFECYCLE = "_lifecycle"
WITHIN_S = 90.0  # peers that have just joined take up to half a minute to find each other
PAUSE_S = 0.1
INSTALLED_ALREADY = "already successfully installed"
UNDEFINED = "is not defined"
NOT_APPROVED = "could not fetch approved chaincode definition"
VALUE_LOST = "private data matching public hash version is not available"
"""A peer's wording for an approval whose hash is in its blocks and whose value it has lost.

Only the hashes count: of the approval in a commit, of the package when the peer endorses.
"""
UNCHANGED = re.compile(
    r"attempted to redefine (uncommitted sequence .* with unchanged content"
    r"|the current committed sequence \(\d+\) for namespace [^ ;(]+(?! with))"
    f"|{VALUE_LOST}"
)
"""A peer's wording for a definition that is already approved or committed in the same form."""


@dataclass(frozen=True)
class Definition:
    """A contract as the channel agrees on it; `sequence` counts the definitions of its name."""

    name: str
    version: str
    sequence: int
    policy: bytes
    collections: collection_pb2.CollectionConfigPackage


class _Terms(TypedDict):
    """The terms of a definition that each message about it repeats."""

    name: str
    version: str
    sequence: int
    endorsement_plugin: str
    validation_plugin: str
    validation_parameter: bytes
    collections: collection_pb2.CollectionConfigPackage


def _terms(definition: Definition) -> _Terms:
    return _Terms(
        name=definition.name,
        version=definition.version,
        sequence=definition.sequence,
        endorsement_plugin="escc",
        validation_plugin="vscc",
        validation_parameter=definition.policy,
        collections=definition.collections,
    )


async def install(channel: grpc.aio.Channel, admin: Credential, package: bytes) -> None:
    """Install a package on a peer, unless it is there. Raises `JoinFailed`."""
    digest = sha256(package).hexdigest()
    if any(one.endswith(f":{digest}") for one in await installed(channel, admin)):
        return
    arguments = lifecycle_pb2.InstallChaincodeArgs(chaincode_install_package=package)
    try:
        await _own(channel, admin, "InstallChaincode", arguments.SerializeToString())
    except JoinFailed as failed:
        if INSTALLED_ALREADY not in str(failed):  # another caller installed it at the same time
            raise


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
    local = lifecycle_pb2.ChaincodeSource.Local(package_id=package)
    call = approval(definition, lifecycle_pb2.ChaincodeSource(local_package=local))
    await _until_done(gateway, call, [gateway.identity.msp_id])


def approval(definition: Definition, source: lifecycle_pb2.ChaincodeSource) -> list[bytes]:
    """The call that approves a definition for the caller's organisation, with package `source`."""
    arguments = lifecycle_pb2.ApproveChaincodeDefinitionForMyOrgArgs(
        **_terms(definition), source=source
    )
    return [b"ApproveChaincodeDefinitionForMyOrg", arguments.SerializeToString()]


async def approved(gateway: Gateway, definition: Definition, package: str) -> bool:
    """Return whether the gateway's organisation has approved a definition with that package.

    One of the organisation's peers is asked. If the peer has lost the value, the approval counts.
    """
    asked = lifecycle_pb2.QueryApprovedChaincodeDefinitionArgs(
        name=definition.name, sequence=definition.sequence
    ).SerializeToString()
    call = [b"QueryApprovedChaincodeDefinition", asked]
    try:
        answer = await gateway.evaluate(LIFECYCLE, call, organisations=[gateway.identity.msp_id])
    except GatewayError as error:
        if VALUE_LOST in str(error):
            return True
        if NOT_APPROVED in str(error):
            return False
        raise
    found = lifecycle_pb2.QueryApprovedChaincodeDefinitionResult.FromString(answer)
    return (found.version, found.source.local_package.package_id) == (definition.version, package)


async def commit(gateway: Gateway, definition: Definition, organisations: Sequence[str]) -> None:
    """Commit a definition that `organisations` have approved and endorse."""
    arguments = lifecycle_pb2.CommitChaincodeDefinitionArgs(**_terms(definition))
    call = [b"CommitChaincodeDefinition", arguments.SerializeToString()]
    await _until_done(gateway, call, organisations)


async def committed(gateway: Gateway, name: str) -> tuple[str, int] | None:
    """Version and sequence of the definition on the channel, None if there is no definition."""
    asked = lifecycle_pb2.QueryChaincodeDefinitionArgs(name=name).SerializeToString()
    try:
        answer = await gateway.evaluate(LIFECYCLE, [b"QueryChaincodeDefinition", asked])
    except GatewayError as error:
        if UNDEFINED in str(error):
            return None
        raise
    found = lifecycle_pb2.QueryChaincodeDefinitionResult.FromString(answer)
    return found.version, found.sequence


async def _until_done(
    gateway: Gateway, call: Sequence[bytes], organisations: Sequence[str]
) -> None:
    """Submit, and repeat while peers have not yet found each other or are behind."""
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
