"""Asks the other nodes to sign a report, and collects their signatures and objections."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Coroutine, Mapping
from typing import Any

from chaincode.metering.reports import REPORTS, Report
from identity.jws import TokenRefused
from meter_oracle.health.board import HealthBoard
from meter_oracle.peers.messages import Declined, Propose, Signed, Submitted
from meter_oracle.peers.transport import PeerLink, PeerUnreachable
from meter_oracle.settings import MarketSettings, TimingSettings

log = logging.getLogger("meter_oracle.agreement.signatures")


class Signatures:
    """Asks the peers of one node; the node sets `links` once it knows their addresses."""

    def __init__(self, market: MarketSettings, timing: TimingSettings, board: HealthBoard) -> None:
        self.links: Mapping[str, PeerLink] = {}
        self._quorum = market.quorum
        self._ask_s = timing.ask_ms / 1000
        self._board = board
        self._asking: set[asyncio.Task[None]] = set()

    async def gather(
        self,
        message: Propose,
        tokens: dict[str, str],
        objections: set[tuple[str, str]],
        *,
        at_s: int,
    ) -> None:
        """Ask all peers to sign; return when `tokens` is a quorum, or when all have answered.

        `objections` receives (node, meter) for each meter that a node cannot vouch for. A node that
        stalls may still answer until its deadline, but the caller does not wait for it after a quorum.
        """
        asked = [
            self._spawn(self._ask(link, message, tokens, objections, at_s))
            for link in self.links.values()
        ]
        left = set(asked)
        while left and len(tokens) < self._quorum:
            _, left = await asyncio.wait(left, return_when=asyncio.FIRST_COMPLETED)

    def announce(self, boundary_s: int) -> None:
        """Tell all peers that the ledger has taken a report, without waiting for answers."""
        for link in self.links.values():
            self._spawn(self._announce(link, boundary_s))

    async def close(self) -> None:
        """Stop asking, and close all connections."""
        for task in list(self._asking):
            task.cancel()
        await asyncio.gather(*self._asking, return_exceptions=True)
        await asyncio.gather(*(link.close() for link in self.links.values()))

    async def _ask(
        self,
        link: PeerLink,
        message: Propose,
        tokens: dict[str, str],
        objections: set[tuple[str, str]],
        at_s: int,
    ) -> None:
        try:
            answer = await link.ask(message, timeout_s=self._ask_s)
        except PeerUnreachable as fault:
            await self._board.node(link.name, "silent", fault.sentence, at_s=at_s)
            return
        if isinstance(answer, Declined):
            named = {leaf.meter for leaf in message.leaves}
            objections.update((link.name, meter) for meter in answer.meters if meter in named)
        elif isinstance(answer, Signed) and is_signature(answer.token, link.name, message.report):
            tokens[link.name] = answer.token
        else:
            said = "The node answered a request to sign with something other than its signature."
            await self._board.node(link.name, "disagrees", said, at_s=at_s)

    async def _announce(self, link: PeerLink, boundary_s: int) -> None:
        try:
            await link.ask(Submitted(boundary_s), timeout_s=self._ask_s)
        except PeerUnreachable as fault:
            log.info(
                "%s was not told that boundary %s is reported: %s",
                link.name,
                boundary_s,
                fault.sentence,
            )

    def _spawn(self, work: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
        task = asyncio.create_task(work)
        self._asking.add(task)
        task.add_done_callback(self._asking.discard)
        return task


def is_signature(token: str, did: str, report: Report) -> bool:
    """Return whether a token is the signature of `did` under exactly this report."""
    try:
        opened = REPORTS.open(token)
    except TokenRefused:
        return False
    return opened.did == did and opened.payload == report and opened.holds()
