"""`commonwatt network status`, `logs`, `profile`, `doctor`: the state of a network."""

from __future__ import annotations

import asyncio
import sys
from typing import Annotated

import msgspec
import typer
from rich.console import Console
from rich.table import Table

from commonwatt.command_line import FAILED, Json
from commonwatt.commands.network.log_lines import follow_logs
from commonwatt.commands.network.opening import DEFAULT_DATA, Data, File, carried_out, there
from ledger_network.fabric.consortium.profile import Profile, profile
from ledger_network.fabric.operations.doctor import Finding, examine
from ledger_network.fabric.operations.material import NetworkFault
from ledger_network.fabric.operations.network import UP
from ledger_network.fabric.operations.status import NetworkStatus, network_status

LOGS_EXAMPLES = "Examples: `commonwatt network logs peer-nordgrid` · `commonwatt network logs -f`"
PROFILE_EXAMPLE = "Example: `commonwatt network profile --org GreenPower --json`"


def status(data: Data = DEFAULT_DATA, consortium: File = None, *, as_json: Json = False) -> None:
    """Show organisations, roles, heights, lag and memory; exit 1 if something is not well."""
    network = carried_out(lambda: there(data, consortium))
    if died := network.died():
        sys.stderr.write(f"{died} {UP}\n")
    found = carried_out(lambda: asyncio.run(network_status(network)))
    print_status(found, as_json=as_json)
    if not found.is_well:
        raise typer.Exit(FAILED)


def print_status(found: NetworkStatus, *, as_json: bool) -> None:
    """Print the state of each node, as a table or as JSON."""
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


def logs(
    nodes: Annotated[
        list[str] | None, typer.Argument(help="Which nodes (default: all).", show_default=False)
    ] = None,
    data: Data = DEFAULT_DATA,
    consortium: File = None,
    lines: Annotated[int, typer.Option("--lines", "-n", min=0, help="How many last lines.")] = 20,
    *,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new lines.")
    ] = False,
) -> None:
    """Print the last lines of the nodes' logs, each after its node's name."""

    def show() -> None:
        network = there(data, consortium)
        known = [node.name for node in network.consortium.nodes()]
        for name in nodes or ():
            if name not in known:
                raise NetworkFault(f"No node is called {name!r}; choose from {', '.join(known)}.")
        paths = {name: network.folder.root / "nodes" / name / "log" for name in nodes or known}
        follow_logs(paths, lines=lines, follow=follow)

    carried_out(show)


def profile_command(
    org: Annotated[str, typer.Option("--org", help="The organisation.")],
    data: Data = DEFAULT_DATA,
    consortium: File = None,
    *,
    as_json: Json = False,
) -> None:
    """Print what an official Fabric client of an organisation needs to use the network."""

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


def doctor(data: Data = DEFAULT_DATA, consortium: File = None, *, as_json: Json = False) -> None:
    """Say what is wrong with a network and how to repair it; exit 1 if something is wrong."""
    findings = carried_out(lambda: asyncio.run(examine(there(data, consortium))))
    if as_json:
        typer.echo(msgspec.json.encode(findings).decode())
    else:
        _print_findings(findings)
    if any(not finding.is_well for finding in findings):
        raise typer.Exit(FAILED)


def _print_findings(findings: list[Finding]) -> None:
    for finding in findings:
        mark = "ok   " if finding.is_well else "WRONG"
        typer.echo(f"{mark} {finding.about}: {finding.sentence}")
        if finding.mend:
            typer.echo(f"      {finding.mend}")
