"""`commonwatt network compose` and `join`: a network of containers, from outside and from within.

`compose` makes on the host what `docker-compose.yaml` names: keys and settings of every service, and
the images. `join` runs in one of its services, waits for all nodes and founds the channel.
"""

from __future__ import annotations

import asyncio
import sys
import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from api.server.dashboard_build import BuildFailed
from api.server.dashboard_build import build as build_dashboard
from commonwatt.demonstration.market_plan import HOUSEHOLDS_MAX, SPEED_MAX
from commonwatt.deploy.market_compose import compose_file, has_market
from commonwatt.deploy.market_material import make_market_material, market_root
from commonwatt.deploy.staged_market import StagedMarketUnreadable, read_staged_market, stage_market
from ledger_network.fabric.binaries.install import InstallFailed, install
from ledger_network.fabric.consortium.crypto import GenerationFailed
from ledger_network.fabric.consortium.definition import (
    DEFAULT_FILE,
    Consortium,
    ConsortiumInvalid,
    read_consortium,
)
from ledger_network.fabric.consortium.placement import NetworkFolder, Placement
from ledger_network.fabric.gateway.errors import GatewayError
from ledger_network.fabric.images.container_material import make_container_material
from ledger_network.fabric.images.image_building import (
    Engine,
    ImagesFault,
    build_images,
    default_base,
    find_engine,
)
from ledger_network.fabric.operations.bootstrap import Bootstrap, Progress
from ledger_network.fabric.operations.joining import JoinFailed
from ledger_network.fabric.operations.material import Material, NetworkFault
from ledger_network.fabric.runtime.probe import NotReady
from ledger_network.fabric.runtime.processes import write_whole

CHECKOUT = Path(__file__).resolve().parents[2]
DATA = Path(".commonwatt/containers")
FILE = Path("docker-compose.yaml")
TAG = "local"
WITHIN_S = 300
WITHIN_S_MAX = 86_400
HOUSEHOLDS = 12
REFUSED = (
    BuildFailed,
    ConsortiumInvalid,
    ImagesFault,
    InstallFailed,
    NetworkFault,
    StagedMarketUnreadable,
    OSError,
)
FAILED = (GatewayError, GenerationFailed, JoinFailed, NotReady)

Households = Annotated[
    int, typer.Option(min=2, max=HOUSEHOLDS_MAX, help="How many households a new market has.")
]
Speed = Annotated[
    int,
    typer.Option(min=1, max=SPEED_MAX, help="How much faster than real time a new market runs."),
]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document for machines.")]


class Composed(msgspec.Struct, frozen=True):
    """What `compose` made: the material's folder, the compose file, the images and the next step."""

    material: str
    file: str
    images: list[str]
    next: str


