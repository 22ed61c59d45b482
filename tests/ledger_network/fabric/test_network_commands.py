"""`commonwatt network` as an operator uses it on a network that runs, and with what is not there."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from chaincode.contract import Contract
from ledger_network.fabric.consortium.definition import DEFAULT_FILE
from ledger_network.fabric.consortium.profile import Profile
from ledger_network.fabric.operations.doctor import Finding
from ledger_network.fabric.operations.status import LAG_MAX, NetworkStatus
from tests.ledger_network.fabric.commands import command
from tests.ledger_network.fabric.grounds import StandingNetwork

pytestmark = pytest.mark.network

DEFAULT = DEFAULT_FILE.read_text("utf-8")


def of(network: StandingNetwork) -> tuple[str, Path]:
    """The option that names the network's folder."""
    return "--data", network.network.folder.root


def test_status_for_machines_tells_every_node_with_height_and_memory(
    network: StandingNetwork,
) -> None:
    result = command("status", *of(network), "--json")

    assert result.exit_code == 0, result.output
    status = msgspec.json.decode(result.stdout, type=NetworkStatus)
    assert status.is_well
    assert status.version == Contract.version
    assert [node.name for node in status.nodes] == [
        node.name for node in network.consortium.nodes()
    ]
    for node in status.nodes:
        assert (node.state, node.restarts) == ("running", 0), node
        assert node.memory_bytes > 10 * 2**20, node
        if node.kind != "contract":
            assert node.height is not None, node
            assert node.height > 10, node
            assert node.lag is not None, node
            assert node.lag <= LAG_MAX, node
    assert status.memory_bytes > sum(node.memory_bytes for node in status.nodes)


def test_status_for_people_is_a_table_and_a_sentence(network: StandingNetwork) -> None:
    result = command("status", *of(network))

    assert result.exit_code == 0, result.output
    for node in network.consortium.nodes():
        row = next(line for line in result.stdout.splitlines() if f" {node.name} " in line)
        assert node.organisation.name in row
        assert node.address in row
        assert "running" in row
    assert "All is well." in result.stdout


def test_profile_names_files_that_are_there(network: StandingNetwork) -> None:
    machine = command("profile", "--org", "CityEnergy", *of(network), "--json")
    people = command("profile", "--org", "CityEnergy", *of(network))

    found = msgspec.json.decode(machine.stdout, type=Profile)
    assert found == network.profile("CityEnergy")
    assert found.peers[0].endpoint == network.peer("CityEnergy").address
    files = [peer.tls_root for peer in found.peers]
    files += [file for user in found.users.values() for file in (user.certificate, user.key)]
    for file in files:
        assert Path(file).read_bytes().startswith(b"-----BEGIN "), file
        assert file in people.stdout


def test_profile_of_an_unknown_organisation_names_those_there_are(
    network: StandingNetwork,
) -> None:
    result = command("profile", "--org", "EastGrid", *of(network))

    assert result.exit_code == 2
    assert "'EastGrid' is not an organisation of lindenhof, which has NordGrid," in result.stderr


def test_logs_stand_behind_the_names_of_their_nodes(network: StandingNetwork) -> None:
    result = command("logs", "contract-nordgrid", "--lines", "5", *of(network))

    lines = result.stdout.splitlines()
    assert result.exit_code == 0, result.output
    assert 1 <= len(lines) <= 5
    assert all(line.startswith("contract-nordgrid ") for line in lines)


def test_logs_of_an_unknown_node_name_those_there_are(network: StandingNetwork) -> None:
    result = command("logs", "peer-eastgrid", *of(network))

    assert result.exit_code == 1
    assert "There is no node 'peer-eastgrid'; there are orderer-nordgrid," in result.stderr


def test_doctor_finds_all_well(network: StandingNetwork) -> None:
    result = command("doctor", *of(network), "--json")

    findings = msgspec.json.decode(result.stdout, type=list[Finding])
    assert [finding for finding in findings if not finding.is_well] == []
    assert result.exit_code == 0
    about = {finding.about for finding in findings}
    assert about >= {"programs", "disk", "certificates", "processes", "channel", "contract"}


def test_up_of_what_is_up_changes_nothing(network: StandingNetwork) -> None:
    before = network.network.processes()

    result = command("up", *of(network))

    assert result.exit_code == 0, result.output
    assert "lindenhof is up: 16 processes of 7 organisations" in result.stdout
    assert network.network.processes() == before


def test_another_consortium_in_the_folder_of_one_is_refused(
    network: StandingNetwork, tmp_path: Path
) -> None:
    before = network.network.processes()
    other = tmp_path / "other.yaml"
    other.write_text(DEFAULT.replace("name: lindenhof\n", "name: elsewhere\n"), "utf-8")

    result = command("up", "--consortium", other, *of(network))

    assert result.exit_code == 1
    assert "was made from another consortium's file" in result.stderr
    assert str(network.network.folder.root) in result.stderr
    assert network.network.processes() == before


def test_down_of_nothing_ends_nothing(tmp_path: Path) -> None:
    result = command("down", "--data", tmp_path / "never")

    assert result.exit_code == 0, result.output
    assert result.stdout.strip() == "0 processes have ended."
    assert not (tmp_path / "never").exists()


@pytest.mark.parametrize("verb", ["status", "doctor", "logs", "upgrade"])
def test_folder_without_a_network_is_named(verb: str, tmp_path: Path) -> None:
    result = command(verb, "--data", tmp_path)

    assert result.exit_code == 1
    assert f"{tmp_path} holds no network; `commonwatt network up` makes one." in result.stderr


@pytest.mark.parametrize(
    ("written", "instead", "said"),
    [
        ("port: 17010", "port: many", r"`\$\.organisations\[1\]\.peers\[0\]\.port`"),
        ("role: oracle", "role: orakel", r"`\$\.organisations\[4\]\.role`"),
        ("channel: lindenhof-market", "chanel: lindenhof-market", "chanel"),
        ("fabric: 3.1.1", "fabric: 2.5.0", r"fabric: this Commonwatt builds 3\.1\.1, not 2\.5\.0"),
        ("{port: 18030}", "{port: 17000}", "17000"),
        ("organisations:", "organisations: [", "line|flow|expected"),
        ("time_window_s: 60", "time_window_s: 0", r"`\$\.limits\.time_window_s`"),
    ],
)
def test_bad_file_is_refused_with_the_place_of_its_fault(
    written: str, instead: str, said: str, tmp_path: Path
) -> None:
    bad = tmp_path / "bad.yaml"
    assert DEFAULT.count(written) == 1
    bad.write_text(DEFAULT.replace(written, instead), "utf-8")

    result = command("up", "--consortium", bad, "--data", tmp_path / "network")

    assert result.exit_code == 2, result.output
    assert str(bad) in result.stderr
    assert re.search(said, result.stderr), result.stderr
    assert not (tmp_path / "network").exists()


def test_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    result = command("up", "--consortium", tmp_path / "gone.yaml", "--data", tmp_path / "network")

    assert result.exit_code == 2
    assert f"{tmp_path / 'gone.yaml'} cannot be read: No such file" in result.stderr
