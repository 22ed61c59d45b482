"""What one may try on a network, each act with a real identity, and how it ended in a word or two.

The acts go through the Gateway client, below the port, so that it is seen who turned one away.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Literal

import msgspec
from fabric_protos.peer.lifecycle import lifecycle_pb2

from chaincode.area.zones import AreaArguments, AreaName
from chaincode.metering.readings import reading_key
from commonwatt.demonstration.cast import AREA, DSO, ORACLE
from identity.canonical import encode
from ledger_network.fabric.consortium.definition import Node
from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.gateway.errors import (
    CommitError,
    GatewayError,
    Outcome,
    SubmitError,
)
from ledger_network.fabric.gateway.signing import Identity, SigningIdentity
from ledger_network.fabric.ledger.contract_service import FOREIGN_STATUS, READ, refused_of
from ledger_network.fabric.operations.contract_rollout import definition
from ledger_network.fabric.operations.lifecycle import LIFECYCLE, approval
from tests.chaincode.shim.authority import Authority
from tests.ledger_network.fabric.grounds import FIRST_SLOT, StandingNetwork
from tests.ledger_network.fabric.odd_contracts import READ_KEY

As = Literal["client", "admin", "peer", "orderer"]

YES = "yes"
PEER_ERRORS = ("PeerError", "ACL")  # said by a peer to a contract, or by a contract of its own
NO_PEER = "failed to find any endorsing peers"
WITHIN_S = 30.0


@dataclass(frozen=True)
class Actor:
    """Who acts: a member of the consortium, or a stranger who calls itself one."""

    network: StandingNetwork
    organisation: str
    is_stranger: bool = False

    @property
    def endorser(self) -> str:
        """The organisation whose peer it lets endorse."""
        return "Stranger" if self.is_stranger else self.organisation

    @property
    def peer(self) -> Node | None:
        """Its peer, if it runs one."""
        member = self.network.consortium.organisation(self.organisation)
        return next(iter(self.network.consortium.peers_of(member)), None)

    @property
    def orderer(self) -> Node | None:
        """Its orderer, if it runs one."""
        nodes = self.network.consortium.nodes("orderer")
        return next((one for one in nodes if one.organisation.name == self.organisation), None)

    def identity(self, role: As) -> Identity | None:
        """What it signs with; None where it has no such certificate."""
        if self.is_stranger:
            pair = Authority("strangers").issue(f"{role}@stranger.example", units=(role,))
            return SigningIdentity(self.organisation, pair.certificate, pair.key)
        if role in ("client", "admin"):
            return self.network.profile(self.organisation).identity(role)
        node = self.peer if role == "peer" else self.orderer
        if node is None:
            return None
        msp = self.network.network.folder.config(node) / "msp"
        name = node.organisation.msp if role == "peer" else node.organisation.orderer_msp
        return SigningIdentity.from_msp(name, msp)

    @asynccontextmanager
    async def gateway(self, role: As) -> AsyncGenerator[Gateway | None]:
        """Its way in: its own peer, or another's where it has none."""
        identity = self.identity(role)
        if identity is None:
            yield None
            return
        own = self.network.profile(self.organisation)
        async with Gateway(
            identity, own.endpoints[:1], channel=own.channel, prefer_first=True
        ) as gateway:
            yield gateway


async def outcome(act: Awaitable[object]) -> str:
    """How an act ended: `yes`, or who turned it away and with which word."""
    try:
        async with asyncio.timeout(WITHIN_S):
            await act
    except GatewayError as error:
        return _word(error)
    return YES


def _word(error: GatewayError) -> str:
    message = error.chaincode_message
    if message is not None:
        refused = refused_of(message)
        if refused is not None:
            return f"contract: {refused.code}"
        if error.chaincode_status == FOREIGN_STATUS:
            return "contract: no user"
        return "peers" if any(said in message for said in PEER_ERRORS) else str(error)
    if isinstance(error, CommitError):
        return f"validation: {error.validation}"
    if NO_PEER in error.message:
        return "no peer"
    if error.outcome is not Outcome.FORBIDDEN:
        return str(error)
    return "orderers: FORBIDDEN" if isinstance(error, SubmitError) else "peers"


# The acts, by the first column of the table


async def ask(gateway: Gateway, actor: Actor) -> None:
    """A public query."""
    await _evaluate(gateway, actor, "describe_area", encode(AreaName(AREA)))


async def read_collection(gateway: Gateway, actor: Actor) -> None:
    """A value that a reading has in the collection; the network serves a query for it."""
    key = reading_key(FIRST_SLOT, actor.network.cast.homes[0].meter)
    answer = await _evaluate(gateway, actor, READ_KEY, msgspec.json.encode(key))
    assert answer != b"null"


