"""Opens the network of a folder, with the options that name the network."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, TypeVar

import typer
from rich.console import Console

from chaincode.contract import Contract
from commonwatt.command_line import FAILED, INTERRUPTED, REFUSED, ended
from commonwatt.wiring.ledger_choice import CONTRACT_COMMAND
from ledger_network.fabric.binaries.install import (
    Installation,
    InstallFailed,
    install,
    installation,
)
from ledger_network.fabric.consortium.crypto import GenerationFailed
from ledger_network.fabric.consortium.definition import (
    DEFAULT_FILE,
    Consortium,
    ConsortiumInvalid,
    read_consortium,
)
from ledger_network.fabric.gateway.errors import GatewayError
from ledger_network.fabric.operations.joining import JoinFailed
from ledger_network.fabric.operations.material import NetworkFault
from ledger_network.fabric.operations.network import Network
from ledger_network.fabric.runtime.probe import NotReady, PortTaken

T = TypeVar("T")

DEFAULT_DATA = Path(".commonwatt/network")
FAULTS = (
    ConsortiumInvalid,
    GatewayError,
    GenerationFailed,
    InstallFailed,
    JoinFailed,
    NetworkFault,
    NotReady,
    PortTaken,
    OSError,
)
"""Exceptions that say why a network cannot be used; each has a sentence."""

Data = Annotated[Path, typer.Option("--data", help="The network's folder.")]
File = Annotated[
    Path | None,
    typer.Option("--consortium", help="The file that names the consortium (default: our own)."),
]


def network_of(data: Path, file: Path | None, installed: Installation) -> Network:
    """Return the network in a folder; an existing network keeps its consortium."""
    return Network(
        consortium_of(data, file),
        data,
        installed,
        contract_command=CONTRACT_COMMAND,
        version=Contract.version,
    )


def consortium_of(data: Path, file: Path | None) -> Consortium:
    """Return the consortium in `file`, else that of the folder. Raises `ConsortiumInvalid`."""
    made = data / "consortium.yaml"
    if file is not None:
        return read_consortium(file)
    return read_consortium(made if made.exists() else DEFAULT_FILE)


def there(data: Path, file: Path | None) -> Network:
    """Return the existing network in a folder. Raises `NetworkFault` for a folder without one."""
    if not (data / "contracts.json").exists():
        raise NetworkFault(f"{data} holds no network; `commonwatt network up` makes one.")
    return network_of(data, file, installation())


def install_with_progress(console: Console) -> Installation:
    """Return Fabric's programs; build them if they are missing."""
    found = installation()
    if found.is_complete:
        return found
    console.print(
        "Building Hyperledger Fabric from its Go module, once; some minutes the first time."
    )
    with console.status("…") as status:
        return install(
            progress=lambda what, done, parts: status.update(f"{what} ({done} of {parts}) …")
        )


def carried_out(work: Callable[[], T]) -> T:
    """Return the result of `work`; a fault ends the command with the sentence of the fault."""
    try:
        return work()
    except FAULTS as fault:
        raise ended(fault, REFUSED if isinstance(fault, ConsortiumInvalid) else FAILED) from None
    except KeyboardInterrupt:
        raise ended(
            "Stopped. Processes that run already keep running; `commonwatt network down` ends them.",
            INTERRUPTED,
        ) from None
