"""A town whose every act is foretold: orders, books and answers kept a second time and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import msgspec

from chaincode.accounts.payments import Payment, PaymentArguments, PayoutArguments
from chaincode.area.fees import FeeRow
from chaincode.area.rule_changes import RulesArguments
from chaincode.area.rules import MarketRules
from chaincode.area.zones import PauseArguments
from chaincode.errors import Refused
from chaincode.metering.readings import READING_VERSIONS_MAX, Leaf
from chaincode.metering.reports import Recorded
from chaincode.orders.order_batch import StoredOrder
from chaincode.orders.sheets import SheetOrder, Step
from chaincode.slots.gate import SlotArguments
from tests.chaincode.books_model import Books
from tests.chaincode.orders.order_model import Orders
from tests.chaincode.town import (
    AREA,
    DSO,
    ORACLE,
    OTHER_DSO,
    RETAILERS,
    ROOT,
    RULES,
    SLOT,
    SLOT_S,
    Town,
    Trader,
)

QUICK_RULES = msgspec.structs.replace(RULES, opens_s=3_600, report_deadline_s=600)


class ShadowedTown:
    """Acts on a town and on dicts alike; an act that the dicts do not foretell fails."""

    def __init__(self, traders: int, *, slots: int, deposit_nano: int) -> None:
        self.town = Town(traders, rules=QUICK_RULES, deposit_nano=0, slots=slots)
        self.books = Books(self.town)
        self.orders: dict[tuple[int, str], Orders] = {}
        self.rules = [(SLOT, QUICK_RULES)]
        self.locked: dict[str, None] = {}
        self.paused: dict[str, None] = {}
        self.acts = 0
        self.payments: list[tuple[Trader, int, str]] = []
        self.open_slot = SLOT
        self.closed: list[int] = []
        self.cleared: list[int] = []
        self.settled: list[int] = []
        self.read: dict[int, dict[str, list[Leaf]]] = {}
        self.withheld: dict[int, dict[str, Leaf]] = {}
        self.settled_on: dict[int, dict[str, tuple[int, int]]] = {}
        self.events = 0
        for trader in self.town.traders:
            self.pay(trader, deposit_nano)

    # Orders

    def place(self, sheets: Sequence[tuple[Trader, str, Sequence[SheetOrder]]]) -> list[str]:
        """Send a batch of sheets; the codes. All orders of a sheet are for one slot.

        The open slot and the two after it take orders.
        """
        self.town.at(QUICK_RULES.opening_s(SLOT + 2 * SLOT_S))
        tokens = [self.town.sheet(trader, orders, meter=m) for trader, m, orders in sheets]
        wanted = [
            self._row(orders[0].slot, trader).place(
                meter, trader.zone, orders, barred=self._bars_place(orders[0].slot, trader)
            )
            for trader, meter, orders in sheets
        ]
        return self._answered("place_orders", tokens, wanted)

    def amend(self, changes: Sequence[tuple[Trader, int, str, int, list[Step]]]) -> list[str]:
        """Send a batch of amendments (trader, slot, order, revision, steps); the codes."""
        tokens = [self.town.amend_token(*change) for change in changes]
        wanted = [
            self._row(slot, trader).amend(
                name, revision, steps, barred=self._bars_amend(slot, trader)
            )
            for trader, slot, name, revision, steps in changes
        ]
        return self._answered("amend_orders", tokens, wanted)

    def cancel(self, names: Sequence[tuple[Trader, int, str]]) -> list[str]:
        """Send a batch of cancels (trader, slot, order); the codes."""
        tokens = [self.town.cancel_token(*name) for name in names]
        wanted = [
            self._row(slot, trader).cancel(name, barred=self._bars_gate(slot))
            for trader, slot, name in names
        ]
        return self._answered("cancel_orders", tokens, wanted)

    # Money

    def pay(self, trader: Trader, amount_nano: int) -> None:
        """A credit above zero, else a debit, which is refused beyond what is free."""
        name = "credit_client" if amount_nano > 0 else "debit_client"
        reference = f"p{len(self.payments)}"
        payment = self._payment(trader, amount_nano, reference)
        self.events += 1
        if amount_nano < 0:
            code = "PAYOUT_WAITS" if self._at_stake(trader.did) else "FUNDS_INSUFFICIENT"
            if self._at_stake(trader.did) or self.books.money.free(trader.did) + amount_nano < 0:
                assert self.town.refused(name, payment, trader.retailer) == code
                self.books.seen[code] += 1
                return
        self.town.submit(name, payment, trader.retailer)
        self.books.paid(trader, amount_nano, reference)
        self.payments.append((trader, amount_nano, reference))

    def _payment(
        self, trader: Trader, amount_nano: int, reference: str
    ) -> PaymentArguments | PayoutArguments:
        if amount_nano > 0:
            return self.town.payment(trader, amount_nano, reference)
        return self.town.payout(trader.key, trader.retailer, -amount_nano, reference)

    def pay_again(self, place: int) -> None:
        """A payment sent again is answered alike and moves nothing; another amount is refused."""
        trader, amount_nano, reference = self.payments[place]
        name = "credit_client" if amount_nano > 0 else "debit_client"
        payment = self._payment(trader, amount_nano, reference)
        changes = self.town.view.kept.changes
        answer = msgspec.json.decode(self.town.submit(name, payment, trader.retailer), type=Payment)
        assert answer.amount_nano == amount_nano
        assert self.town.view.kept.changes == changes
        other = self._payment(trader, amount_nano + (1 if amount_nano > 0 else -1), reference)
        assert self.town.refused(name, other, trader.retailer) == "PAYMENT_EXISTS"
        self.events += 2

    # A slot's life

    def close(self) -> int:
        """Close the gate of the open slot."""
        slot = self.open_slot
        self.town.close_gate(slot)
        self.books.gate_closed(slot)
        self.closed.append(slot)
        self.open_slot += SLOT_S
        self.events += 1
        return slot

    def clear(self, slot: int) -> None:
        """Clear the first closed slot, and compare everything; a later one is refused."""
        for later in self.closed[1:]:
            code = self.town.refused("clear_slot", SlotArguments(AREA, later))
            assert code == "CLEARING_OUT_OF_ORDER"
        self.closed.remove(slot)
        self.events += self.town.clear(slot)
        self.books.cleared(slot, self._rows_of(slot))
        self.cleared.append(slot)
        self.books.check()

    def fold(self) -> None:
        """Fold what is due, and compare everything."""
        self.events += self.town.fold(ORACLE)
        self.books.folded(self.closed[0] if self.closed else None)
        self.books.check()

    def report(
        self,
        slot: int,
        measured: Mapping[str, tuple[int, int]],
        withheld: Mapping[str, tuple[int, int]],
    ) -> None:
        """Report what meters measured; the same report again brings nothing.

        Registers of `withheld` meters go on too, but nobody learns of it before `report_late`.
        """
        self.town.at(slot + SLOT_S)
        leaves = [
            self.town.leaf(meter, import_wh=wh[0], export_wh=wh[1])
            for meter, wh in {**measured, **withheld}.items()
        ]
        self.withheld[slot] = {leaf.meter: leaf for leaf in leaves if leaf.meter in withheld}
        self._send(slot, [leaf for leaf in leaves if leaf.meter in measured])
        for leaf in leaves:
            self.town.registers[leaf.meter] = (leaf.import_to_wh, leaf.export_to_wh)

    def report_late(self, slot: int, meter: str) -> None:
        """Report what was withheld of a meter, after its slot has settled or before."""
        self._send(slot, [self.withheld[slot].pop(meter)])

    def edit(self, slot: int, meter: str, measured: tuple[int, int]) -> bool:
        """Replace a settled reading; without room for it, or a place to begin at, nothing."""
        versions = self.read[slot].get(meter, [])
        waits = meter in self.withheld.get(slot + SLOT_S, {})
        if waits or not 0 < len(versions) < READING_VERSIONS_MAX:
            return False
        old = versions[-1]
        earlier = self.read.get(slot - SLOT_S, {}).get(meter, [])
        import_wh, export_wh = old.import_from_wh, old.export_from_wh
        if earlier:
            import_wh, export_wh = earlier[-1].import_to_wh, earlier[-1].export_to_wh
        leaf = msgspec.structs.replace(
            old,
            import_from_wh=import_wh,
            import_to_wh=import_wh + measured[0],
            export_from_wh=export_wh,
            export_to_wh=export_wh + measured[1],
            quality="edited",
        )
        arguments, transient = self.town.report(slot, [leaf])
        if leaf in versions:  # a report over just this leaf may have brought it
            return False
        measured_leaf = msgspec.structs.replace(leaf, quality="measured")
        plain = self.town.report(slot, [measured_leaf])
        if measured_leaf not in versions:  # else it is the first report sent again
            code = self.town.refused("record_readings", plain[0], ORACLE, transient=plain[1])
            assert code == "READING_REPEATED"
        self.town.submit("record_readings", arguments, ORACLE, transient=transient)
        versions.append(leaf)
        if slot + SLOT_S not in self.read:  # the next report begins where this one ends
            self.town.registers[meter] = (leaf.import_to_wh, leaf.export_to_wh)
        self.events += 2
        return True

    def settle(self, slot: int) -> None:
        """Settle a cleared slot, after the deadline if a reading is missing; compare everything."""
        due = [name for name, since in self.town.certified_from.items() if since <= slot]
        missing = [name for name in due if name not in self.read.get(slot, {})]
        if missing:
            arguments = SlotArguments(AREA, slot)
            self.town.at(slot + SLOT_S)
            if self.town.engine.now_s < slot + SLOT_S + QUICK_RULES.report_deadline_s:
                assert self.town.refused("settle_slot", arguments) == "READINGS_MISSING"
            self.town.at(slot + SLOT_S + QUICK_RULES.report_deadline_s)
        estimates = {name: self._estimate(slot, name) for name in missing}
        self.events += self.town.settle(slot)
        self.settled_on[slot] = {**self._measured(slot), **estimates}
        self.books.settled(slot, self.settled_on[slot], set(estimates))
        self.cleared.remove(slot)
        self.settled.append(slot)
        self.books.check()

    def correct(self, slot: int) -> bool:
        """Correct a settled slot, and compare what is posted with what settling again comes to."""
        changes = self.town.view.kept.changes
        posting_pages = self.books.slot(slot).posting_pages
        newest = {**self.settled_on[slot], **self._measured(slot)}
        versions = {name: len(leaves) for name, leaves in self.read.get(slot, {}).items()}
        try:
            self.events += self.town.run("correct_slot", slot, "SETTLED", (DSO, *RETAILERS))
        except Refused as refused:
            if refused.code != "NOTHING_TO_CORRECT":
                raise
            self.events += 1
        changed = self.books.corrected(slot, self.settled_on[slot], newest, versions)
        if not changed:
            assert self.books.slot(slot).posting_pages == posting_pages
            assert self.town.view.kept.changes == changes
        self.settled_on[slot] = newest
        self.books.check()
        return changed

    def _send(self, slot: int, leaves: Sequence[Leaf]) -> None:
        read = self.read.setdefault(slot, {})
        if not leaves:
            return
        arguments, transient = self.town.report(slot, leaves)
        for count in (len(leaves), 0):
            answer = self.town.submit("record_readings", arguments, ORACLE, transient=transient)
            assert msgspec.json.decode(answer, type=Recorded).recorded == count
        read.update((leaf.meter, [leaf]) for leaf in leaves)
        self.events += 2

    def _measured(self, slot: int) -> dict[str, tuple[int, int]]:
        newest = {name: leaves[-1] for name, leaves in self.read.get(slot, {}).items()}
        return {name: (leaf.import_wh, leaf.export_wh) for name, leaf in newest.items()}

    def _estimate(self, slot: int, meter: str) -> tuple[int, int]:
        """By the rule: a day ago, else the last before that has one within a day, else nothing."""
        back = [slot - 86_400, *range(slot - SLOT_S, slot - 86_400, -SLOT_S)]
        for earlier in back:
            if meter in self.read.get(earlier, {}):
                import_wh, export_wh = self._measured(earlier)[meter]
                return min(import_wh, self.town.import_w // 4), min(
                    export_wh, self.town.export_w // 4
                )
        return 0, 0

    # The market's frame

    def pause(self, zone: str) -> None:
        """Pause a zone or resume it."""
        name = "resume_zone" if zone in self.paused else "pause_zone"
        self.town.submit(name, PauseArguments(zone, "works"))
        assert self.town.refused(name, PauseArguments(zone, "works")) == "ZONE_STATE"
        if self.paused.pop(zone, 0) == 0:
            self.paused[zone] = None
        self.events += 2

    def lock(self, trader: Trader) -> None:
        """Lock a trader or unlock it, by an act of the regulator that is carried twice."""
        lock = trader.did not in self.locked
        self.acts += 1
        token = self.town.lock_token(trader, self.acts, lock=lock)
        self.town.submit("record_act", token, RETAILERS[0])
        changes = self.town.view.kept.changes
        self.town.submit("record_act", token, DSO)
        assert self.town.view.kept.changes == changes
        if lock:
            self.locked[trader.did] = None
        else:
            del self.locked[trader.did]
        self.events += 2

    def change_fees(self, rows: Sequence[FeeRow], slots_ahead: int) -> None:
        """Post fee rows from a slot on that has not opened."""
        self.town.set_fees(self._unopened() + slots_ahead * SLOT_S, rows)
        self.events += 1

    def change_rules(self, *, cancel_fee: int, band: tuple[int, int], slots_ahead: int) -> None:
        """Post market rules from a slot on that has not opened, and so has no orders."""
        from_slot = self._unopened() + slots_ahead * SLOT_S
        rules = msgspec.structs.replace(QUICK_RULES, cancel_fee=cancel_fee, price_band=band)
        self.town.submit("set_market_rules", RulesArguments(AREA, from_slot, rules), admin=True)
        self.rules = sorted(
            [*(dated for dated in self.rules if dated[0] != from_slot), (from_slot, rules)],
            key=lambda dated: dated[0],
        )
        self.events += 1

    def _unopened(self) -> int:
        reach_s = self.town.engine.now_s + QUICK_RULES.opens_s
        return reach_s - reach_s % SLOT_S + SLOT_S

    # What must be refused

    def wrong(self, choice: int, trader: Trader) -> None:
        """One of the requests that no state of the market lets through."""
        town, slot = self.town, self.open_slot
        order = SheetOrder("w", "buy", slot, [(100_000, 10)])
        other = town.traders[(trader.number + 1) % len(town.traders)]
        stranger = RETAILERS[1 - RETAILERS.index(trader.retailer)]
        forged = town.sheet(trader, [order])
        forged = forged[:-20] + ("A" if forged[-20] != "A" else "B") + forged[-19:]
        past = self.closed[-1:] or self.cleared[-1:] or self.settled[-1:] or [slot]
        batches = (
            ("METER_NOT_HELD", town.sheet(trader, [order], key=other.key)),
            ("CHANNEL_WRONG", town.sheet(trader, [order], channel="elsewhere")),
            ("SIGNATURE_INVALID", forged),
            ("SHEET_UNREADABLE", town.cancel_token(trader, slot, "w")),
            ("SLOT_INVALID", town.sheet(trader, [SheetOrder("w", "buy", slot + 1, [(1, 1)])])),
            ("METER_UNKNOWN", town.sheet(trader, [order], meter="nowhere")),
        )
        calls = (
            ("NOT_OWN_CLIENT", "credit_client", town.payment(trader, 1, "stolen"), stranger),
            (
                "ROLE_WRONG",
                "debit_client",
                town.payout(trader.key, trader.retailer, 1, "stolen"),
                DSO,
            ),
            ("NOT_AREA_DSO", "pause_zone", PauseArguments(ROOT, "works"), OTHER_DSO),
            ("ADMIN_NEEDED", "set_market_rules", RulesArguments(AREA, slot, RULES), DSO),
            ("SLOT_PHASE", "clear_slot", SlotArguments(AREA, slot), DSO),
            ("SLOT_PHASE", "settle_slot", SlotArguments(AREA, slot), RETAILERS[0]),
            ("GATE_OUT_OF_ORDER", "close_gate", SlotArguments(AREA, slot + 200 * SLOT_S), ORACLE),
            ("SLOT_PHASE", "close_gate", SlotArguments(AREA, past[0]), ORACLE),
            ("ACT_SEQUENCE", "record_act", town.lock_token(trader, self.acts + 2, lock=True), DSO),
        )
        self.events += 1
        choice %= len(batches) + len(calls)
        if choice < len(batches):
            code, token = batches[choice]
            signer = other if code == "METER_NOT_HELD" else trader
            if code in ("METER_NOT_HELD", "SLOT_INVALID") and signer.did in self.locked:
                code = "TRADER_LOCKED"
            changes = town.view.kept.changes
            assert [answer.code for answer in town.send("place_orders", [token])] == [code]
            assert town.view.kept.changes == changes
            return
        code, name, arguments, member = calls[choice - len(batches)]
        if past == [slot] and name == "close_gate" and code == "SLOT_PHASE":
            return
        assert (name, town.refused(name, arguments, member)) == (name, code)

    def refuse_repeats(self, slot: int) -> None:
        """A slot that has settled takes no step again."""
        for name in ("clear_slot", "settle_slot"):
            assert self.town.refused(name, SlotArguments(AREA, slot)) == "SLOT_PHASE"
        self.events += 2
        for meter in list(self.read.get(slot, {}))[:1]:
            arguments, transient = self.town.report(slot, [self.town.leaf(meter, import_wh=1)])
            code = self.town.refused("record_readings", arguments, ORACLE, transient=transient)
            assert code == "READING_REPEATED"
            self.events += 1

    # What is foretold

    def names_of(self, slot: int, trader: Trader) -> list[str]:
        """The order ids that a trader has used in a slot."""
        return list(self._row(slot, trader).kept)

    def revision_of(self, slot: int, trader: Trader, name: str) -> int:
        """The revision an order stands at."""
        return self._row(slot, trader).kept[name].revision

    def _rules(self, slot: int) -> MarketRules:
        return next(rules for from_slot, rules in reversed(self.rules) if from_slot <= slot)

    def _row(self, slot: int, trader: Trader) -> Orders:
        key = (slot, trader.did)
        if key not in self.orders:
            rules = self._rules(slot)
            self.orders[key] = Orders(
                capacity_wh=self.town.import_w // 4,
                band=rules.price_band,
                fee=rules.cancel_fee,
                hold=lambda fee_nano: self._hold(slot, trader.did, fee_nano),
            )
        return self.orders[key]

    def _hold(self, slot: int, did: str, fee_nano: int) -> int:
        """What can be reserved of a fee: nothing while a closed book may take cover."""
        return 0 if self._at_stake(did) else self.books.held(slot, did, fee_nano)

    def _at_stake(self, did: str) -> bool:
        """Whether the trader has open orders in a slot that is closed and not cleared."""
        rows = [self.orders[slot, did] for slot in self.closed if (slot, did) in self.orders]
        return any(order.open for row in rows for order in row.kept.values())

    def _rows_of(self, slot: int) -> dict[str, list[StoredOrder]]:
        dids = [trader.did for trader in self.town.traders]
        return {did: self.orders[slot, did].rows() for did in dids if (slot, did) in self.orders}

    def _bars_gate(self, slot: int) -> str:
        late = self.town.engine.now_s >= self._rules(slot).gate_s(slot)
        return "GATE_CLOSED" if slot < self.open_slot or late else ""

    def _bars_amend(self, slot: int, trader: Trader) -> str:
        if trader.did in self.locked:
            return "TRADER_LOCKED"
        if code := self._bars_gate(slot):
            return code
        return "ZONE_PAUSED" if trader.zone in self.paused or ROOT in self.paused else ""

    def _bars_place(self, slot: int, trader: Trader) -> str:
        return self._bars_amend(slot, trader)

    def _answered(self, name: str, tokens: list[str], wanted: list[str]) -> list[str]:
        got = [answer.code for answer in self.town.send(name, tokens)]
        assert got == wanted
        self.books.seen.update(got)
        self.events += len(tokens)
        return got
