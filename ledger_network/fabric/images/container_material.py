"""The material of a network of containers: a folder for each service, with its own files only.

A container's user owns nothing on the host, so the files that it needs are readable for everybody.
The folder above them, which only its owner may enter, keeps other users of the host away.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec

from chaincode.context import Role
from ledger_network.fabric.binaries.install import Installation
from ledger_network.fabric.consortium.definition import Consortium, Node
from ledger_network.fabric.consortium.placement import CONTAINER_CONFIG, NetworkFolder, Placement
from ledger_network.fabric.consortium.profile import USER_NAMES, profile
from ledger_network.fabric.images.compose import AGREEMENT, PACKAGE_ENVIRONMENT, package_variables
from ledger_network.fabric.operations.material import Material

FOLDER_MODE, FILE_MODE, OWNERS_MODE = 0o755, 0o644, 0o700


def make_container_material(
    consortium: Consortium, root: Path, installed: Installation, *, version: str
) -> Material:
    """Make the missing parts of the material in `root`, and a folder for each service.

    `version` is the version of a new network's contract. Raises `NetworkFault`, `GenerationFailed`.
    """
    folder = NetworkFolder(root.absolute())
    material = Material(consortium, Placement("containers", folder, installed.builder))
    material.make(installed, version=version)
    folder.root.chmod(OWNERS_MODE)
    deployed = material.deployed()
    for node in consortium.nodes():
        if node.kind == "contract":
            peer = Node("peer", node.organisation, node.index, node.site)
            variables = folder.node(node) / PACKAGE_ENVIRONMENT
            variables.write_bytes(package_variables(deployed.packages[peer.name]))
        make_readable(folder.node(node))
    _make_agreement(material, folder.root / AGREEMENT)
    return material


def _make_agreement(material: Material, root: Path) -> None:
    """Copy what the members' administrators need to found the network, and no node's signing key.

    The packages hold the TLS keys with which peers call their contracts: Fabric requires the keys
    there.
    """
    folder = material.folder
    consortium = material.consortium
    shutil.rmtree(root, ignore_errors=True)
    root.mkdir()
    wanted = [folder.consortium, folder.contracts, folder.genesis]
    sequence = material.deployed().sequence
    for peer in consortium.nodes("peer"):
        wanted += [folder.package(peer, sequence), folder.tls_root(peer)]
    for member in consortium.organisations:
        wanted.append(folder.user(member, "Admin") / "msp")
        if member.orderers:
            wanted.append(folder.orderer_administrator(member) / "tls")
    for source in wanted:
        _copy(source, folder, root)
    make_readable(root)


def _copy(source: Path, folder: NetworkFolder, root: Path) -> None:
    """Copy a file or a folder of the material to its place below `root`."""
    target = root / source.relative_to(folder.root)
    target.parent.mkdir(parents=True, exist_ok=True)
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)


def stage_profiles(
    material: Material,
    members: Iterable[str],
    root: Path,
    *,
    roles: Sequence[Role] = tuple(USER_NAMES),
) -> None:
    """Put the members' profiles into a service's folder, as `profiles/<member>.json`.

    The keys of the members' users in `roles`, and no other keys, are put beside the profiles.
    """
    consortium, folder = material.consortium, material.folder
    inside = Path(CONTAINER_CONFIG)
    placement = Placement("containers", NetworkFolder(inside), inside)
    (root / "profiles").mkdir(parents=True, exist_ok=True)
    for peer in consortium.nodes("peer"):
        _copy(folder.tls_root(peer), folder, root)
    for name in members:
        member = consortium.organisation(name)
        for role in roles:
            msp = folder.user(member, USER_NAMES[role]) / "msp"
            _copy(msp / "signcerts", folder, root)
            _copy(msp / "keystore", folder, root)
        found = profile(consortium, name, placement)
        users = {role: user for role, user in found.users.items() if role in roles}
        content = msgspec.json.encode(msgspec.structs.replace(found, users=users))
        (root / "profiles" / f"{name}.json").write_bytes(content)


def make_readable(folder: Path) -> None:
    """Make `folder` readable for every container that mounts it."""
    folder.chmod(FOLDER_MODE)
    for path in folder.rglob("*"):
        path.chmod(FOLDER_MODE if path.is_dir() else FILE_MODE)
