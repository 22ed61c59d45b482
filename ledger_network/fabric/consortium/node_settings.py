"""Each node's own folder: core.yaml or orderer.yaml, its MSP and its TLS files.

A node needs no other files, so a container is given exactly this folder. Settings are based on
Fabric's samples; this module says what is changed in the samples and why.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any, cast

import msgspec

from ledger_network.fabric.binaries.install import Installation
from ledger_network.fabric.consortium.definition import (
    ADMIN_PORT,
    CHAINCODE_PORT,
    Consortium,
    Node,
)
from ledger_network.fabric.consortium.placement import Placement

KEEPALIVE_MIN = "5s"  # peers and orderers that ping more often are disconnected with GoAway
DIAL_AGAIN_S = "1s"  # anchor peers are dialled before all have joined; the default is 25 s
TELL_HEIGHT_S = "4s"  # each announcement costs every other peer a signature check
LOG_FORMAT = "%{time:2006-01-02T15:04:05.000Z07:00} %{level} %{module}: %{message}"
RECONCILE_S = "1s"
PULL_S = "2s"
OTHER_ORDERER_S = "2s"
# Peers and orderers make much short-lived memory of a little that stays. By default they collect it
# when the heap has doubled, which takes a seventh of their CPU; now when it is fivefold, or near the
# limit, which a node passes if it must.
GO_MEMORY = {"GOGC": "400", "GOMEMLIMIT": "768MiB"}
YAML = dict[str, Any]


def make_node_folders(
    consortium: Consortium, placement: Placement, installed: Installation
) -> None:
    """Write the folders of all orderers, peers and contract services."""
    orderer_roots = [placement.folder.tls_root(node) for node in consortium.nodes("orderer")]
    for node in consortium.nodes():
        config = placement.folder.config(node)
        material = placement.folder.node_material(node)
        shutil.rmtree(config, ignore_errors=True)
        config.mkdir(parents=True)
        shutil.copytree(material / "tls", config / "tls")
        if node.kind == "contract":
            continue
        shutil.copytree(material / "msp", config / "msp")
        if node.kind == "peer":
            settings = peer_settings(consortium, node, placement)
            _write_over(installed.samples / "core.yaml", settings, config / "core.yaml")
        else:
            roots = b"".join(dict.fromkeys(root.read_bytes() for root in orderer_roots))
            (config / "tls" / "orderers.crt").write_bytes(roots)
            settings = orderer_settings(node, placement, consortium.limits.time_window_s)
            _write_over(installed.samples / "orderer.yaml", settings, config / "orderer.yaml")


def peer_settings(consortium: Consortium, node: Node, placement: Placement) -> YAML:
    """Return the settings that differ from Fabric's sample core.yaml."""
    listen, port = placement.listen(node), node.port
    address = f"{placement.host(node)}:{port}"
    neighbours = [
        f"{placement.host(other)}:{other.port}"
        for other in consortium.peers_of(node.organisation)
        if other != node
    ]
    gossip = {
        "bootstrap": " ".join(neighbours) or address,
        "endpoint": address,
        "externalEndpoint": address,
        "reconnectInterval": DIAL_AGAIN_S,
        "publishStateInfoInterval": TELL_HEIGHT_S,
        "requestStateInfoInterval": TELL_HEIGHT_S,
        # Each peer pulls blocks from the orderers itself, so no leader is elected.
        "useLeaderElection": False,
        "orgLeader": True,
        "state": {"enabled": False},
        # A block waits for its private values, also for one that no peer has, such as its member's
        # lost approval. A peer that has committed it without one reads that value as absent, and
        # its endorsements differ, until it has asked for it again. The defaults are a minute.
        "pvtData": {"reconcileSleepInterval": RECONCILE_S, "pullRetryThreshold": PULL_S},
    }
    data = placement.data(node)
    return {
        "peer": {
            "id": node.hostname,
            "networkId": consortium.name,
            "listenAddress": f"{listen}:{port}",
            "address": address,
            "chaincodeListenAddress": f"{listen}:{port + CHAINCODE_PORT}",
            "chaincodeAddress": f"{placement.host(node)}:{port + CHAINCODE_PORT}",
            "localMspId": node.organisation.msp,
            "fileSystemPath": data,
            "keepalive": {"minInterval": KEEPALIVE_MIN},
            "gossip": gossip,
            # An orderer that missed one block may wait ten seconds until it asks for it, and a peer
            # that takes its blocks from there is as late. It sees the others' headers, and changes
            # to another orderer when they have been ahead for so long; the default is 30 s.
            "deliveryclient": {"blockCensorshipTimeoutKey": OTHER_ORDERER_S},
            "tls": {"enabled": True},
            "authentication": {"timewindow": f"{consortium.limits.time_window_s}s"},
            "limits": {"concurrency": {"gatewayService": consortium.limits.gateway_requests}},
        },
        # With any other value /healthz would ask for a Docker engine.
        "vm": {"endpoint": ""},
        "chaincode": {
            "externalBuilders": [{"name": "commonwatt", "path": placement.builder_path}],
        },
        "ledger": {
            "snapshots": {"rootDir": f"{data}/snapshots"},
            # The history is a second database, written with every block. Neither the contract nor
            # any client reads it, since readers of the past have the blocks.
            "history": {"enableHistoryDatabase": False},
        },
        "operations": {"listenAddress": f"{listen}:{node.operations_port}"},
        "metrics": {"provider": "prometheus"},
    }


