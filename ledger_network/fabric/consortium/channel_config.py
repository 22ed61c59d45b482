"""The channel's configuration and its first block, from the consortium.

`configtx.yaml` is written for Fabric's configtxgen, with BFT ordering (SmartBFT, capability V3_0).
"""

from __future__ import annotations

from typing import Any

import msgspec

from ledger_network.fabric.binaries.install import Installation
from ledger_network.fabric.consortium.crypto import run_program
from ledger_network.fabric.consortium.definition import Consortium, Node, Organisation
from ledger_network.fabric.consortium.placement import NetworkFolder, Placement
from ledger_network.fabric.consortium.policies import (
    Principal,
    Rule,
    any_of,
    approvers,
    one_of_each,
    orderer_members,
    readers,
    writers,
)

PROFILE = "Market"
REQUEST_BYTES_MAX = 10 * 1_048_576
READ_BY_MEMBERS = (
    "peer/Propose",
    "_lifecycle/QueryChaincodeDefinition",
    "_lifecycle/QueryChaincodeDefinitions",
)
"""Resources that every member may use; by default only writers may, which excludes a regulator."""


def make_channel(consortium: Consortium, placement: Placement, installed: Installation) -> None:
    """Write configtx.yaml and the first block. Raises `GenerationFailed`."""
    folder = placement.folder
    folder.configtx.write_bytes(msgspec.yaml.encode(channel_plan(consortium, placement)))
    arguments = ["-profile", PROFILE, "-channelID", consortium.channel]
    command = [installed.program("configtxgen"), *arguments, "-outputBlock", folder.genesis]
    run_program(command, config=folder.root)


def channel_plan(consortium: Consortium, placement: Placement) -> dict[str, Any]:
    """Return the input of configtxgen."""
    everybody = readers(consortium)
    orderers = orderer_members(consortium)
    return {
        "Profiles": {
            PROFILE: {
                "Policies": {
                    "Readers": _signed(any_of([*everybody, *orderers])),
                    "Writers": _signed(any_of([*writers(consortium), *orderers])),
                    "Admins": _implicit("MAJORITY Admins"),
                },
                "Capabilities": {"V3_0": True},
                "Orderer": _ordering(consortium, placement),
                "Application": _application(consortium, placement),
            }
        }
    }


def _signed(rule: Rule) -> dict[str, str]:
    return {"Type": "Signature", "Rule": str(rule)}


def _implicit(rule: str) -> dict[str, str]:
    return {"Type": "ImplicitMeta", "Rule": rule}


def _application(consortium: Consortium, placement: Placement) -> dict[str, Any]:
    return {
        "ACLs": dict.fromkeys(READ_BY_MEMBERS, "/Channel/Application/Readers"),
        "Organizations": [
            _member(consortium, member, placement) for member in consortium.organisations
        ],
        "Capabilities": {"V2_5": True},
        "Policies": {
            "Readers": _signed(any_of(readers(consortium))),
            "Writers": _signed(any_of(writers(consortium))),
            "Admins": _signed(approvers(consortium, "admin")),
            "LifecycleEndorsement": _signed(approvers(consortium, "peer")),
            "Endorsement": _signed(one_of_each(consortium, consortium.policies.endorsement)),
        },
    }


def _member(consortium: Consortium, member: Organisation, placement: Placement) -> dict[str, Any]:
    """Return a member's section. Other organisations find a member's peers by its anchor peers."""
    writer = Principal(member.msp, "admin" if member.role == "regulator" else "member")
    made: dict[str, Any] = {
        "Name": member.name,
        "ID": member.msp,
        "MSPDir": str(placement.folder.organisation(member) / "msp"),
        "Policies": {
            "Readers": _signed(any_of([Principal(member.msp, "member")])),
            "Writers": _signed(any_of([writer])),
            "Admins": _signed(any_of([Principal(member.msp, "admin")])),
            "Endorsement": _signed(any_of([Principal(member.msp, "peer")])),
        },
    }
    anchors = [
        {"Host": placement.host(node), "Port": node.port} for node in consortium.peers_of(member)
    ]
    return made | ({"AnchorPeers": anchors} if anchors else {})


def _ordering(consortium: Consortium, placement: Placement) -> dict[str, Any]:
    limits = consortium.limits
    cut = f"{limits.cut_interval_ms}ms"
    return {
        "OrdererType": "BFT",
        "BatchTimeout": cut,
        "BatchSize": {
            "MaxMessageCount": limits.block_transactions,
            "AbsoluteMaxBytes": limits.block_bytes,
            "PreferredMaxBytes": limits.block_bytes // 5,
        },
        "SmartBFT": {
            "RequestBatchMaxCount": limits.block_transactions,
            "RequestBatchMaxBytes": limits.block_bytes,
            "RequestBatchMaxInterval": cut,
            "IncomingMessageBufferSize": 200,
            "RequestPoolSize": limits.request_pool,
            "RequestMaxBytes": REQUEST_BYTES_MAX,
            "RequestForwardTimeout": f"{limits.forward_timeout_ms}ms",
            "RequestComplainTimeout": f"{limits.complain_timeout_ms}ms",
            "RequestAutoRemoveTimeout": "3m",
            "ViewChangeResendInterval": "5s",
            "ViewChangeTimeout": f"{limits.view_change_timeout_ms}ms",
            "LeaderHeartbeatTimeout": f"{limits.heartbeat_timeout_ms}ms",
            "LeaderHeartbeatCount": 10,
            "CollectTimeout": "1s",
            "SyncOnStart": False,
            "SpeedUpViewChange": False,
        },
        "ConsenterMapping": [
            _consenter(number, node, placement)
            for number, node in enumerate(consortium.nodes("orderer"), start=1)
        ],
        "Organizations": [
            _orderer_organisation(consortium, member, placement)
            for member in consortium.organisations
            if member.orderers
        ],
        "Policies": {
            "Readers": _implicit("ANY Readers"),
            "Writers": _implicit("ANY Writers"),
            "Admins": _implicit("MAJORITY Admins"),
            "BlockValidation": _implicit("ANY Writers"),
        },
        "Capabilities": {"V2_0": True},
    }


def _consenter(number: int, node: Node, placement: Placement) -> dict[str, Any]:
    material = placement.folder.node_material(node)
    enrolled = signing_certificate(placement.folder, node)
    return {
        "ID": number,
        "Host": placement.host(node),
        "Port": node.port,
        "MSPID": node.organisation.orderer_msp,
        "Identity": enrolled,
        "ClientTLSCert": str(material / "tls" / "server.crt"),
        "ServerTLSCert": str(material / "tls" / "server.crt"),
    }


def signing_certificate(folder: NetworkFolder, node: Node) -> str:
    """Return where a node's enrolment certificate lies."""
    return str(folder.node_material(node) / "msp" / "signcerts" / f"{node.hostname}-cert.pem")


def _orderer_organisation(
    consortium: Consortium, member: Organisation, placement: Placement
) -> dict[str, Any]:
    msp = member.orderer_msp
    return {
        "Name": msp,
        "ID": msp,
        "MSPDir": str(placement.folder.orderer_organisation(member) / "msp"),
        "Policies": {
            "Readers": _signed(any_of([Principal(msp, "member")])),
            "Writers": _signed(any_of([Principal(msp, "member")])),
            "Admins": _signed(any_of([Principal(msp, "admin")])),
        },
        "OrdererEndpoints": [
            f"{placement.host(node)}:{node.port}"
            for node in consortium.nodes("orderer")
            if node.organisation == member
        ],
    }
