"""The work of a market's members, slot by slot, in a demonstration and in a simulation.

`MemberDuties.tick` takes market time and does what is due: retailers submit their clients' sheets,
the DSO closes gates and clears, seed members reveal, a retailer settles, corrects and folds. All
state is on the ledger, so `resume` finds out what is due after a crash.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import msgspec

from chaincode.accounts.payments import PaymentArguments
from chaincode.accounts.statements import AccountAnswer, OwnerArguments
from chaincode.area.rules import MarketRules
from chaincode.area.zones import AreaName
from chaincode.clearing.empty_slots import EmptyGatesArguments
from chaincode.documents.intake import BATCH_TOKENS_MAX
from chaincode.errors import (
    GATE_NOT_EMPTY,
    READINGS_MISSING,
    SEEDS_AWAITED,
    SLOT_PHASE,
    Refused,
)
from chaincode.orders.handlers import TokensAnswer
from chaincode.orders.sheets import SheetOrder, TokensArguments
from chaincode.queries.market import AreaAnswer, SlotView
from chaincode.settlement.run import SlotSettlement
from chaincode.slots.folding import FoldAnswer
from chaincode.slots.gate import SlotAnswer, SlotArguments
from commonwatt.demonstration.bidding import make_orders, sign_sheet
from commonwatt.demonstration.cast import (
    AREA,
    DEPOSIT_LOW_NANO,
    DEPOSIT_NANO,
    DSO,
    RETAILERS,
    SLOT_S,
    Cast,
    Home,
    market_rules,
)
from commonwatt.demonstration.duties.seeds import SeedDuties
from commonwatt.demonstration.profiles import simbench_week
from ledger_network.port import Conflict, Ledger, Member, Receipt

ATTEMPTS_MAX = 20  # for a transaction that conflicts; at each conflict another one has committed
SLOTS_PER_DAY = 96
EMPTY_SLOTS_MIN = 4  # slots that are due together before their gates are closed as empty ones


class Tally(msgspec.Struct):
    """Counts over all slots since this process began."""

    orders: int = 0
    slots: int = 0
    trades: int = 0
    volume_wh: int = 0
    settled_wh: int = 0
    certificates_minted_wh: int = 0
    certificates_retired_wh: int = 0


class Reporter(Protocol):
    """Reports what meters measured."""

    async def report(self, slot: int) -> None:
        """Record the readings of a slot that has ended."""
        ...


class MemberDuties:
    """The members' work on one ledger; `settled` is called with each slot that has settled.

    Without a reporter the oracle nodes report on their own, and a slot waits for its readings until
    the deadline in its rules.
    """

    def __init__(
        self,
        ledger: Ledger,
        cast: Cast,
        first_slot: int,
        *,
        reporter: Reporter | None = None,
        settled: Callable[[SlotView], None] | None = None,
    ) -> None:
        self._ledger = ledger
        self._reporter = reporter
        self._cast = cast
        self._rules: MarketRules = market_rules(first_slot)
        self._week = simbench_week()
        self._seeds = SeedDuties(ledger, cast, self.submit)
        self._settled = settled
        self._first_slot = first_slot
        self._place_next = first_slot
        self._close_next = first_slot
        self._clear_next = first_slot
        self._settle_next = first_slot
        self._to_correct: set[int] = set()
        self.tally = Tally()

    def correct(self, first_slot: int, end_s: int | None) -> None:
        """Correct the settled slots from `first_slot` on and before `end_s` at the next `tick`.

        Call this when readings that change these slots arrive; without an end, all later slots change.
        """
        end = self._settle_next if end_s is None else min(end_s, self._settle_next)
        self._to_correct.update(range(first_slot, end, SLOT_S))

    async def resume(self) -> None:
        """Find the newest closed gate and the oldest slot that has not settled.

        Interrupted clearings are finished first, in the order of slots; then what is due is folded.
        """
        area = await self._area()
        if area.lane.closed_slot < self._close_next:
            return
        self._close_next = self._place_next = area.lane.closed_slot + SLOT_S
        slot = area.lane.closed_slot
        while slot >= self._first_slot and (await self.slot(slot)).phase != "SETTLED":
            slot -= SLOT_S
        self._settle_next = slot + SLOT_S
        self._clear_next = self._settle_next
        await self._clear_closed()
        await self._fold()

    async def tick(
        self, now_s: int, *, lookahead_s: int = SLOT_S, last_slot: int | None = None
    ) -> None:
        """Do what is due at market time `now_s`.

        Sheets are sent for slots whose gate closes within `lookahead_s`. Slots after `last_slot` get
        no sheets and stay open.
        """
        while self._is_due(self._place_next, last_slot, now_s + lookahead_s):
            if self._rules.gate_s(self._place_next) > now_s:
                await self._place(self._place_next)
            self._place_next += SLOT_S
        await self._clear_closed()
        while self._is_due(self._close_next, last_slot, now_s):
            await self._close(last_slot, now_s)
            await self._clear_closed()
        while self._settle_next < self._clear_next and self._settle_next + SLOT_S <= now_s:
            if not await self._settle(self._settle_next):
                break
            self._settle_next += SLOT_S
            await self._fold()
        for slot in sorted(self._to_correct):
            await self._correct(slot)
            self._to_correct.discard(slot)

    async def settled_before(self, count: int) -> list[SlotView]:
        """Return up to `count` slots that had settled before `resume`, oldest first."""
        first = max(self._first_slot, self._settle_next - count * SLOT_S)
        return [await self.slot(slot) for slot in range(first, self._settle_next, SLOT_S)]

    def is_settled(self, last_slot: int) -> bool:
        """Return whether every slot up to `last_slot` has settled."""
        return self._settle_next > last_slot

    @property
    def open_slot(self) -> int:
        """The next slot whose gate closes."""
        return self._close_next

    async def slot(self, slot: int) -> SlotView:
        """Return a slot as the ledger has it."""
        answer = await self._ledger.evaluate(
            "describe_slot", SlotArguments(AREA, slot), member=Member(DSO)
        )
        return msgspec.json.decode(answer, type=SlotView)

    async def submit(
        self,
        name: str,
        arguments: msgspec.Struct,
        member: Member,
        transient: dict[str, bytes] | None = None,
    ) -> Receipt:
        """Submit, and retry while the transaction conflicts with one that committed first."""
        for _ in range(ATTEMPTS_MAX):
            try:
                return await self._ledger.submit(
                    name, arguments, member=member, transient=transient
                )
            except Conflict:
                continue
        return await self._ledger.submit(name, arguments, member=member, transient=transient)

    def _is_due(self, slot: int, last_slot: int | None, now_s: int) -> bool:
        in_reach = last_slot is None or slot <= last_slot
        return in_reach and self._rules.gate_s(slot) <= now_s

    async def _area(self) -> AreaAnswer:
        answer = await self._ledger.evaluate("describe_area", AreaName(AREA), member=Member(DSO))
        return msgspec.json.decode(answer, type=AreaAnswer)

    async def _place(self, slot: int) -> None:
        """Let each retailer submit its clients' sheets for a slot."""
        for retailer in RETAILERS:
            tokens: list[str] = []
            for home in self._cast.homes:
                orders = make_orders(self._cast, self._week, home, slot)
                if home.retailer == retailer and orders:
                    tokens.append(self._sign(home, orders))
            for start in range(0, len(tokens), BATCH_TOKENS_MAX):
                batch = TokensArguments(tokens[start : start + BATCH_TOKENS_MAX])
                receipt = await self.submit("place_orders", batch, Member(retailer))
                answers = receipt.read(TokensAnswer).answers
                self.tally.orders += sum(1 for answer in answers if answer.code == "PLACED")

    def _sign(self, home: Home, orders: list[SheetOrder]) -> str:
        channel, contract = self._ledger.channel, self._ledger.contract
        return sign_sheet(home, orders, channel=channel, contract=contract)

    async def _close(self, last_slot: int | None, now_s: int) -> None:
        """Close the gate that is due, or many at once if nobody has ordered in their slots."""
        last = self._close_next
        while self._is_due(last + SLOT_S, last_slot, now_s):
            last += SLOT_S
        if last - self._close_next >= (EMPTY_SLOTS_MIN - 1) * SLOT_S:
            try:
                empty = EmptyGatesArguments(AREA, last)
                await self.submit("close_empty_gates", empty, Member(DSO))
            except Refused as refused:
                if refused.code not in (GATE_NOT_EMPTY.code, SLOT_PHASE.code):
                    raise
            else:
                self._close_next = last + SLOT_S
                return
        await self.submit("close_gate", SlotArguments(AREA, self._close_next), Member(DSO))
        self._close_next += SLOT_S

    async def _clear_closed(self) -> None:
        """Let the seeds of closed slots be revealed and clear these slots, as far as possible."""
        while self._clear_next < self._close_next:
            slot = self._clear_next
            if (await self.slot(slot)).phase in ("CLOSED", "CLEARING"):
                await self._seeds.reveal(slot)
                try:
                    await self._run("clear_slot", slot, "CLEARED", Member(DSO))
                except Refused as refused:
                    if refused.code != SEEDS_AWAITED.code:
                        raise
                    return
            self._clear_next += SLOT_S

    async def _run(self, name: str, slot: int, done: str, member: Member) -> None:
        """Continue a run until the slot's phase is `done`."""
        while True:
            receipt = await self.submit(name, SlotArguments(AREA, slot), member)
            answer = receipt.read(SlotAnswer)
            if answer.phase == done and not answer.step:
                return

    async def _correct(self, slot: int) -> None:
        """Correct a slot unless nothing has changed, or nothing of it may change any more."""
        try:
            await self._run("correct_slot", slot, "SETTLED", Member(RETAILERS[0]))
        except Refused as refused:
            if refused.code not in ("NOTHING_TO_CORRECT", "SLOT_FINAL"):
                raise
            return
        await self._fold()

    async def _fold(self) -> None:
        """Fold what is due; entries behind a gate wait until its slot has cleared."""
        more = True
        while more:
            try:
                receipt = await self.submit("fold_accounts", AreaName(AREA), Member(RETAILERS[0]))
            except Refused as refused:
                if refused.code != "NOTHING_TO_FOLD":
                    raise
                return
            more = receipt.read(FoldAnswer).more

    async def _settle(self, slot: int) -> bool:
        """Settle a slot; return False while its readings are missing."""
        if self._reporter is not None:
            await self._reporter.report(slot)
        day, place = divmod(slot // SLOT_S, SLOTS_PER_DAY)
        if place == 0:
            await self._top_up(day)  # first, because a settled slot is not visited again
        try:
            await self._run("settle_slot", slot, "SETTLED", Member(RETAILERS[0]))
        except Refused as refused:
            if refused.code != READINGS_MISSING.code:
                raise
            return False
        view = await self.slot(slot)
        self._count(view)
        if self._settled is not None:
            self._settled(view)
        return True

    async def _top_up(self, day: int) -> None:
        """Once a day, book a deposit for each client whose account is low."""
        for home in self._cast.homes:
            answer = await self._ledger.evaluate(
                "describe_account", OwnerArguments(AREA, home.did), member=Member(home.retailer)
            )
            account = msgspec.json.decode(answer, type=AccountAnswer)
            if account.worth_nano - account.account.reserved_nano < DEPOSIT_LOW_NANO:
                deposit = PaymentArguments(
                    AREA, home.did, DEPOSIT_NANO, f"deposit-{home.number}-{day}"
                )
                await self.submit("credit_client", deposit, Member(home.retailer))

    def _count(self, view: SlotView) -> None:
        settlement = view.settlement or SlotSettlement()
        self.tally.slots += 1
        self.tally.trades += sum(zone.trades for zone in view.zones)
        self.tally.volume_wh += sum(zone.volume_wh for zone in view.zones)
        self.tally.settled_wh += settlement.settled_wh
        self.tally.certificates_minted_wh += settlement.minted_wh
        self.tally.certificates_retired_wh += settlement.retired_wh
