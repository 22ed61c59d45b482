"""Serves the API and the dashboard of a running market: read model, projection and HTTP."""

from __future__ import annotations

import asyncio
import os
import socket
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace
from pathlib import Path

from api.features.reads import open_read_model
from api.live.projection import Projection
from api.server.app import listen, make_app, serve
from api.server.logs import configure_logs
from api.services import Services
from api.settings import ApiSettings, SettingsInvalid, load_settings
from commonwatt.demonstration.cast import AREA, DSO, RETAILERS
from commonwatt.demonstration.enrolment import Enrolment
from commonwatt.demonstration.personas import REGULATOR, accounts, personas
from commonwatt.wiring.market_folder import UpRefused
from commonwatt.wiring.running_market import RunningMarket
from ledger_network.port import Ledger


class Web:
    """The server of a market's pages."""

    def __init__(self, address: str, services: Services, work: asyncio.Task[None]) -> None:
        self.address = address
        self.services = services
        self._work = work

    async def ended(self) -> None:
        """Return when serving has ended by itself; raise the fault that ended it."""
        await asyncio.shield(self._work)


Address = tuple[socket.socket, ApiSettings]
"""A listening socket, and the settings of the API that will use it."""


def _reason(error: OSError) -> str:
    """Return the system's own message, because the library's message repeats the address."""
    return os.strerror(error.errno) if error.errno is not None else str(error)


def take_address(port: int) -> Address:
    """Listen at an address for a market's pages; port 0 means a free port. Raises `UpRefused`."""
    try:
        return listen(load_settings().model_copy(update={"port": port}))
    except SettingsInvalid as error:
        raise UpRefused(str(error)) from None
    except OSError as error:
        raise UpRefused(
            f"Port {port} cannot be taken ({_reason(error)}): stop the program that listens there, or "
            "choose another --port; --port 0 takes any free port."
        ) from None


@asynccontextmanager
async def serving(
    market: RunningMarket, data: Path, *, at: Address, regulator: Ledger | None
) -> AsyncGenerator[Web]:
    """Serve the pages of a market at an address from `take_address`.

    `regulator` is the ledger of the regulator's own peer, from which the regulator's endpoint
    reads.
    """
    listening, settings = at
    stop = asyncio.Event()
    async with AsyncExitStack() as stack:
        log = stack.enter_context((data / "api.log").open("a", encoding="utf-8", buffering=1))
        configure_logs(settings, log)
        read_model = await stack.enter_async_context(
            await open_read_model(f"sqlite:///{data / 'read-model.sqlite3'}")
        )
        services = Services(
            ledger=market.ledger,
            area=AREA,
            member=DSO,
            read_model=read_model,
            projection=Projection(market.ledger, DSO, read_model),
            settings=settings,
            carriers={retailer: retailer for retailer in RETAILERS},
            accounts=accounts(market.cast),
            enrolment=Enrolment(market.ledger, market.empty, market.first_slot),
            personas=personas(market.cast),
        )
        regulators = services
        if regulator is not None:
            own = await stack.enter_async_context(
                await open_read_model(f"sqlite:///{data / 'read-model-regulator.sqlite3'}")
            )
            regulators = replace(
                services,
                ledger=regulator,
                member=REGULATOR,
                read_model=own,
                projection=Projection(regulator, REGULATOR, own),
            )
        app = make_app(services, regulators=regulators)
        served = asyncio.create_task(serve(app, listening, settings, stop=stop))
        projecting = [
            asyncio.create_task(projection.run())
            for projection in dict.fromkeys((services.projection, regulators.projection))
        ]
        work = asyncio.create_task(_until_one_fails(served, *projecting))
        try:
            yield Web(f"http://127.0.0.1:{settings.port}", services, work)
        finally:
            stop.set()
            for projection in projecting:
                projection.cancel()
            await asyncio.gather(work, served, *projecting, return_exceptions=True)


async def _until_one_fails(*works: asyncio.Future[None]) -> None:
    await asyncio.wait(works, return_when=asyncio.FIRST_EXCEPTION)
    for work in works:
        if work.done() and not work.cancelled():
            work.result()
