"""Builds nodes: one from its settings, or several in one process with real TLS between them."""

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
from meter_oracle.drivers.driver import SLOT_DEFAULT_S
from meter_oracle.drivers.file_drop import DropFolders
from meter_oracle.drivers.opening import open_driver
from meter_oracle.drivers.sources import MeterSource
from meter_oracle.health.board import HealthBoard, HealthSink, MeterHealth, NodeHealth
from meter_oracle.health.teller import HealthTeller
from meter_oracle.node.oracle_node import OracleNode
from meter_oracle.node.polling import MeterPoller, PolledMeter
from meter_oracle.peers.ledger_gateway import (
    HealthReceiver,
    LedgerView,
    RemoteLedgerGateway,
    Submitter,
)
from meter_oracle.peers.transport import TlsFiles
from meter_oracle.schedule import ClockRule, Now, RealTime, Timekeeper
from meter_oracle.settings import MarketSettings, NodeSettings, SettingsInvalid, TimingSettings

LOCAL = "127.0.0.1:0"

OpenMeters = Callable[[Timekeeper], Sequence[PolledMeter]]
"""Opens the drivers of one node with the node's own clock of market time."""


class NodeSetup(msgspec.Struct, frozen=True, kw_only=True):
    """The parts that a node is built from: key, certificate, meters, ledger gateway, clock.

    `LedgerGateway` and `RemoteLedgerGateway` can be both `submitter` and `view`; the latter can be
    `receiver` as well. With `sales` the node limits sellers' devices.
    """

    key: PrivateKey
    tls: TlsFiles
    meters: OpenMeters
    submitter: Submitter
    view: LedgerView
    now: Now = time.time_ns
    sales: Sales | None = None
    receiver: HealthReceiver | None = None


def sources_of(
    sources: Sequence[MeterSource], *, slot_s: int = SLOT_DEFAULT_S, live_control: bool = False
) -> OpenMeters:
    """Return what opens the drivers of `sources`; without `live_control` no device is limited."""

    def open_all(keeper: Timekeeper) -> list[PolledMeter]:
        folders = DropFolders()
        return [
            PolledMeter(
                source.meter,
                open_driver(
                    source,
                    clock=keeper.market_ns,
                    live_control=live_control,
                    slot_s=slot_s,
                    folders=folders,
                ),
                serial=source.serial,
                power_max_w=source.power_max_w,
            )
            for source in sources
        ]

    return open_all


def make_node(
    market: MarketSettings,
    timing: TimingSettings,
    setup: NodeSetup,
    *,
    rule: ClockRule,
    health: HealthSink | None = None,
) -> OracleNode:
    """Build a node that does not listen yet."""
    keeper = Timekeeper(rule, now=setup.now)
    did = did_key(setup.key.public)
    teller = None
    if setup.receiver is not None:
        teller = HealthTeller(market, setup.receiver, key=setup.key, now=setup.now)
    board = HealthBoard(did, _both(health, teller))
    poller = MeterPoller(
        setup.meters(keeper),
        board,
        slot_s=market.slot_s,
        skew_ns=timing.skew_ms * 1_000_000 * rule.rate,
        in_flight=timing.in_flight,
    )
    delivery = None
    if setup.sales is not None:
        delivery = Delivery(
            setup.sales, poller.meters, node=did, nodes=market.nodes, slot_s=market.slot_s
        )
    return OracleNode(
        market,
        timing,
        key=setup.key,
        keeper=keeper,
        poller=poller,
        board=board,
        submitter=setup.submitter,
        view=setup.view,
        tls=setup.tls,
        delivery=delivery,
        teller=teller,
    )


async def run_nodes(
    market: MarketSettings,
    timing: TimingSettings,
    setups: Sequence[NodeSetup],
    *,
    rule: ClockRule,
    health: HealthSink | None = None,
    elsewhere: Mapping[str, str] | None = None,
    started: Callable[[Mapping[str, str]], Awaitable[None]] | None = None,
) -> None:
    """Run several nodes on ports of this machine until cancelled.

    `elsewhere` gives the addresses of nodes that run somewhere else, by DID. `started` receives the
    addresses of the nodes here.
    """
    nodes = [make_node(market, timing, setup, rule=rule, health=health) for setup in setups]
    addresses = {node.did: f"127.0.0.1:{await node.listen(LOCAL)}" for node in nodes}
    for node in nodes:
        node.connect({**addresses, **(elsewhere or {})})
    async with asyncio.TaskGroup() as running:
        for node in nodes:
            running.create_task(node.run())
        if started is not None:
            await started(addresses)


async def run_node(settings: NodeSettings, *, health: HealthSink | None = None) -> None:
    """Run the node of a settings file until cancelled; raises `SettingsInvalid` or `OSError`."""
    key = read_key(settings)
    ledger = RemoteLedgerGateway(settings.tls, settings.ledger.address, name=settings.ledger.name)
    setup = NodeSetup(
        key=key,
        tls=settings.tls,
        meters=sources_of(
            settings.meters, slot_s=settings.market.slot_s, live_control=settings.live_control
        ),
        submitter=ledger,
        view=ledger,
        sales=ledger.sales,
        receiver=ledger,
    )
    node = make_node(
        settings.market, settings.timing, setup, rule=settings.clock or RealTime(), health=health
    )
    try:
        await node.listen(settings.listen)
        node.connect({peer.did: peer.address for peer in settings.peers})
        await node.run()
    finally:
        await ledger.close()


def read_key(settings: NodeSettings) -> PrivateKey:
    """Read the node's key; raises `SettingsInvalid` unless it belongs to a node of the market."""
    try:
        key = PrivateKey.from_pkcs8(Path(settings.key).read_bytes())
    except (OSError, IdentityError) as fault:
        raise SettingsInvalid(f"{settings.key}: {fault}") from None
    did = did_key(key.public)
    if did not in settings.market.nodes:
        raise SettingsInvalid(f"{settings.key}: {did} is not one of market.nodes")
    return key


def _both(health: HealthSink | None, teller: HealthTeller | None) -> HealthSink | None:
    """Return a sink that passes findings on to the teller and to a listener in this process."""
    if teller is None:
        return health

    async def say(said: MeterHealth | NodeHealth) -> None:
        teller.find(said)
        if health is not None:
            await health(said)

    return say