def orderer_settings(node: Node, placement: Placement, time_window_s: int) -> YAML:
    """Return the settings that differ from Fabric's sample orderer.yaml."""
    listen, data = placement.listen(node), placement.data(node)
    own_tls = {"Enabled": True, "Certificate": "tls/server.crt", "PrivateKey": "tls/server.key"}
    return {
        "General": {
            "ListenAddress": listen,
            "ListenPort": node.port,
            "LocalMSPID": node.organisation.orderer_msp,
            "LocalMSPDir": "msp",
            "BootstrapMethod": "none",
            "TLS": own_tls | {"RootCAs": ["tls/ca.crt"]},
            "Keepalive": {"ServerMinInterval": KEEPALIVE_MIN},
            "Cluster": {
                "ClientCertificate": "tls/server.crt",
                "ClientPrivateKey": "tls/server.key",
                "RootCAs": ["tls/orderers.crt"],
            },
            "Authentication": {"TimeWindow": f"{time_window_s}s"},
        },
        "FileLedger": {"Location": f"{data}/ledger"},
        "Consensus": {"WALDir": f"{data}/wal", "SnapDir": f"{data}/snapshots"},
        "Operations": {"ListenAddress": f"{listen}:{node.operations_port}"},
        "Metrics": {"Provider": "prometheus"},
        "Admin": {
            "ListenAddress": f"{listen}:{node.port + ADMIN_PORT}",
            "TLS": own_tls
            | {
                "ClientAuthRequired": True,
                "RootCAs": ["tls/ca.crt"],
                "ClientRootCAs": ["tls/ca.crt"],
            },
        },
    }


def fabric_environment(config: str | Path) -> dict[str, str]:
    """Return the environment of a peer or an orderer. The node has to be started in its folder
    `config`, because it looks for some files of its settings in the current folder.
    """
    return {
        "FABRIC_CFG_PATH": str(config),
        "FABRIC_LOGGING_SPEC": "warning",
        "FABRIC_LOGGING_FORMAT": LOG_FORMAT,
        **GO_MEMORY,
    }


def contract_environment(
    node: Node, placement: Placement, package: str, config: str | Path
) -> dict[str, str]:
    """Return the environment of a contract service; the service sees its folder as `config`."""
    tls = Path(config) / "tls"
    return {
        "CHAINCODE_ID": package,
        "CHAINCODE_SERVER_ADDRESS": f"{placement.listen(node)}:{node.port}",
        "CHAINCODE_TLS_CERT_FILE": str(tls / "server.crt"),
        "CHAINCODE_TLS_KEY_FILE": str(tls / "server.key"),
        "CHAINCODE_CLIENT_CA_CERT_FILE": str(tls / "ca.crt"),
        "COMMONWATT_METRICS_ADDRESS": f"{placement.listen(node)}:{node.operations_port}",
    }


def _write_over(sample: Path, ours: YAML, target: Path) -> None:
    settings = msgspec.yaml.decode(sample.read_bytes(), type=YAML)
    target.write_bytes(msgspec.yaml.encode(_merged(settings, ours)))


def _merged(sample: YAML, ours: YAML) -> YAML:
    """Return `sample` with the values of `ours` written over it, part by part."""
    merged = dict(sample)
    for name, value in ours.items():
        inner = cast("YAML", value) if isinstance(value, dict) else None
        under = cast("YAML", merged[name]) if isinstance(merged.get(name), dict) else None
        merged[name] = value if inner is None or under is None else _merged(under, inner)
    return merged
