"""The contract's package: the same bytes each time, and the id that a peer gives to them."""

from __future__ import annotations

import io
import json
import subprocess
import tarfile
from pathlib import Path

from fabric_protos.peer import collection_pb2, policy_pb2

from ledger_network.fabric.consortium.definition import read_consortium
from ledger_network.fabric.consortium.package import (
    application_policy,
    collections,
    contract_package,
    package_id,
)
from ledger_network.fabric.consortium.policies import one_of_each, stored
from ledger_network.fabric.operations.material import Material
from tests.ledger_network.fabric.binaries.programs import built_programs
from tests.ledger_network.fabric.consortium.files import default_document, parsed


def contents(package: bytes) -> dict[str, bytes]:
    """The files of a package, those of the inner archive included."""
    found: dict[str, bytes] = {}
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        for entry in archive:
            file = archive.extractfile(entry)
            assert file is not None
            content = file.read()
            found |= contents(content) if entry.name.endswith(".gz") else {entry.name: content}
    return found


def first(made: Material, label: str = "commonwatt_1") -> bytes:
    """The first peer's package."""
    peer, contract = made.consortium.nodes("peer")[0], made.consortium.contracts(1)[0]
    return contract_package(label, peer, contract, made.placement)


def test_same_connection_has_the_same_bytes_at_any_time(made: Material) -> None:
    package = first(made)

    assert package == first(made)
    assert package[4:8] == bytes(4)  # the time in the head of a gzip file (RFC 1952)
    with tarfile.open(fileobj=io.BytesIO(package), mode="r:gz") as archive:
        assert {(entry.mtime, entry.uid, entry.uname) for entry in archive} == {(0, 0, "")}


def test_id_is_the_one_that_a_peer_calculates(made: Material, tmp_path: Path) -> None:
    package = tmp_path / "package.tar.gz"
    package.write_bytes(first(made))
    peer = made.consortium.nodes("peer")[0]

    said = subprocess.run(
        [built_programs().program("peer"), "lifecycle", "chaincode", "calculatepackageid", package],
        check=True,
        capture_output=True,
        text=True,
        env={"FABRIC_CFG_PATH": str(made.folder.config(peer))},
        cwd=made.folder.config(peer),
    ).stdout

    assert said.strip() == package_id("commonwatt_1", package.read_bytes())


def test_package_leads_the_peer_to_its_own_contract_over_mutual_tls(made: Material) -> None:
    connection = json.loads(contents(first(made))["connection.json"])

    peer, contract = made.consortium.nodes("peer")[0], made.consortium.contracts(1)[0]
    tls = made.folder.config(peer) / "tls"
    assert connection["address"] == contract.address
    assert connection["tls_required"] is connection["client_auth_required"] is True
    assert connection["client_cert"] == (tls / "server.crt").read_text("ascii")
    assert connection["client_key"] == (tls / "server.key").read_text("ascii")
    assert connection["root_cert"] == made.folder.tls_root(contract).read_text("ascii")


def test_deployment_names_the_package_of_every_peer(made: Material) -> None:
    deployed = made.deployed()

    assert (deployed.version, deployed.sequence) == ("1.0.0", 1)
    label = f"{made.consortium.contract}_1.0.0.1"
    assert deployed.packages == {
        name: package_id(label, content) for name, content in made.packages(1).items()
    }
    assert len(set(deployed.packages.values())) == len(made.consortium.nodes("peer"))


def test_collection_is_closed_to_whoever_is_no_member_of_it() -> None:
    document = default_document()
    document["collections"][0] |= {"required_peers": 2, "max_peers": 5}
    consortium = parsed(document)

    (readings,) = collections(consortium).config

    found = readings.static_collection_config
    assert found.name == "readings"
    assert found.member_only_read is found.member_only_write is True
    assert (found.required_peer_count, found.maximum_peer_count) == (2, 5)
    assert found.block_to_live == 0
    wanted = stored(one_of_each(consortium, consortium.collections[0].endorsement))
    assert found.endorsement_policy.signature_policy == wanted
    identities = found.member_orgs_policy.signature_policy.identities
    assert len(identities) == len(consortium.organisations)


def test_contract_without_collections_has_none() -> None:
    document = default_document()
    del document["collections"]

    assert collections(parsed(document)) == collection_pb2.CollectionConfigPackage()


def test_definition_carries_the_market_s_policy() -> None:
    consortium = read_consortium()
    rule = one_of_each(consortium, consortium.policies.endorsement)

    policy = policy_pb2.ApplicationPolicy.FromString(application_policy(rule))

    assert policy.signature_policy == stored(rule)
