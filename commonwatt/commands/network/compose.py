"""`commonwatt network compose`: makes what `docker-compose.yaml` needs, on the host.

These are the keys and settings of every service, and the images.
"""

from __future__ import annotations

import time
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import msgspec
import typer
from rich.console import Console

from api.server.dashboard_build import BuildFailed
from api.server.dashboard_build import build as build_dashboard
from commonwatt.command_line import FAILED, Json, ended
from commonwatt.demonstration.market_plan import (
    HOUSEHOLDS_MAX,
    SPEED_MAX,
    PlanUnreadable,
    make_plan,
    read_plan,
)
from commonwatt.deploy.market_compose import compose_file, has_market
from commonwatt.deploy.market_material import make_market_material, market_root
from ledger_network.fabric.binaries.install import InstallFailed, install
from ledger_network.fabric.consortium.crypto import GenerationFailed
from ledger_network.fabric.consortium.definition import (
    DEFAULT_FILE,
    Consortium,
    ConsortiumInvalid,
    read_consortium,
)
from ledger_network.fabric.images.container_material import make_container_material
from ledger_network.fabric.images.image_building import (
    Engine,
    ImagesFault,
    build_images,
    default_base,
    find_engine,
)
from ledger_network.fabric.operations.bootstrap import Progress
from ledger_network.fabric.operations.material import Material, NetworkFault
from ledger_network.fabric.runtime.processes import write_whole

CHECKOUT = Path(__file__).resolve().parents[3]
DATA = Path(".commonwatt/containers")
FILE = Path("docker-compose.yaml")
TAG = "local"
HOUSEHOLDS = 12
INPUT = (
    BuildFailed,
    ConsortiumInvalid,
    ImagesFault,
    InstallFailed,
    NetworkFault,
    PlanUnreadable,
    OSError,
)

Households = Annotated[
    int, typer.Option(min=2, max=HOUSEHOLDS_MAX, help="How many households a new market has.")
]
Speed = Annotated[
    int,
    typer.Option(min=1, max=SPEED_MAX, help="How much faster than real time a new market runs."),
]


class Composed(msgspec.Struct, frozen=True):
    """What `compose` made: the material's folder, the compose file, the images and the next step."""

    material: str
    file: str
    images: list[str]
    next: str


def compose(
    data: Annotated[
        Path, typer.Option(help="The folder for keys and settings of the services.")
    ] = DATA,
    consortium: Annotated[
        Path | None, typer.Option(help="The file that names the consortium (default: our own).")
    ] = None,
    file: Annotated[
        Path, typer.Option(help="The compose file; it is rewritten if it differs.")
    ] = FILE,
    *,
    engine: Annotated[
        Engine | None,
        typer.Option(
            help="The program that builds the images (default: the first that is installed)."
        ),
    ] = None,
    base: Annotated[
        str | None,
        typer.Option(
            help="The image with Python on which Commonwatt's image is built (default: slim)."
        ),
    ] = None,
    tag: Annotated[str, typer.Option(help="The tag of the images.")] = TAG,
    households: Households = HOUSEHOLDS,
    speed: Speed = 1,
    no_build: Annotated[bool, typer.Option("--no-build", help="Do not build images.")] = False,
    as_json: Json = False,
) -> None:
    """Make what a network of containers needs: keys, settings, the compose file, images.

    Existing keys and settings are kept; images are built from this checkout each time.
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
    except INPUT as error:
        raise ended(error) from None
    except GenerationFailed as error:
        raise ended(error, FAILED) from None
    if as_json:
        typer.echo(msgspec.json.encode(composed).decode())
        return
    typer.echo(f"Keys and settings: {composed.material}")
    typer.echo(f"Services: {composed.file}")
    typer.echo(f"Images: {', '.join(composed.images) or 'unchanged'}")
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
        if with_market:  # the dashboard's pages go into the image
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
    if with_market:  # made last, because market time begins here
        progress("keys and settings of the market")
        _make_market(material, *market)
    return Composed(str(data), str(file), images, _next(engine, data, file, tag))


def _make_market(material: Material, households: int, speed: int) -> None:
    """Make the folders of the services around the consortium, unless they exist."""
    if market_root(material).exists():
        return
    file = material.folder.root / "market.json"
    if not file.exists():
        plan = make_plan(households, speed, int(time.time()))
        write_whole(file, msgspec.json.encode(plan))
    make_market_material(material, read_plan(file))


def _next(engine: Engine | None, data: Path, file: Path, tag: str) -> str:
    """Return the command that the user runs next."""
    words: list[str] = []
    if data != DATA:
        words.append(f"COMMONWATT_MATERIAL={data.absolute()}")
    if tag != TAG:
        words.append(f"COMMONWATT_TAG={tag}")
    words.append("podman-compose" if engine == "podman" else "docker compose")
    if file != FILE:
        words.append(f"-f {file}")
    return " ".join([*words, "up -d"])
