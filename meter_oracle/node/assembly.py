"""Nodes put together: one from its settings, or several in one process with real TLS between them."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

import msgspec

from identity.did import did_key
from identity.errors import IdentityError
from identity.keys import PrivateKey
from meter_oracle.control.delivery import Delivery, Sales
from meter_oracle.drivers.driver import MeterDriver, open_driver
from meter_oracle.drivers.file_drop import DropFolders
from meter_oracle.drivers.sources import MeterSource
from meter_oracle.health.board import HealthBoard, HealthSink, MeterHealth, NodeHealth
from meter_oracle.health.teller import HealthTeller, Herald
from meter_oracle.node.oracle_node import OracleNode
from meter_oracle.node.polling import MeterWatch, Watch
from meter_oracle.peers.ledger_gateway import LedgerView, RemoteLedgerSide, Submitter
from meter_oracle.peers.transport import TlsFiles
from meter_oracle.schedule import MarketClock, Now, RealTime, Timekeeper
from meter_oracle.settings import MarketSettings, NodeSettings, SettingsInvalid, TimingSettings

LOCAL = "127.0.0.1:0"

OpenMeters = Callable[[Timekeeper], Sequence[MeterWatch]]
"""Opens a node's own drivers, with the node's own clock of market time."""


class Seat(msgspec.Struct, frozen=True, kw_only=True):
    """One node of several in a process: its key, certificate, meters, way to the ledger, clock.

    `LedgerSide` and `RemoteLedgerSide` are both a submitter and a view; the latter is a herald, too.
    """

    key: PrivateKey
    tls: TlsFiles
    meters: OpenMeters
    submitter: Submitter
    view: LedgerView
    now: Now = time.time_ns
    sales: Sales | None = None
    herald: Herald | None = None


def sources_of(sources: Sequence[MeterSource], *, live_control: bool = False) -> OpenMeters:
    """Drivers of sources for one node; without `live_control` devices are told nothing."""

    def open_all(keeper: Timekeeper) -> list[MeterWatch]:
        folders = DropFolders()
        return [
            MeterWatch(
                source.meter, _open(source, keeper, folders, live_control=live_control),
                serial=source.serial, power_max_w=source.power_max_w,
            )
            for source in sources
        ]  # fmt: skip

    return open_all


def make_node(
    market: MarketSettings,
    timing: TimingSettings,
    seat: Seat,
    *,
    rule: MarketClock,
    health: HealthSink | None = None,
) -> OracleNode:
    """A node that does not listen yet."""
    keeper = Timekeeper(rule, now=seat.now)
    did = did_key(seat.key.public)
    teller = None
    if seat.herald is not None:
        teller = HealthTeller(market, seat.herald, key=seat.key, now=seat.now)
    board = HealthBoard(did, _both(health, teller))
    watch = Watch(
        seat.meters(keeper),
        board,
        slot_s=market.slot_s,
        skew_ns=timing.skew_ms * 1_000_000 * rule.rate,
        in_flight=timing.in_flight,
    )
    delivery = None
    if seat.sales is not None:
        delivery = Delivery(seat.sales, watch, node=did, nodes=market.nodes, slot_s=market.slot_s)
    return OracleNode(
        market,
        timing,
        key=seat.key,
        keeper=keeper,
        watch=watch,
        board=board,
        submitter=seat.submitter,
        view=seat.view,
        tls=seat.tls,
        delivery=delivery,
        teller=teller,
    )


async def run_nodes(
    market: MarketSettings,
    timing: TimingSettings,
    seats: Sequence[Seat],
    *,
    rule: MarketClock,
    health: HealthSink | None = None,
    elsewhere: Mapping[str, str] | None = None,
    started: Callable[[Mapping[str, str]], Awaitable[None]] | None = None,
) -> None:
    """Run several nodes on ports of this machine until cancelled.

    `elsewhere` says where nodes that run somewhere else listen, by DID. `started` is told where
    the nodes here listen.
    """
    nodes = [make_node(market, timing, seat, rule=rule, health=health) for seat in seats]
    addresses = {node.did: f"127.0.0.1:{await node.listen(LOCAL)}" for node in nodes}
    for node in nodes:
        node.connect({**addresses, **(elsewhere or {})})
    async with asyncio.TaskGroup() as running:
        for node in nodes:
            running.create_task(node.run())
        if started is not None:
            await started(addresses)


async def run_node(settings: NodeSettings, *, health: HealthSink | None = None) -> None:
    """Run the node of a file of settings until cancelled; raises `SettingsInvalid`, `OSError`."""
    key = read_key(settings)
    ledger = RemoteLedgerSide(settings.tls, settings.ledger.address, name=settings.ledger.name)
    seat = Seat(
        key=key,
        tls=settings.tls,
        meters=sources_of(settings.meters, live_control=settings.live_control),
        submitter=ledger,
        view=ledger,
        herald=ledger,
    )
    node = make_node(
        settings.market, settings.timing, seat, rule=settings.clock or RealTime(), health=health
    )
    try:
        await node.listen(settings.listen)
        node.connect({peer.did: peer.address for peer in settings.peers})
        await node.run()
    finally:
        await ledger.close()


def read_key(settings: NodeSettings) -> PrivateKey:
    """The node's key; raises `SettingsInvalid` unless it is one of the market's nodes."""
    try:
        key = PrivateKey.from_pkcs8(Path(settings.key).read_bytes())
    except (OSError, IdentityError) as fault:
        raise SettingsInvalid(f"{settings.key}: {fault}") from None
    did = did_key(key.public)
    if did not in settings.market.nodes:
        raise SettingsInvalid(f"{settings.key}: {did} is none of market.nodes")
    return key


def _both(health: HealthSink | None, teller: HealthTeller | None) -> HealthSink | None:
    """Where a board says what is new: to whoever listens here, and to the world."""
    if teller is None:
        return health

    async def say(said: MeterHealth | NodeHealth) -> None:
        teller.find(said)
        if health is not None:
            await health(said)

    return say


def _open(
    source: MeterSource, keeper: Timekeeper, folders: DropFolders, *, live_control: bool
) -> MeterDriver:
    return open_driver(source, clock=keeper.market_ns, live_control=live_control, folders=folders)
