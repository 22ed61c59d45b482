"""Makes the reports of a boundary, has them signed and brings them to the ledger.

A report holds the meters that are certified before or after the boundary, not recorded there yet, and
agreed on. If the ledger refuses a report because of one meter, the reporter halves the report until that
meter is alone, so that the other meters do not wait for it.
"""

from __future__ import annotations

import asyncio
import logging
import secrets
from collections.abc import Mapping, Sequence
from enum import Enum
from typing import Any, NamedTuple

from chaincode.metering.reports import REPORT_TYP, TRANSIENT_LEAVES, Leaf, Report, ReportArguments
from identity.canonical import encode
from identity.did import did_key
from identity.jws import sign_compact
from identity.keys import PrivateKey
from meter_oracle.agreement.consensus import (
    Objection,
    Values,
    Vouching,
    Wanted,
    agree,
    follows,
    make_leaf,
    objection,
    part_into_reports,
    salt_of,
)
from meter_oracle.agreement.observations import Observations
from meter_oracle.agreement.report import make_report
from meter_oracle.agreement.signatures import Signatures
from meter_oracle.health.board import HealthBoard, NodeState
from meter_oracle.peers.ledger_gateway import (
    EXISTS,
    RECORDED,
    LedgerView,
    SignedReport,
    Submitter,
)
from meter_oracle.peers.messages import Declined, Propose, Signed
from meter_oracle.peers.transport import PeerUnreachable
from meter_oracle.readings.plausibility import Limits
from meter_oracle.schedule import NS_PER_S, Timekeeper, wait_for
from meter_oracle.settings import MarketSettings, TimingSettings

log = logging.getLogger("meter_oracle.agreement.reporter")

PASSES_MAX = 3  # per turn; each pass leaves out the meters that met objections in the pass before
# Codes with which the contract refuses a whole report because of one leaf.
OF_ONE_LEAF = frozenset({
    "METER_AREA_FIXED",
    "METER_UNKNOWN",
    "READING_BACKWARDS",
    "READING_IMPLAUSIBLE",
    "READING_PURGED",
    "READING_REPEATED",
    "SUPPLY_MISSING",
})  # fmt: skip
OVERTAKEN = "READING_REPEATED"  # another node was faster; the reporter asks the ledger again


class TurnOutcome(Enum):
    """The rest of a boundary after a turn: nothing, meters to try again soon, or late meters."""

    DONE = "done"
    SOON = "soon"
    LATER = "later"


class Held(NamedTuple):
    """The ledger's content at a boundary, and the readings one slot earlier."""

    certified: Mapping[str, Limits]
    recorded: Mapping[str, Leaf]
    earlier: Mapping[str, Leaf]


