"""Keys, channel and settings of a network, as Fabric's own programs made or read them."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any, cast

import msgspec
import pytest
from cryptography import x509
from cryptography.x509.oid import NameOID
from fabric_protos.common import common_pb2, configtx_pb2, configuration_pb2, policies_pb2

from ledger_network.fabric.consortium.channel_config import channel_plan
from ledger_network.fabric.consortium.crypto import GenerationFailed, crypto_plan, make_crypto
from ledger_network.fabric.consortium.definition import Node, read_consortium
from ledger_network.fabric.consortium.node_settings import contract_environment, orderer_settings
from ledger_network.fabric.consortium.placement import NetworkFolder, Placement
from ledger_network.fabric.consortium.policies import any_of as any_one_of
from ledger_network.fabric.consortium.policies import approvers, readers, stored, writers
from ledger_network.fabric.operations.material import Material, NetworkFault
from tests.ledger_network.fabric.binaries.programs import built_programs
from tests.ledger_network.fabric.consortium.files import default_document, parsed

CONTAINERS = Placement("containers", NetworkFolder(Path("/material")), Path("/builder"))


def settings(material: Material, node: Node) -> dict[str, Any]:
    """What a node reads."""
    name = "orderer.yaml" if node.kind == "orderer" else "core.yaml"
    path = material.folder.config(node) / name
    return cast("dict[str, Any]", msgspec.yaml.decode(path.read_bytes()))


def certificate(path: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate(path.read_bytes())


def genesis(material: Material) -> configtx_pb2.ConfigGroup:
    """The channel's configuration out of its first block."""
    block = common_pb2.Block.FromString(material.folder.genesis.read_bytes())
    envelope = common_pb2.Envelope.FromString(block.data.data[0])
    payload = common_pb2.Payload.FromString(envelope.payload)
    return configtx_pb2.ConfigEnvelope.FromString(payload.data).config.channel_group


def signature_policy(
    group: configtx_pb2.ConfigGroup, name: str
) -> policies_pb2.SignaturePolicyEnvelope:
    policy = group.policies[name].policy
    assert policy.type == policies_pb2.Policy.SIGNATURE
    return policies_pb2.SignaturePolicyEnvelope.FromString(policy.value)


def test_every_node_asks_for_a_certificate_that_holds_for_all_its_names() -> None:
    consortium = read_consortium()
    plan = crypto_plan(consortium)

    hosts = {
        f"{spec['Hostname']}.{organisation['Domain']}": spec["SANS"]
        for organisation in (*plan["OrdererOrgs"], *plan["PeerOrgs"])
        for spec in organisation["Specs"]
    }

    assert set(hosts) == {node.hostname for node in consortium.nodes()}
    for node in consortium.nodes():
        assert set(hosts[node.hostname]) == {"localhost", "127.0.0.1", node.name}


def test_certificates_hold_for_the_addresses_that_nodes_are_called_at(made: Material) -> None:
    for node in made.consortium.nodes():
        found = certificate(made.folder.config(node) / "tls" / "server.crt")
        names = found.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        assert node.name in names.get_values_for_type(x509.DNSName)
        assert node.hostname in names.get_values_for_type(x509.DNSName)
        addresses = map(str, names.get_values_for_type(x509.IPAddress))
        assert node.site.host in addresses
        found.verify_directly_issued_by(certificate(made.folder.tls_root(node)))


def test_enrolment_certificates_say_what_their_holder_is(made: Material) -> None:
    for node in made.consortium.nodes("orderer", "peer"):
        folder = made.folder.config(node) / "msp" / "signcerts"
        (path,) = folder.iterdir()
        units = certificate(path).subject.get_attributes_for_oid(NameOID.ORGANIZATIONAL_UNIT_NAME)
        assert [unit.value for unit in units] == [node.kind]


def test_a_node_is_given_nothing_of_anybody_else(made: Material) -> None:
    owners: dict[bytes, str] = {}
    for node in made.consortium.nodes():
        config = made.folder.config(node)
        keys = [*config.rglob("*_sk"), *config.rglob("*.key")]
        assert len(keys) == (1 if node.kind == "contract" else 2), node.name
        for key in keys:
            assert owners.setdefault(key.read_bytes(), node.name) == node.name


def test_others_on_the_machine_cannot_enter_the_folder(made: Material) -> None:
    assert stat.S_IMODE(made.folder.root.stat().st_mode) == 0o700


def test_peer_holds_to_what_was_measured(made: Material) -> None:
    for node in made.consortium.nodes("peer"):
        peer = settings(made, node)["peer"]
        assert peer["tls"]["enabled"] is True
        assert peer["localMspId"] == node.organisation.msp
        assert peer["authentication"]["timewindow"] == "60s"
        assert peer["keepalive"]["minInterval"] == "5s"
        assert peer["gossip"]["reconnectInterval"] == "1s"
        assert peer["gossip"]["pvtData"]["reconcileSleepInterval"] == "1s"
        assert peer["deliveryclient"]["blockCensorshipTimeoutKey"] == "2s"
        assert peer["limits"]["concurrency"]["gatewayService"] == 5_000
        assert peer["address"] == node.address
        assert peer["gossip"]["externalEndpoint"] == node.address


