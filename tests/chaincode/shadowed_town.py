"""A town whose every act is foretold: orders, books and answers kept a second time and compared."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise

import msgspec

from chaincode.accounts.payments import Payment, PaymentArguments, PayoutArguments
from chaincode.area.fees import FeeRow
from chaincode.area.rule_changes import RulesArguments
from chaincode.area.rules import MarketRules
from chaincode.area.zones import PauseArguments
from chaincode.errors import Refused
from chaincode.metering.readings import Leaf
from chaincode.metering.registers import Registers
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

QUICK_RULES = msgspec.structs.replace(
    RULES, opens_s=3_600, report_deadline_s=600, final_s=400 * 86_400
)
SLOT_WH = 1_000  # the certified power of a meter over a slot


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
        self.reported: list[int] = []
        self.read: dict[str, dict[int, Registers]] = {}
        self.withheld: dict[int, dict[str, Registers]] = {}
        self.validated: set[tuple[int, str]] = set()
        self.settled_on: dict[int, dict[str, tuple[int, int]]] = {}
        self.estimated: dict[int, set[str]] = {}
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
        """Report registers at the end of a slot; the same report again brings nothing.

        A meter that was never read is read at the start of the slot too. Registers of `withheld`
        meters run on too, but nobody learns of it before `report_late`.
        """
        self.town.at(slot + SLOT_S)
        energies = {**measured, **withheld}
        self._send(slot, [name for name in energies if name not in self.read])
        for name, (import_wh, export_wh) in energies.items():
            self.town.run_on(name, import_wh, export_wh)
        self._send(slot + SLOT_S, list(measured))
        self.withheld[slot] = {name: self.town.registers[name] for name in withheld}
        self.reported.append(slot)

    def report_late(self, slot: int, meter: str) -> None:
        """Report what was withheld of a meter, after its slot has settled or before."""
        shown = self.withheld[slot].pop(meter)
        leaf = self._leaf(meter, slot + SLOT_S, shown)
        self._submit(slot + SLOT_S, [leaf])

    def edit(self, slot: int, meter: str, measured: tuple[int, int]) -> bool:
        """Let the DSO validate other registers at the end of a slot, once; else nothing.

        They lie between those before and after, also where the latter are not reported yet.
        """
        boundary = slot + SLOT_S
        old = self.read.get(meter, {}).get(boundary)
        if old is None or (boundary, meter) in self.validated or boundary - SLOT_S < SLOT:
            return False
        line = {
            **self.read[meter],
            **{at + SLOT_S: rows[meter] for at, rows in self.withheld.items() if meter in rows},
        }
        before, after = line.get(boundary - SLOT_S), line.get(boundary + SLOT_S)
        if before is None:
            return False
        new = Registers(
            _between(before.import_wh, measured[0], None if after is None else after.import_wh),
            _between(before.export_wh, measured[1], None if after is None else after.export_wh),
        )
        if new == old:
            return False
        leaf = self._leaf(meter, boundary, new)
        oracle, transient = self.town.report(boundary, [leaf])
        code = self.town.refused("record_readings", oracle, ORACLE, transient=transient)
        assert code == "READING_REPEATED"
        arguments, transient = self.town.validated(boundary, [leaf])
        for count in (1, 0):
            answer = self.town.submit("record_validated_readings", arguments, transient=transient)
            assert msgspec.json.decode(answer, type=Recorded).recorded == count
        self.read[meter][boundary] = new
        self.validated.add((boundary, meter))
        if after is None:  # the next report runs on from here
            self.town.registers[meter] = new
        self.events += 3
        return True

    def settle(self, slot: int) -> None:
        """Settle a cleared slot, after the deadline if a reading is missing; compare everything."""
        energies = self._energies(slot)
        missing = {name for name, energy in energies.items() if energy is None}
        if missing:
            arguments = SlotArguments(AREA, slot)
            self.town.at(slot + SLOT_S)
            if self.town.engine.now_s < slot + SLOT_S + QUICK_RULES.report_deadline_s:
                assert self.town.refused("settle_slot", arguments) == "READINGS_MISSING"
            self.town.at(slot + SLOT_S + QUICK_RULES.report_deadline_s)
        self.events += self.town.settle(slot)
        self.settled_on[slot] = {name: energy or (0, 0) for name, energy in energies.items()}
        self.estimated[slot] = missing
        self.books.settled(slot, self.settled_on[slot], missing)
        self.cleared.remove(slot)
        self.settled.append(slot)
        self.books.check()

    def correct(self, slot: int) -> bool:
        """Correct a settled slot, and compare what is posted with what settling again comes to."""
        changes = self.town.view.kept.changes
        posting_pages = self.books.slot(slot).posting_pages
        energies = self._energies(slot)
        newest = {name: energy or (0, 0) for name, energy in energies.items()}
        estimated = {name for name, energy in energies.items() if energy is None}
        try:
            self.events += self.town.run("correct_slot", slot, "SETTLED", (DSO, *RETAILERS))
        except Refused as refused:
            if refused.code != "NOTHING_TO_CORRECT":
                raise
            self.events += 1
        changed = self.books.corrected(slot, self.settled_on[slot], newest, estimated)
        assert changed == ((self.settled_on[slot], self.estimated[slot]) != (newest, estimated))
        if not changed:
            assert self.books.slot(slot).posting_pages == posting_pages
            assert self.town.view.kept.changes == changes
        self.settled_on[slot], self.estimated[slot] = newest, estimated
        self.books.check()
        return changed

    def check_conserved(self) -> None:
        """Between measured boundaries all slots are settled on the difference of the registers."""
        for name, line in self.read.items():
            for before, after in pairwise(sorted(line)):
                slots = range(before, after, SLOT_S)
                if all(slot in self.settled_on for slot in slots):
                    passed = line[after].since(line[before])
                    settled = [self.settled_on[slot][name] for slot in slots]
                    assert sum(import_wh for import_wh, _ in settled) == passed.import_wh
                    assert sum(export_wh for _, export_wh in settled) == passed.export_wh

    def _leaf(self, meter: str, boundary: int, shown: Registers) -> Leaf:
        leaf = self.town.leaf(meter, boundary)
        return msgspec.structs.replace(leaf, import_wh=shown.import_wh, export_wh=shown.export_wh)

    def _send(self, boundary: int, meters: Sequence[str]) -> None:
        """Report what meters show now."""
        if meters:
            self._submit(boundary, [self.town.leaf(meter, boundary) for meter in meters])

    def _submit(self, boundary: int, leaves: Sequence[Leaf]) -> None:
        arguments, transient = self.town.report(boundary, leaves)
        for count in (len(leaves), 0):
            answer = self.town.submit("record_readings", arguments, ORACLE, transient=transient)
            assert msgspec.json.decode(answer, type=Recorded).recorded == count
        for leaf in leaves:
            self.read.setdefault(leaf.meter, {})[boundary] = leaf.registers
        self.events += 2

    def _energies(self, slot: int) -> dict[str, tuple[int, int] | None]:
        """By the rule: what passed between measured boundaries, spread evenly; None: an estimate."""
        due = [name for name, since in self.town.certified_from.items() if since <= slot]
        return {name: self._energy(slot, self.read.get(name, {})) for name in due}

    def _energy(self, slot: int, line: Mapping[int, Registers]) -> tuple[int, int] | None:
        before = max((boundary for boundary in line if boundary <= slot), default=None)
        after = min((boundary for boundary in line if boundary >= slot + SLOT_S), default=None)
        if before is None or after is None:
            return None
        passed = line[after].since(line[before])
        place, count = (slot - before) // SLOT_S, (after - before) // SLOT_S
        import_wh, export_wh = (
            total // count + int(place < total % count)
            for total in (passed.import_wh, passed.export_wh)
        )
        return import_wh, export_wh

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

    def change_rules(
        self, *, cancel_fee: int, shortfall_penalty: int, band: tuple[int, int], slots_ahead: int
    ) -> None:
        """Post market rules from a slot on that has not opened, and so has no orders."""
        from_slot = self._unopened() + slots_ahead * SLOT_S
        rules = msgspec.structs.replace(
            QUICK_RULES,
            cancel_fee=cancel_fee,
            shortfall_penalty=shortfall_penalty,
            price_band=band,
        )
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
        boundary = slot + SLOT_S
        for meter in [name for name, line in self.read.items() if boundary in line][:1]:
            shown = self.read[meter][boundary]
            other = Registers(shown.import_wh + 1, shown.export_wh)
            arguments, transient = self.town.report(boundary, [self._leaf(meter, boundary, other)])
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


def _between(before: int, moved: int, after: int | None) -> int:
    """A register `moved` Wh after `before` that can still reach `after` within a slot."""
    if after is None:
        return before + moved
    return min(max(before + moved, after - SLOT_WH), after)
