"""`commonwatt oracle ledger-gateway`: oracle nodes submit and query through this gateway.

On a Fabric network oracle nodes do not connect to the ledger. They connect to this gateway over
mutual TLS; the gateway has the operator's identity on the channel and one profile. The gateway
checks nothing that the contract does not check. An attacker who breaks into the gateway can
withhold reports but cannot make any, because the nodes' keys are elsewhere. If an API is set, the
gateway passes the nodes' signed health reports to the API.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import typer

from chaincode.contract import Contract
from chaincode.metering.oracles import NODES_MAX
from commonwatt.command_line import FAILED, ended
from commonwatt.wiring.network_readiness import (
    ProfileUnreadable,
    read_profile,
    until_it_takes_orders,
)
from ledger_network.fabric.ledger.engine import FabricLedger
from ledger_network.fabric.runtime.probe import NotReady
from ledger_network.port import Invalid, Member
from meter_oracle.health.api_client import HealthApi, base_url
from meter_oracle.peers.ledger_gateway import LedgerGateway, LedgerGatewayServer
from meter_oracle.peers.transport import TlsFiles, split_address
from meter_oracle.settings import SettingsInvalid


class LedgerGatewaySettings(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A YAML file; its paths are relative to the file.

    `profile` is the oracle operator's profile, as `commonwatt network profile --json` prints it;
    `nodes` are the DIDs that may query and submit. `api` is `http://host:port` of the API that shows
    the health that the nodes report; without an API the reports are only in the nodes' logs.
    """

    area: str
    listen: str
    tls: TlsFiles
    profile: str
    nodes: Annotated[list[str], msgspec.Meta(min_length=1, max_length=NODES_MAX)]
    api: str | None = None


def read_ledger_gateway(file: Path) -> LedgerGatewaySettings:
    """Read the settings in a file, with paths joined to its folder. Raises `SettingsInvalid`."""
    try:
        found = msgspec.yaml.decode(file.read_bytes(), type=LedgerGatewaySettings)
        split_address(found.listen)
        if found.api is not None:
            base_url(found.api)
    except (OSError, ValueError) as fault:  # msgspec's exceptions are ValueErrors
        raise SettingsInvalid(f"{file}: {fault}") from None
    folder = file.parent
    return msgspec.structs.replace(
        found, tls=found.tls.under(folder), profile=str(folder / found.profile)
    )


def ledger_gateway(
    *,
    config: Annotated[Path, typer.Option("--config", help="Settings of this gateway, YAML.")],
) -> None:
    """Answer oracle nodes for a Fabric network until SIGTERM; first wait until it takes orders."""
    try:
        asyncio.run(_serve(read_ledger_gateway(config)))
    except (SettingsInvalid, ProfileUnreadable) as fault:
        raise ended(fault) from None
    except (Invalid, NotReady, OSError) as fault:
        raise ended(fault, FAILED) from None


async def _serve(settings: LedgerGatewaySettings) -> None:
    stop = asyncio.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(name, stop.set)
    profile = read_profile(Path(settings.profile))
    stopped = asyncio.create_task(stop.wait())
    waiting = asyncio.create_task(until_it_takes_orders(profile))
    await asyncio.wait((stopped, waiting), return_when=asyncio.FIRST_COMPLETED)
    if stop.is_set():
        waiting.cancel()
        return
    waiting.result()
    receiver = None if settings.api is None else HealthApi(settings.api)
    async with await FabricLedger.open([profile], contract=Contract()) as ledger:
        gateway = LedgerGateway(ledger, settings.area, Member(profile.organisation))
        server = LedgerGatewayServer(gateway, settings.tls, settings.nodes, receiver)
        port = await server.start(settings.listen)
        try:
            sys.stderr.write(f"Answering {len(settings.nodes)} nodes on port {port}.\n")
            await stopped
        finally:
            await server.close()
            if receiver is not None:
                await receiver.close()
