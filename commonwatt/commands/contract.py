"""`commonwatt contract`: the contract as a service for a Fabric peer (chaincode as a service)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys

import typer
from prometheus_client import CollectorRegistry, start_http_server

from chaincode.contract import Contract
from chaincode.shim.faults import SettingsFault
from chaincode.shim.server import ChaincodeServer
from chaincode.shim.settings import ServerSettings, split_address
from ledger_network import port
from ledger_network.fabric.ledger.contract_service import contract_handler

METRICS_ADDRESS = "COMMONWATT_METRICS_ADDRESS"
GRACE_S = 10.0

app = typer.Typer(help="The contract as a service for a Fabric peer.", no_args_is_help=True)


@app.callback()
def contract() -> None:
    """The contract as a service for a Fabric peer."""


@app.command(
    epilog="Environment: CHAINCODE_ID, CHAINCODE_SERVER_ADDRESS, CHAINCODE_TLS_CERT_FILE, "
    "CHAINCODE_TLS_KEY_FILE, CHAINCODE_CLIENT_CA_CERT_FILE, COMMONWATT_METRICS_ADDRESS."
)
def serve() -> None:
    """Serve the contract to a peer until SIGTERM; settings come from the environment.

    Mutual TLS is the rule; without it CHAINCODE_TLS_DISABLED=true has to say so. What runs is
    finished and answered before it ends.
    """
    serve_contract(Contract())


def serve_contract(contract: port.RunnableContract) -> None:
    """Serve any contract with settings from the environment until SIGTERM."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        settings = ServerSettings.from_environment(os.environ)
        asyncio.run(_serve(contract, settings, os.environ.get(METRICS_ADDRESS, "")))
    except (SettingsFault, OSError) as fault:
        sys.stderr.write(f"{fault}\n")
        raise typer.Exit(2) from None


async def _serve(
    contract: port.RunnableContract, settings: ServerSettings, metrics_address: str
) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    registry = CollectorRegistry()
    server = ChaincodeServer(settings, contract_handler(contract), registry=registry)
    await server.start()
    try:
        with contextlib.ExitStack() as held:
            if metrics_address:
                host, port_number = split_address(metrics_address)
                metrics, _ = start_http_server(port_number, host, registry)
                held.callback(metrics.server_close)
                held.callback(metrics.shutdown)
            await stop.wait()
    finally:
        await server.stop(grace_s=GRACE_S)
