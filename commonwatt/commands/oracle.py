"""`commonwatt oracle`: one oracle node from a file of settings."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Annotated

import msgspec
import structlog
import typer

from commonwatt.wiring.ledger_gateway import ledger_gateway
from meter_oracle.health.board import MeterHealth, NodeHealth
from meter_oracle.node.assembly import read_key, run_node
from meter_oracle.settings import NodeSettings, SettingsInvalid, read_settings

app = typer.Typer(help="Oracle nodes: read meters, agree, report.", no_args_is_help=True)
app.command("ledger-gateway")(ledger_gateway)

log = structlog.stdlib.get_logger("meter_oracle")

GOOD = "good"


@app.callback()
def oracle() -> None:
    """Oracle nodes: read meters, agree, report."""


@app.command(
    epilog="Environment: COMMONWATT_ORACLE_LISTEN and COMMONWATT_ORACLE_KEY win over the file. "
    "Examples: `commonwatt oracle run --config node-0.yaml --check` · "
    "`commonwatt oracle run --config node-0.yaml`"
)
def run(
    *,
    config: Annotated[Path, typer.Option("--config", help="Settings of the node, YAML or TOML.")],
    check: Annotated[
        bool, typer.Option("--check", help="Print the settings as they are taken, and end.")
    ] = False,
) -> None:
    """Run one node until SIGTERM; what happens is written to standard error, a line of JSON each."""
    try:
        settings = read_settings(config, os.environ)
        read_key(settings)
        if check:
            sys.stdout.buffer.write(msgspec.json.format(msgspec.json.encode(settings)) + b"\n")
            return
        _log_lines()
        asyncio.run(_run(settings))
    except (SettingsInvalid, OSError) as fault:
        sys.stderr.write(str(fault).replace("\n", " ") + "\n")
        raise typer.Exit(2) from None


async def _run(settings: NodeSettings) -> None:
    work = asyncio.create_task(run_node(settings, health=_say))
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, work.cancel)
    log.info("node starts", listen=settings.listen, meters=len(settings.meters))
    with contextlib.suppress(asyncio.CancelledError):
        await work
    log.info("node has stopped")


async def _say(said: MeterHealth | NodeHealth) -> None:
    fields = msgspec.to_builtins(said)
    fields.pop("type", None)
    subject = "meter" if isinstance(said, MeterHealth) else "node"
    await (log.ainfo if said.state == GOOD else log.awarning)(f"health of a {subject}", **fields)


def _log_lines() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(message)s")
    structlog.configure(
        processors=[
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
    )