async def _evaluate(gateway: Gateway, actor: Actor, name: str, arguments: bytes) -> bytes:
    contract = actor.network.consortium.contract
    return await gateway.evaluate(contract, [name.encode(), arguments, READ])


async def place(gateway: Gateway, actor: Actor) -> None:
    """An order."""
    await _submit(gateway, actor, "place_orders", actor.network.order())


async def register_area(gateway: Gateway, actor: Actor) -> None:
    """What needs an administrator."""
    area = f"area-{secrets.token_hex(6)}"
    await _submit(gateway, actor, "register_area", AreaArguments(area, f"{area}-root", 5))


async def record(gateway: Gateway, actor: Actor) -> None:
    """A reading."""
    await _record(gateway, actor)


async def order_query(gateway: Gateway, actor: Actor) -> None:
    """A query, endorsed and ordered as if it were a transaction."""
    await _submit(gateway, actor, "describe_area", AreaName(AREA))


async def _submit(
    gateway: Gateway, actor: Actor, name: str, arguments: msgspec.Struct, *endorsers: str
) -> None:
    call = [name.encode(), encode(arguments)]
    contract = actor.network.consortium.contract
    await gateway.submit(contract, call, organisations=endorsers, repeats=3)


async def _record(gateway: Gateway, actor: Actor, *endorsers: str) -> None:
    signed = actor.network.report()
    await gateway.submit(
        actor.network.consortium.contract,
        [b"record_readings", encode(signed.arguments)],
        transient=signed.transient,
        organisations=endorsers,
        repeats=3,
    )


async def approve(gateway: Gateway, actor: Actor) -> None:
    """A contract of another name, so that nothing comes of it."""
    wanted = definition(
        actor.network.consortium, f"trial-{secrets.token_hex(6)}", version="1", sequence=1
    )
    unavailable = lifecycle_pb2.ChaincodeSource.Unavailable()
    call = approval(wanted, lifecycle_pb2.ChaincodeSource(unavailable=unavailable))
    await gateway.submit(LIFECYCLE, call, organisations=[actor.organisation], repeats=3)


async def read_blocks(gateway: Gateway, actor: Actor) -> None:
    """The first block of the channel, as it is streamed."""
    async with contextlib.aclosing(gateway.blocks(start=0)) as blocks:
        assert (await anext(blocks)).number == 0


async def read_events(gateway: Gateway, actor: Actor) -> None:
    """The stream of the contract's events, from the next block on, which is made for it."""
    stream = gateway.chaincode_events(actor.network.consortium.contract)
    async with contextlib.aclosing(stream) as events:
        first = asyncio.ensure_future(anext(events))
        async with actor.network.ledger(actor.network.profile(DSO)) as ledger:
            while not first.done():
                await actor.network.place(ledger)
        await first


async def endorse_orders(gateway: Gateway, actor: Actor) -> None:
    """An order of a DSO's client that only the actor's peer endorses."""
    await _endorsed(actor, DSO, _orders, actor.endorser)


async def endorse_orders_with_dso(gateway: Gateway, actor: Actor) -> None:
    """The same, endorsed by a DSO's peer too."""
    await _endorsed(actor, DSO, _orders, actor.endorser, DSO)


async def endorse_readings(gateway: Gateway, actor: Actor) -> None:
    """A reading of the oracle's client that only the actor's peer endorses."""
    await _endorsed(actor, ORACLE, _record, actor.endorser)


async def endorse_readings_with_dso(gateway: Gateway, actor: Actor) -> None:
    """The same, endorsed by a DSO's peer too."""
    await _endorsed(actor, ORACLE, _record, actor.endorser, DSO)


async def _orders(gateway: Gateway, actor: Actor, *endorsers: str) -> None:
    await _submit(gateway, actor, "place_orders", actor.network.order(), *endorsers)


async def _endorsed(
    actor: Actor,
    submitter: str,
    act: Callable[..., Awaitable[None]],
    *endorsers: str,
) -> None:
    """What `submitter` submits with the endorsements of `endorsers` and nobody else's."""
    async with Actor(actor.network, submitter).gateway("client") as gateway:
        assert gateway is not None
        await act(gateway, actor, *dict.fromkeys(endorsers))


Act = Callable[[Gateway, Actor], Awaitable[None]]

ACTS: dict[str, Act] = {
    "ask a public query": ask,
    "read a reading in the collection": read_collection,
    "place orders": place,
    "register an area": register_area,
    "record readings": record,
    "have a query ordered": order_query,
    "approve a contract": approve,
    "follow blocks": read_blocks,
    "follow events": read_events,
    "endorse orders alone": endorse_orders,
    "endorse orders beside a DSO": endorse_orders_with_dso,
    "endorse readings alone": endorse_readings,
    "endorse readings beside a DSO": endorse_readings_with_dso,
}
