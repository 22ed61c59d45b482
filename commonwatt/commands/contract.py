"""`commonwatt contract`: the contract as a service for a Fabric peer (chaincode as a service)."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys

from prometheus_client import CollectorRegistry, start_http_server

from chaincode.contract import Contract
from chaincode.shim.faults import SettingsFault
from chaincode.shim.serving.server import ChaincodeServer
from chaincode.shim.serving.settings import ServerSettings, split_address
from commonwatt.command_line import command_group, ended
from ledger_network import port
from ledger_network.fabric.ledger.contract_service import contract_handler

METRICS_ADDRESS = "COMMONWATT_METRICS_ADDRESS"
GRACE_S = 10.0

app = command_group("The contract as a service for a Fabric peer.")


@app.callback()
def contract() -> None:
    """The contract as a service for a Fabric peer."""


@app.command(
    epilog="Environment: CHAINCODE_ID, CHAINCODE_SERVER_ADDRESS, CHAINCODE_TLS_CERT_FILE, "
    "CHAINCODE_TLS_KEY_FILE, CHAINCODE_CLIENT_CA_CERT_FILE, COMMONWATT_METRICS_ADDRESS."
)
def serve() -> None:
    """Serve the contract to a peer until SIGTERM; settings come from the environment.

    Connections use mutual TLS, unless CHAINCODE_TLS_DISABLED=true is set. Running calls are finished
    and answered before the command ends.
    """
    serve_contract(Contract())


def serve_contract(contract: port.RunnableContract) -> None:
    """Serve a contract until SIGTERM, with settings from the environment."""
    logging.basicConfig(
        level=logging.INFO,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )
    try:
        settings = ServerSettings.from_environment(os.environ)
        asyncio.run(_serve(contract, settings, os.environ.get(METRICS_ADDRESS, "")))
    except (SettingsFault, OSError) as fault:
        raise ended(fault) from None


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