def compose(
    data: Annotated[Path, typer.Option(help="Where keys and settings of the services lie.")] = DATA,
    consortium: Annotated[
        Path | None, typer.Option(help="The file that names the consortium (default: our own).")
    ] = None,
    file: Annotated[
        Path, typer.Option(help="The compose file, written anew where it says otherwise.")
    ] = FILE,
    *,
    engine: Annotated[
        Engine | None,
        typer.Option(help="What builds the images (default: the first that is here)."),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(help="The image with Python that Commonwatt's is built on (default: slim)."),
    ] = None,
    tag: Annotated[str, typer.Option(help="The tag of the images.")] = TAG,
    households: Households = HOUSEHOLDS,
    speed: Speed = 1,
    no_build: Annotated[
        bool, typer.Option("--no-build", help="Leave the images as they are.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Make what a network of containers needs: keys, settings, the compose file, images.

    What is made already is kept; images are built anew from this checkout.
    """
    console = Console(stderr=True)
    try:
        with console.status("the consortium …") as status:
            composed = _compose(
                read_consortium(consortium or DEFAULT_FILE),
                data=data,
                file=file,
                engine=engine if no_build else find_engine(engine),
                build=not no_build,
                base=base or default_base(),
                tag=tag,
                market=(households, speed),
                progress=lambda what: status.update(f"{what} …"),
            )
    except REFUSED as error:
        raise _ended(error, 2) from None
    except FAILED as error:
        raise _ended(error, 1) from None
    if as_json:
        typer.echo(msgspec.json.encode(composed).decode())
        return
    typer.echo(f"Keys and settings: {composed.material}")
    typer.echo(f"Services: {composed.file}")
    typer.echo(f"Images: {', '.join(composed.images) or 'as they were'}")
    typer.echo(f"Next: {composed.next}")


def _compose(
    consortium: Consortium,
    *,
    data: Path,
    file: Path,
    engine: Engine | None,
    build: bool,
    base: str,
    tag: str,
    market: tuple[int, int],
    progress: Progress,
) -> Composed:
    progress("Fabric's programs")
    installed = install(progress=lambda what, done, all_: progress(f"{what} ({done}/{all_})"))
    progress("keys, channel and settings")
    material = make_container_material(consortium, data, installed, version=version("commonwatt"))
    wanted = compose_file(consortium)
    if not file.exists() or file.read_bytes() != wanted:
        file.write_bytes(wanted)
    with_market, images = has_market(consortium), list[str]()
    if build and engine:
        if with_market:  # its pages go into the image
            build_dashboard(lambda what: progress(f"the dashboard: {what}"))
        images = build_images(
            engine,
            checkout=CHECKOUT,
            contexts=CHECKOUT / "build" / "images",
            installed=installed,
            base=base,
            tag=tag,
            progress=progress,
            with_database=with_market,
        )
    if with_market:  # last, since its time begins then
        progress("keys and settings of the market")
        _make_market(material, *market)
    return Composed(str(data), str(file), images, _next(engine, data, file, tag))


def _make_market(material: Material, households: int, speed: int) -> None:
    """The folders of the services around the consortium, unless they are there."""
    if market_root(material).exists():
        return
    file = material.folder.root / "market.json"
    if not file.exists():
        market = stage_market(households, speed, int(time.time()))
        write_whole(file, msgspec.json.encode(market))
    make_market_material(material, read_staged_market(file))


def _next(engine: Engine | None, data: Path, file: Path, tag: str) -> str:
    """What to type now."""
    words: list[str] = []
    if data != DATA:
        words.append(f"COMMONWATT_MATERIAL={data.absolute()}")
    if tag != TAG:
        words.append(f"COMMONWATT_TAG={tag}")
    words.append("podman-compose" if engine == "podman" else "docker compose")
    if file != FILE:
        words.append(f"-f {file}")
    return " ".join([*words, "up -d"])


def join(
    material: Annotated[Path, typer.Option(help="The folder with what administrators need.")],
    within: Annotated[
        int, typer.Option(min=1, max=WITHIN_S_MAX, help="How many seconds to wait for a node.")
    ] = WITHIN_S,
) -> None:
    """Wait for all nodes of a network of containers and found the channel; for its own service.

    It may run again at any time: what is done is found. It ends when orders can be committed.
    """
    try:
        asyncio.run(_join(NetworkFolder(material.absolute()), within))
    except (ConsortiumInvalid, OSError) as error:
        raise _ended(error, 2) from None
    except FAILED as error:
        raise _ended(error, 1) from None


async def _join(folder: NetworkFolder, within_s: int) -> None:
    consortium = read_consortium(folder.consortium)
    placement = Placement("containers", folder, folder.root)
    gathering = Bootstrap(Material(consortium, placement), within_s=within_s, has_logs=False)
    await gathering.join(_tell)
    await gathering.agree(_tell)
    _tell(f"channel {consortium.channel} takes orders")


def _tell(what: str) -> None:
    typer.echo(what)


def _ended(error: Exception, code: int) -> typer.Exit:
    sys.stderr.write(str(error).replace("\n", " ") + "\n")
    return typer.Exit(code)