def test_peer_lets_contracts_batch_and_looks_for_no_docker(made: Material) -> None:
    for node in made.consortium.nodes("peer"):
        core = settings(made, node)
        assert core["vm"]["endpoint"] == ""
        assert core["chaincode"]["runtimeParams"]["useWriteBatch"] is True
        assert core["chaincode"]["runtimeParams"]["useGetMultipleKeys"] is True
        (builder,) = core["chaincode"]["externalBuilders"]
        assert (Path(builder["path"]) / "bin" / "detect").exists()
        assert core["operations"]["listenAddress"].endswith(f":{node.operations_port}")
        assert core["metrics"]["provider"] == "prometheus"


def test_orderer_is_administered_over_mutual_tls_alone(made: Material) -> None:
    for node in made.consortium.nodes("orderer"):
        found = settings(made, node)
        assert found["General"]["LocalMSPID"] == f"{node.organisation.name}Orderer"
        assert found["General"]["TLS"]["Enabled"] is True
        assert found["General"]["BootstrapMethod"] == "none"
        assert found["General"]["Authentication"]["TimeWindow"] == "60s"
        assert found["ChannelParticipation"]["Enabled"] is True
        assert found["Admin"]["ListenAddress"] == f"127.0.0.1:{node.site.port + 1}"
        assert found["Admin"]["TLS"]["Enabled"] is True
        assert found["Admin"]["TLS"]["ClientAuthRequired"] is True


def test_files_that_settings_name_are_in_the_node_s_folder(made: Material) -> None:
    for node in made.consortium.nodes("orderer"):
        general, config = settings(made, node)["General"], made.folder.config(node)
        named = [general["TLS"]["Certificate"], general["TLS"]["PrivateKey"]]
        named += [*general["TLS"]["RootCAs"], *general["Cluster"]["RootCAs"]]
        named += [general["LocalMSPDir"]]
        assert [name for name in named if not (config / name).exists()] == []


def test_first_block_holds_the_policies_that_we_would_store(made: Material) -> None:
    consortium, channel = made.consortium, genesis(made)
    application = channel.groups["Application"]

    lifecycle = signature_policy(application, "LifecycleEndorsement")
    assert lifecycle == stored(approvers(consortium, "peer"))
    assert signature_policy(application, "Admins") == stored(approvers(consortium, "admin"))
    assert signature_policy(application, "Readers") == stored(any_one_of(readers(consortium)))
    assert signature_policy(application, "Writers") == stored(any_one_of(writers(consortium)))


def test_first_block_has_anchor_peers_and_four_consenters(made: Material) -> None:
    channel = genesis(made)

    members = channel.groups["Application"].groups
    assert set(members) == {member.msp for member in made.consortium.organisations}
    assert all("AnchorPeers" in members[name].values for name in members)
    raw = channel.groups["Orderer"].values["Orderers"].value
    consenters = configuration_pb2.Orderers.FromString(raw)
    assert [one.id for one in consenters.consenter_mapping] == [1, 2, 3, 4]
    assert [one.port for one in consenters.consenter_mapping] == [
        node.port for node in made.consortium.nodes("orderer")
    ]


def test_limits_of_the_file_reach_channel_and_nodes() -> None:
    document = default_document()
    document["limits"] = {"cut_interval_ms": 50, "block_transactions": 7, "time_window_s": 90}
    consortium = parsed(document)

    plan = channel_plan(consortium, CONTAINERS)["Profiles"]["Market"]["Orderer"]

    assert plan["SmartBFT"]["RequestBatchMaxInterval"] == plan["BatchTimeout"] == "50ms"
    assert plan["SmartBFT"]["RequestBatchMaxCount"] == 7
    assert plan["BatchSize"]["MaxMessageCount"] == 7
    orderer = orderer_settings(consortium.nodes("orderer")[0], CONTAINERS, 90)
    assert orderer["General"]["Authentication"] == {"TimeWindow": "90s"}


def test_containers_are_called_by_their_service_s_name() -> None:
    node = read_consortium().nodes("contract")[0]

    environment = contract_environment(node, CONTAINERS, "label:1", "/etc/commonwatt")

    assert CONTAINERS.host(node) == "contract-nordgrid"
    assert environment["CHAINCODE_SERVER_ADDRESS"] == f"0.0.0.0:{node.port}"
    assert environment["CHAINCODE_TLS_KEY_FILE"] == "/etc/commonwatt/tls/server.key"
    assert environment["CHAINCODE_ID"] == "label:1"


def test_material_that_is_there_is_kept(made: Material) -> None:
    before = {path: path.stat().st_mtime_ns for path in made.folder.root.rglob("*")}

    made.make(built_programs(), version="9.9.9")

    assert {path: path.stat().st_mtime_ns for path in made.folder.root.rglob("*")} == before
    assert made.deployed().version == "1.0.0"


def test_folder_of_another_consortium_is_left_alone(made: Material) -> None:
    document = default_document()
    document["channel"] = "another-market"

    other = Material(parsed(document), made.placement)

    with pytest.raises(NetworkFault, match=r"another consortium's file.*--purge"):
        other.make(built_programs(), version="1")


def test_program_of_fabric_that_fails_is_quoted(tmp_path: Path) -> None:
    taken = tmp_path / "network" / "crypto"
    taken.parent.mkdir()
    taken.write_text("a file where a folder has to be")

    with pytest.raises(GenerationFailed, match=r"cryptogen ended with \d"):
        make_crypto(read_consortium(), NetworkFolder(taken.parent), built_programs())
