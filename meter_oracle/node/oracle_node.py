"""An oracle node, which reads meters at a slot's boundary, agrees with the others, signs and submits.

At each boundary the node reads all meters before and after it, and sends its observation to all other
nodes. Then the nodes report the registers at the boundary, in as many rounds as necessary: the node whose turn
it is makes reports of what 2f + 1 nodes observed alike, collects signatures and submits; the others sign
what they vouch for, and take over if the ledger holds nothing in time. No node relies on another node for
what the ledger holds.

A fault of a peer or a meter is put on the health board and does not stop the node.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

from chaincode.metering.oracles import configuration_digest
from identity.did import did_key
from identity.keys import PrivateKey
from meter_oracle.agreement.observations import CLOCK, EQUIVOCATES, Moment, Observations
from meter_oracle.agreement.reporter import Reporter, TurnOutcome
from meter_oracle.control.delivery import Delivery
from meter_oracle.health.board import HealthBoard
from meter_oracle.health.teller import HealthTeller
from meter_oracle.node.polling import MeterPoller
from meter_oracle.peers.ledger_gateway import LedgerView, Submitter
from meter_oracle.peers.messages import (
    OK,
    Heard,
    Message,
    Observe,
    Observed,
    Propose,
    Submitted,
    read_header,
    sign_observation,
)
from meter_oracle.peers.transport import (
    PeerLink,
    PeerServer,
    PeerUnreachable,
    TlsFiles,
    split_address,
)
from meter_oracle.schedule import NS_PER_S, Timekeeper, submit_order, wait_for
from meter_oracle.settings import MarketSettings, TimingSettings

log = logging.getLogger("meter_oracle.node")


class OracleNode:
    """One node; `run` works until it is cancelled. `poller` holds its meters."""

    def __init__(
        self,
        market: MarketSettings,
        timing: TimingSettings,
        *,
        key: PrivateKey,
        keeper: Timekeeper,
        poller: MeterPoller,
        board: HealthBoard,
        submitter: Submitter,
        view: LedgerView,
        tls: TlsFiles,
        delivery: Delivery | None = None,
        teller: HealthTeller | None = None,
    ) -> None:
        self.did = did_key(key.public)
        self._market = market
        self._timing = timing
        self._key = key
        self._keeper = keeper
        self._view = view
        self._poller = poller
        self._board = board
        self._delivery = delivery
        self._teller = teller
        self._tls = tls
        self._links: Mapping[str, PeerLink] = {}
        self._server = PeerServer(
            tls, [did for did in market.nodes if did != self.did], self._receive
        )
        self._early_s = -(-timing.clock_ms_max * keeper.rule.rate // 1000)
        self._observations = Observations(
            market,
            configuration_digest(market.oracle),
            clock_ms_max=timing.clock_ms_max,
            early_s=self._early_s,
        )
        self._reporter = Reporter(
            market,
            timing,
            key=key,
            keeper=keeper,
            board=board,
            observations=self._observations,
            submitter=submitter,
            view=view,
        )
        self._news: dict[int, asyncio.Event] = {}
        self._objectors: set[str] = set()
        self._tasks: set[asyncio.Task[Any]] = set()

    async def listen(self, address: str) -> int:
        """Answer peers at `host:port` from now on; return the port."""
        return await self._server.start(*split_address(address))

    def connect(self, addresses: Mapping[str, str]) -> None:
        """Set the addresses of the other nodes, by DID; connections open when they are needed."""
        self._links = {
            did: PeerLink(self._tls, did, address)
            for did, address in addresses.items()
            if did != self.did and did in self._market.nodes
        }
        self._reporter.peers.links = self._links

    async def run(self) -> None:
        """Read and report boundary after boundary, until cancelled."""
        slot_s = self._market.slot_s
        lead_ns = min(
            self._timing.lead_ms * 1_000_000 * self._keeper.rule.rate, slot_s * NS_PER_S // 2
        )
        lead_s = lead_ns / self._keeper.rule.rate / NS_PER_S
        boundary_s = self._keeper.boundary_s(slot_s)
        try:
            if self._teller is not None:
                self._begin(self._teller.run())
            at_s = self._keeper.market_ns() // NS_PER_S
            await self._board.node(self.did, "good", "The node has started.", at_s=at_s)
            await self._certify(boundary_s)
            while True:
                await self._keeper.until(boundary_s * NS_PER_S - lead_ns)
                self._poller.open(boundary_s)
                await self._poller.sweep(within_s=lead_s)
                await self._keeper.until(boundary_s * NS_PER_S)
                self._begin(self._boundary(boundary_s))
                boundary_s = max(boundary_s + slot_s, self._keeper.boundary_s(slot_s))
        finally:
            await self._stop()

    async def _stop(self) -> None:
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._server.close()
        await self._reporter.peers.close()
        await self._poller.close()

    def _begin(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._ended)

    def _ended(self, task: asyncio.Task[Any]) -> None:
        self._tasks.discard(task)
        if not task.cancelled() and task.exception() is not None:
            log.error("a task of the node failed", exc_info=task.exception())

    async def _boundary(self, boundary_s: int) -> None:
        """Do all the work of a boundary: limits, readings, observations, the report."""
        if self._delivery is not None:
            self._begin(self._delivery.instruct(boundary_s))
        await self._poller.sweep(within_s=self._timing.sweep_ms / 1000)
        await self._certify(boundary_s)
        await self._poller.report_health(boundary_s)
        await self._observe(boundary_s)
        self._begin(self._follow(boundary_s))
        await self._report(boundary_s)
        self._forget(boundary_s)

    async def _certify(self, boundary_s: int) -> None:
        """Learn the certified powers of the meters at a boundary; without the ledger the old powers stay valid."""
        try:
            self._poller.certify(await self._view.meters(boundary_s))
        except PeerUnreachable as fault:
            log.warning("the ledger does not say which meters are certified: %s", fault.sentence)

    def _forget(self, boundary_s: int) -> None:
        """Forget what no report needs any more, now that a boundary is reported.

        The registers of the newest boundary stay: the next slot is judged by them.
        """
        self._observations.forget_values(boundary_s)
        self._poller.forget(boundary_s - self._market.slot_s)
        oldest_s = self._oldest_s()
        self._observations.drop(oldest_s)
        self._reporter.drop(oldest_s)
        for kept in [kept for kept in self._news if kept < oldest_s]:
            del self._news[kept]

    async def _follow(self, boundary_s: int) -> None:
        """Read late meters again, and send the others an observation of each that answers."""
        while boundary_s >= self._oldest_s():
            late = self._poller.late(boundary_s)
            if late:
                await asyncio.sleep(self._timing.retry_ms / 1000)
                await self._poller.sweep(late, within_s=self._timing.sweep_ms / 1000)
            if await self._observe(boundary_s):
                await self._poller.report_health(boundary_s)
            if not late:
                return

    async def _observe(self, boundary_s: int) -> bool:
        """Send the others what this node newly vouches for, signed; return whether it sent anything."""
        known = self._observations.at(boundary_s).get(self.did, {})
        values = [
            Observed(meter, *one)
            for meter, one in self._poller.vouched(boundary_s).items()
            if meter not in known
        ]
        if self._observations.has_said(boundary_s, self.did) and not values:
            return False
        header = self._observations.header(boundary_s, node=self.did, sent_ns=self._keeper.now())
        message = sign_observation(self._key, header, values)
        self._observations.take(self.did, message, self._moment())
        self._reporter.observed(boundary_s)
        self._stir(boundary_s)
        for link in self._links.values():
            self._begin(self._send(link, message))
        return True

    async def _send(self, link: PeerLink, message: Message) -> None:
        at_s = self._keeper.market_ns() // NS_PER_S
        try:
            answer = await link.ask(message, timeout_s=self._timing.ask_ms / 1000)
        except PeerUnreachable as fault:
            await self._board.node(link.name, "silent", fault.sentence, at_s=at_s)
            return
        if isinstance(answer, Heard) and answer.code == CLOCK:
            self._objectors.add(link.name)
            if len(self._objectors) > self._market.faulty_max:
                said = (
                    f"{len(self._objectors)} nodes object to this node's clock: {answer.sentence}"
                )
                await self._board.node(self.did, "clock", said, at_s=at_s)
        else:
            self._objectors.discard(link.name)

    async def _report(self, boundary_s: int) -> None:
        """Report a boundary until the ledger holds all of its meters."""
        attempt = 0
        while boundary_s >= self._oldest_s():
            await self._gathered(boundary_s)
            order = submit_order(
                self._market.nodes, boundary_s, slot_s=self._market.slot_s, attempt=attempt
            )
            turn_s = order.index(self.did) * self._timing.turn_ms / 1000
            await self._reporter.await_turn(boundary_s, turn_s)
            await self._keeper.until_ledger(boundary_s)
            self._event(boundary_s).clear()
            outcome = await self._reporter.work(boundary_s)
            if outcome is TurnOutcome.DONE:
                return
            wait_s = self._timing.retry_ms / 1000
            if outcome is TurnOutcome.LATER:
                wait_s = max(wait_s, self._market.slot_s / self._keeper.rule.rate)
            await wait_for(self._event(boundary_s), wait_s)
            attempt += 1

    async def _gathered(self, boundary_s: int) -> None:
        """Return when all nodes have sent an observation of a boundary, or after `patience_ms`."""
        deadline = asyncio.get_running_loop().time() + self._timing.patience_ms / 1000
        while len(self._observations.at(boundary_s)) < len(self._market.nodes):
            left_s = deadline - asyncio.get_running_loop().time()
            if left_s <= 0:
                return
            event = self._event(boundary_s)
            event.clear()
            await wait_for(event, left_s)

    async def _receive(self, peer: str, message: Message) -> Message:
        match message:
            case Observe():
                return await self._hear(peer, message)
            case Propose():
                return await self._reporter.sign(peer, message)
            case Submitted():
                self._reporter.notice(message.boundary)
                return Heard(OK)
            case _:
                return Heard("MESSAGE_UNEXPECTED", "A node does not take this kind of message.")

    async def _hear(self, peer: str, message: Observe) -> Heard:
        moment = self._moment()
        heard = self._observations.take(peer, message, moment)
        if heard.code == CLOCK:
            await self._board.node(peer, "clock", heard.sentence, at_s=moment.market_s)
        elif heard.code == EQUIVOCATES:
            await self._board.node(peer, "equivocates", heard.sentence, at_s=moment.market_s)
        elif heard.code == OK:
            _, header = read_header(message.token)
            self._stir(header.boundary)
        return heard

    def _moment(self) -> Moment:
        return Moment(self._keeper.now(), self._keeper.market_ns() // NS_PER_S, self._oldest_s())

    def _oldest_s(self) -> int:
        kept_s = (self._timing.keep_slots + 1) * self._market.slot_s
        return self._keeper.market_ns() // NS_PER_S - kept_s

    def _event(self, boundary_s: int) -> asyncio.Event:
        return self._news.setdefault(boundary_s, asyncio.Event())

    def _stir(self, boundary_s: int) -> None:
        """Wake the report of a boundary."""
        self._event(boundary_s).set()
