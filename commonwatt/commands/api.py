"""`commonwatt api`: serve the API alone, print its schema and settings, rebuild its read model."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import sys
from pathlib import Path
from typing import Annotated

import orjson
import typer

from api.graphql.document import sdl
from api.read_model.database import DatabaseUnusable, TablesDamaged
from api.server.app import listen, make_app, serve
from api.server.logs import configure_logs
from api.settings import ApiSettings, SettingsInvalid, load_settings
from commonwatt.command_line import command_group, ended
from commonwatt.wiring.api_service import MarketFile, opened, read_market
from ledger_network.port import Invalid

app = command_group("GraphQL and the dashboard.")

FAULTS = (SettingsInvalid, DatabaseUnusable, TablesDamaged, Invalid, OSError)
"""Exceptions that say why an API cannot run; each has a sentence."""

Config = Annotated[Path, typer.Option("--config", help="The settings of this API, a TOML file.")]


@app.callback()
def api() -> None:
    """GraphQL and the dashboard."""


@app.command(epilog="Example: `commonwatt api schema > market.graphql`")
def schema() -> None:
    """Print the GraphQL schema as SDL."""
    sys.stdout.write(sdl())


@app.command(epilog="Environment: COMMONWATT_API_… takes precedence over the file.")
def settings(
    config: Annotated[
        Path | None, typer.Option("--config", help="The settings of this API (default: none).")
    ] = None,
) -> None:
    """Check the settings and print them as the API reads them, without secrets."""
    try:
        found = load_settings(config)
    except FAULTS as fault:
        raise ended(fault) from None
    shown = orjson.dumps(found.printable(), option=orjson.OPT_INDENT_2 | orjson.OPT_SORT_KEYS)
    sys.stdout.buffer.write(shown + b"\n")


@app.command(name="serve", epilog="Example: `commonwatt api serve --config api.toml`")
def serve_command(*, config: Config) -> None:
    """Serve GraphQL and the dashboard until SIGTERM; running requests are finished first."""
    try:
        asyncio.run(_serve(read_market(config), load_settings(config)))
    except FAULTS as fault:
        raise ended(fault) from None


@app.command(epilog="Example: `commonwatt api rebuild --config api.toml`")
def rebuild(*, config: Config) -> None:
    """Rebuild the read model from the ledger; until this ends, the API answers with older data."""
    try:
        block = asyncio.run(_rebuild(read_market(config), load_settings(config)))
    except FAULTS as fault:
        raise ended(fault) from None
    sys.stdout.write(f"The read model has all data of the ledger up to block {block}.\n")


async def _serve(market: MarketFile, settings: ApiSettings) -> None:
    configure_logs(settings)
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, stop.set)
    listening, settings = listen(settings)
    async with opened(market, settings) as services:
        projecting = asyncio.create_task(services.projection.run())
        serving = asyncio.create_task(serve(make_app(services), listening, settings, stop=stop))
        sys.stderr.write(f"GraphQL and the dashboard: {settings.own_origins[0]}\n")
        try:
            done, _ = await asyncio.wait((projecting, serving), return_when=asyncio.FIRST_COMPLETED)
            for each in done:
                each.result()
        finally:
            stop.set()
            projecting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await projecting
            await serving


async def _rebuild(market: MarketFile, settings: ApiSettings) -> int:
    async with opened(market, settings) as services:
        await services.projection.rebuild()
        return (await services.read_model.checkpoint()).block
