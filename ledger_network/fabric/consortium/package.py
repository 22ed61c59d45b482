"""The contract's package, its collections and its definition, as the lifecycle takes them.

A package says where a peer finds the running contract and how the two authenticate each other: by
mutual TLS, with the peer's own certificate. The same connection always gives the same bytes, and so
the same package id.
"""

from __future__ import annotations

import gzip
import io
import json
import tarfile
from collections.abc import Mapping
from hashlib import sha256

from fabric_protos.peer import collection_pb2, policy_pb2

from ledger_network.fabric.consortium.definition import Consortium, Node
from ledger_network.fabric.consortium.placement import Placement
from ledger_network.fabric.consortium.policies import Rule, collection_members, one_of_each, stored

PACKAGE_TYPE = "ccaas"
DIAL_TIMEOUT = "10s"


def contract_package(label: str, peer: Node, contract: Node, placement: Placement) -> bytes:
    """The package that `peer` installs to reach its `contract` service."""
    folder = placement.folder
    tls = folder.node_material(peer) / "tls"
    connection = {
        "address": f"{placement.host(contract)}:{contract.port}",
        "client_auth_required": True,
        "client_cert": (tls / "server.crt").read_text("ascii"),
        "client_key": (tls / "server.key").read_text("ascii"),
        "dial_timeout": DIAL_TIMEOUT,
        "root_cert": folder.tls_root(contract).read_text("ascii"),
        "tls_required": True,
    }
    code = _archive({"connection.json": _json(connection)})
    metadata = _json({"label": label, "type": PACKAGE_TYPE})
    return _archive({"metadata.json": metadata, "code.tar.gz": code})


def package_id(label: str, package: bytes) -> str:
    """The id that a peer gives to a package."""
    return f"{label}:{sha256(package).hexdigest()}"


def application_policy(rule: Rule) -> bytes:
    """A signature policy in the form that a definition carries."""
    policy = policy_pb2.ApplicationPolicy(signature_policy=stored(rule))
    return policy.SerializeToString()


def collections(consortium: Consortium) -> collection_pb2.CollectionConfigPackage:
    """The private collections; only members of a collection hold, read and write its values."""
    return collection_pb2.CollectionConfigPackage(
        config=[
            collection_pb2.CollectionConfig(
                static_collection_config=collection_pb2.StaticCollectionConfig(
                    name=collection.name,
                    member_orgs_policy=collection_pb2.CollectionPolicyConfig(
                        signature_policy=stored(collection_members(consortium, collection.members))
                    ),
                    required_peer_count=collection.required_peers,
                    maximum_peer_count=collection.max_peers,
                    block_to_live=0,
                    member_only_read=True,
                    member_only_write=True,
                    endorsement_policy=policy_pb2.ApplicationPolicy(
                        signature_policy=stored(one_of_each(consortium, collection.endorsement))
                    ),
                )
            )
            for collection in consortium.collections
        ]
    )


def _json(value: Mapping[str, object]) -> bytes:
    return json.dumps(value, sort_keys=True).encode()


def _archive(files: Mapping[str, bytes]) -> bytes:
    """A tar.gz of `files` without times and owners."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            entry.mode = 0o600
            archive.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)