class Reporter:
    """Makes the reports of one node, and signs those of the others."""

    def __init__(
        self,
        market: MarketSettings,
        timing: TimingSettings,
        *,
        key: PrivateKey,
        keeper: Timekeeper,
        board: HealthBoard,
        observations: Observations,
        submitter: Submitter,
        view: LedgerView,
    ) -> None:
        self.peers = Signatures(market, timing, board)
        self._did = did_key(key.public)
        self._market = market
        self._timing = timing
        self._key = key
        self._keeper = keeper
        self._board = board
        self._observations = observations
        self._submitter = submitter
        self._view = view
        self._secret = secrets.token_bytes(32)
        self._skew_ns = timing.skew_ms * 1_000_000 * keeper.rule.rate
        self._held: dict[int, Held] = {}
        self._notices: dict[int, asyncio.Event] = {}
        self._said: dict[int, asyncio.Event] = {}
        self._objections: dict[int, set[tuple[str, str]]] = {}
        self._refused: dict[int, set[str]] = {}

    def observed(self, boundary_s: int) -> None:
        """Note that this node has sent its observation of a boundary."""
        self._said.setdefault(boundary_s, asyncio.Event()).set()

    def notice(self, boundary_s: int) -> None:
        """Note that another node says a boundary has been reported; this ends the wait for a turn."""
        self._notices.setdefault(boundary_s, asyncio.Event()).set()

    async def await_turn(self, boundary_s: int, turn_s: float) -> None:
        """Return when this node's turn has come, or as soon as another node has reported."""
        event = self._notices.setdefault(boundary_s, asyncio.Event())
        if turn_s > 0:
            await wait_for(event, turn_s)
        event.clear()

    async def work(self, boundary_s: int) -> TurnOutcome:
        """Report what can be reported of a boundary now."""
        outcome = TurnOutcome.SOON
        for _ in range(PASSES_MAX):
            try:
                held = await self._ask(boundary_s)
            except PeerUnreachable as fault:
                await self._tell("waiting", fault.sentence)
                return TurnOutcome.SOON
            refused = self._refused.get(boundary_s, set())
            outstanding = [meter for meter in held.certified if meter not in held.recorded]
            if set(outstanding) <= refused:
                return await self._done(boundary_s, recorded=bool(held.recorded))
            wanted = await self._wanted(
                boundary_s, held, [meter for meter in outstanding if meter not in refused]
            )
            reports = part_into_reports(wanted, quorum=self._market.quorum)
            if not reports:
                return TurnOutcome.LATER
            known = len(self._objections.get(boundary_s, ()))
            codes = [await self._carry(boundary_s, report) for report in reports]
            if all(code in (RECORDED, EXISTS) for code in codes):
                outcome = TurnOutcome.LATER
                if sum(len(report) for report in reports) == len(outstanding):
                    return await self._done(boundary_s, recorded=True)
            if len(self._objections.get(boundary_s, ())) == known and OVERTAKEN not in codes:
                return outcome
        return outcome

    async def _done(self, boundary_s: int, *, recorded: bool) -> TurnOutcome:
        """Forget what the ledger held at a boundary that is completely reported."""
        self._held.pop(boundary_s, None)
        slot = boundary_s - self._market.slot_s if recorded else 0
        await self._tell("good", "The node takes part.", slot=slot)
        return TurnOutcome.DONE

    async def sign(self, peer: str, message: Propose) -> Signed | Declined:
        """Sign another node's report if this node observed the same, or answer why not."""
        report, boundary_s = message.report, message.report.boundary
        now_s = self._keeper.market_ns() // NS_PER_S
        if boundary_s % self._market.slot_s or boundary_s > now_s + self._early_s:
            return Declined("REPORT_EARLY", "The boundary has not been reached yet.", [])
        if boundary_s < now_s - (self._timing.keep_slots + 1) * self._market.slot_s:
            return Declined("REPLAYED", "The boundary is not one that is still reported.", [])
        for liar in self._observations.shown(message.observations):
            said = "The node has signed two contradicting observations of one boundary."
            await self._board.node(liar, "equivocates", said, at_s=now_s)
        event = self._said.setdefault(boundary_s, asyncio.Event())
        await wait_for(event, self._timing.sweep_ms / 1000)
        try:
            held = self._held.get(boundary_s) or await self._ask(boundary_s)
        except PeerUnreachable as fault:
            return Declined("LEDGER_UNAVAILABLE", fault.sentence, [])
        found = self._objection(report, message.leaves, held)
        if found is not None:
            log.info(
                "report of %s for boundary %s not signed: %s", peer, boundary_s, found.sentence
            )
            return Declined(found.code, found.sentence, found.meters)
        return Signed(sign_compact(self._key, REPORT_TYP, encode(report)))

    def drop(self, oldest_s: int) -> None:
        """Forget boundaries before `oldest_s`."""
        kept: Sequence[dict[int, Any]] = (
            self._held,
            self._notices,
            self._said,
            self._objections,
            self._refused,
        )
        for rows in kept:
            for boundary_s in [boundary_s for boundary_s in rows if boundary_s < oldest_s]:
                del rows[boundary_s]

    @property
    def _early_s(self) -> int:
        return -(-self._timing.clock_ms_max * self._keeper.rule.rate // 1000)

    def _objection(self, report: Report, leaves: Sequence[Leaf], held: Held) -> Objection | None:
        own = Vouching(
            observed=self._observations.at(report.boundary).get(self._did, {}),
            earlier=held.earlier,
            recorded=held.recorded,
            limits=held.certified,
            slot_s=self._market.slot_s,
            skew_ns=self._skew_ns,
        )
        return objection(report, leaves, self._made(report.boundary, [])[0], own)

    def _made(self, boundary_s: int, leaves: Sequence[Leaf]) -> tuple[Report, list[Leaf]]:
        market = self._market
        return make_report(
            leaves,
            area=market.area,
            boundary=boundary_s,
            oracle=market.oracle,
            channel=market.channel,
            contract=market.contract,
        )

    async def _ask(self, boundary_s: int) -> Held:
        """Ask what the ledger holds at a boundary now; raises `PeerUnreachable`."""
        before = self._held.get(boundary_s)
        if before is None:
            meters = await self._view.meters(boundary_s)
            certified = {one.meter: Limits(one.import_w, one.export_w) for one in meters}
            earlier: Mapping[str, Leaf] = {}
        else:
            certified, earlier = before.certified, before.earlier
        recorded = await self._readings(boundary_s)
        if not certified.keys() <= earlier.keys():
            earlier = await self._readings(boundary_s - self._market.slot_s)
        self._held[boundary_s] = Held(certified, recorded, earlier)
        return self._held[boundary_s]

    async def _readings(self, boundary_s: int) -> dict[str, Leaf]:
        return {leaf.meter: leaf for leaf in await self._view.readings(boundary_s)}

    async def _wanted(self, boundary_s: int, held: Held, meters: Sequence[str]) -> list[Wanted]:
        """Return the leaves that 2f + 1 nodes can sign, with those nodes."""
        observed = self._by_meter(boundary_s)
        objections = self._objections.get(boundary_s, set())
        wanted: list[Wanted] = []
        outside: dict[str, int] = {}
        for meter in meters:
            limits = held.certified[meter]
            said_of = observed.get(meter, {})
            agreed = agree(said_of, limits, quorum=self._market.quorum, skew_ns=self._skew_ns)
            if agreed is None:
                await self._say_disagreement(meter, said_of, boundary_s)
                continue
            for node in said_of.keys() - agreed.nodes:
                outside[node] = outside.get(node, 0) + 1
            salt = salt_of(self._secret, self._market.area, boundary_s, meter)
            leaf = make_leaf(meter, boundary_s, agreed.values, salt=salt)
            if not follows(leaf, held.earlier.get(meter), limits, self._market.slot_s):
                said = "The agreed registers rose by more than the meter's certified power allows."
                await self._board.meter(meter, "suspect", said, at_s=boundary_s)
                continue
            nodes = frozenset(n for n in agreed.nodes if (n, meter) not in objections)
            wanted.append(Wanted(leaf, nodes))
        await self._judge(outside, boundary_s, len(wanted))
        return wanted

    def _by_meter(self, boundary_s: int) -> dict[str, dict[str, Values]]:
        found: dict[str, dict[str, Values]] = {}
        for node, values in self._observations.at(boundary_s).items():
            for meter, one in values.items():
                found.setdefault(meter, {})[node] = one
        return found

    async def _say_disagreement(
        self, meter: str, observed: Mapping[str, Values], at_s: int
    ) -> None:
        if len(observed) >= self._market.quorum:
            said = f"{len(observed)} nodes have read the meter and do not agree."
            await self._board.meter(meter, "disagreed", said, at_s=at_s)

    async def _judge(self, outside: Mapping[str, int], at_s: int, count: int) -> None:
        """Put the state of each other node at a boundary on the health board."""
        observed = self._observations.at(at_s)
        for node in self._market.nodes:
            if node == self._did or self._observations.is_liar(at_s, node):
                continue
            if 2 * outside.get(node, 0) > count > 0:
                said = (
                    f"The node's observations of {outside[node]} meters are outside the tolerance."
                )
                await self._board.node(node, "disagrees", said, at_s=at_s)
            elif node in observed:
                await self._board.node(node, "good", "The node takes part.", at_s=at_s)

    async def _carry(self, boundary_s: int, wanted: Sequence[Wanted]) -> str:
        """Have a report signed and submit it; return the ledger's code, or UNSIGNED."""
        report, leaves = self._made(boundary_s, [leaf for leaf, _ in wanted])
        tokens: dict[str, str] = {}
        if self._did in wanted[0].nodes:
            tokens[self._did] = sign_compact(self._key, REPORT_TYP, encode(report))
        message = Propose(report, leaves, self._observations.tokens(boundary_s))
        objections = self._objections.setdefault(boundary_s, set())
        await self.peers.gather(message, tokens, objections, at_s=boundary_s)
        if len(tokens) < self._market.quorum:
            log.info(
                "boundary %s: %d signatures, %d needed",
                boundary_s,
                len(tokens),
                self._market.quorum,
            )
            return "UNSIGNED"
        ordered = [tokens[node] for node in self._market.nodes if node in tokens]
        signed = SignedReport(ReportArguments(ordered), {TRANSIENT_LEAVES: encode(leaves)})
        code = await self._submitter.submit(signed)
        if code in (RECORDED, EXISTS):
            self.peers.announce(boundary_s)
        elif code in OF_ONE_LEAF:
            return await self._halve(boundary_s, wanted, code)
        else:
            await self._tell("waiting", f"The ledger answered {code} to a report.")
        return code

    async def _halve(self, boundary_s: int, wanted: Sequence[Wanted], code: str) -> str:
        """Report the two halves separately after the ledger has refused the report for one leaf."""
        if code == OVERTAKEN and set(await self._readings(boundary_s)) >= {
            one.leaf.meter for one in wanted
        }:
            return EXISTS
        if len(wanted) == 1:
            meter = wanted[0].leaf.meter
            self._refused.setdefault(boundary_s, set()).add(meter)
            said = f"The ledger refuses the meter's reading: {code}."
            await self._board.meter(meter, "refused", said, at_s=boundary_s)
            return code
        middle = len(wanted) // 2
        codes = [await self._carry(boundary_s, half) for half in (wanted[:middle], wanted[middle:])]
        return next((each for each in codes if each not in (RECORDED, EXISTS)), RECORDED)

    async def _tell(self, state: NodeState, sentence: str, *, slot: int = 0) -> None:
        at_s = self._keeper.market_ns() // NS_PER_S
        await self._board.node(self._did, state, sentence, at_s=at_s, slot=slot)
