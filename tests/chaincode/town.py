"""A small town on the dict engine: members, traders and meters by number, driven without a ledger.

Everything enters by transactions with real signatures. Keys come from names, time is set by hand,
so a test is the same every time.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Iterator, Mapping, Sequence
from hashlib import sha256

import msgspec

from chaincode.accounts.balances import Account
from chaincode.accounts.payments import PaymentArguments, PayoutArguments
from chaincode.accounts.statements import AccountAnswer, OwnerArguments
from chaincode.area.clock import ClockArguments
from chaincode.area.fees import FeeRow
from chaincode.area.intents import HOLD_TYP, JOIN_TYP, PAYOUT_TYP, Hold, Join, Payout
from chaincode.area.joining import ParticipantArguments
from chaincode.area.rule_changes import RulesArguments
from chaincode.area.rules import MarketRules
from chaincode.area.tariffs import FeesArguments, ResidualArguments, ResidualPrices, VatArguments
from chaincode.area.zones import AreaArguments, AreaName, ZoneArguments
from chaincode.consortium.acts import ACT_TYP, Act, ActArguments
from chaincode.consortium.organisations import InitialiseArguments, OrganisationArguments
from chaincode.errors import Refused
from chaincode.metering.certification import MeterArguments
from chaincode.metering.oracles import AppointmentArguments, OracleArguments, OracleSet
from chaincode.metering.readings import Leaf
from chaincode.metering.registers import Registers
from chaincode.metering.reports import (
    TRANSIENT_LEAVES,
    ReportArguments,
    ValidatedArguments,
    leaf_bytes,
    merkle_root,
)
from chaincode.metering.supply import SUPPLY_TYP, SupplyArguments, SupplyConsent
from chaincode.orders.handlers import TokenAnswer, TokensAnswer
from chaincode.orders.sheets import (
    AMEND_TYP,
    CANCEL_TYP,
    SHEET_TYP,
    Amend,
    Cancel,
    Sheet,
    SheetOrder,
    Step,
    TokensArguments,
)
from chaincode.slots.draw import SeedArguments, SeedChainArguments
from chaincode.slots.gate import SlotAnswer, SlotArguments
from commonwatt.demonstration.seeded_keys import Draw, SeedChain
from identity.canonical import encode
from identity.did import did_key
from identity.jws import sign_compact
from identity.keys import PrivateKey
from meter_oracle.agreement.report import make_report, sign_report
from tests.chaincode.dict_engine import CHANNEL, DictEngine, SortedView

AREA, ROOT, ZONES = "town", "root", ("east", "west")
DSO, OTHER_DSO, RETAILERS, ORACLE = "Dso", "OtherDso", ("R0", "R1"), "Oracle"
SLOT_S = 900
SLOT = 1_797_724_800  # 2026-12-20 00:00 UTC, a slot of the rules' own example
START_S = SLOT - 7_200
RUN_TRANSACTIONS_MAX = 20_000  # of one run of the largest slot
OPENS_S = 6_600  # the first slot opens ten minutes after the founding
RULES = MarketRules(time_zone="UTC", offsets=[(0, 0)], opens_s=OPENS_S, cancel_fee=7_000)
PRICES = ResidualPrices(import_price=250_000, export_price=60_000)
FEES = (
    FeeRow("grid", DSO, 34_400, 190_000, relation="local"),
    FeeRow("grid", DSO, 80_000, 190_000, relation="residual"),
    FeeRow("loss", DSO, 5_000, 70_000),
    FeeRow("levy", "levy", 10_000, 190_000, supplier=DSO, relation="residual"),
)


class _Rows(dict[str, bytes]):
    """Rows that keep their keys sorted as they come and go, and count changes."""

    def __init__(self) -> None:
        super().__init__()
        self.keys_sorted: list[str] = []
        self.changes = 0

    def __setitem__(self, key: str, value: bytes) -> None:
        self.changes += 1
        if key not in self:
            insort(self.keys_sorted, key)
        super().__setitem__(key, value)

    def __delitem__(self, key: str) -> None:
        self.changes += 1
        super().__delitem__(key)
        del self.keys_sorted[bisect_left(self.keys_sorted, key)]

    def pop(self, key: str, default: bytes | None = None) -> bytes | None:  # type: ignore[override]  # one of dict's three forms, the engine's
        value = self.get(key, default)
        if key in self:
            del self[key]
        return value


class KeptSortedView(SortedView):
    """Sorts no state of many rows again for each change."""

    def __init__(self) -> None:
        super().__init__()
        self.kept = _Rows()
        self.rows = self.kept

    def range(self, start: str, end: str) -> Iterator[tuple[str, bytes]]:
        keys = self.kept.keys_sorted
        found = keys[bisect_left(keys, start) : bisect_left(keys, end)]
        for key in found:
            yield key, self.rows[key]


class Trader(msgspec.Struct, frozen=True):
    """A household: its key, its meter of the same number, where that belongs."""

    number: int
    key: PrivateKey
    did: str
    meter: str
    zone: str
    retailer: str
    source: str


def key_of(name: str) -> PrivateKey:
    """The key that belongs to a name."""
    return PrivateKey.from_seed(sha256(name.encode()).digest())


def did_of(name: str) -> str:
    """The DID that belongs to a name."""
    return did_key(key_of(name).public)


class Town:
    """An area with two zones, two retailers and some traders, who have a deposit each."""

    def __init__(
        self,
        traders: int,
        *,
        rules: MarketRules = RULES,
        fees: Sequence[FeeRow] = FEES,
        vat_ppm: int = 200_000,
        import_w: int = 4_000,
        export_w: int = 4_000,
        deposit_nano: int = 2_000_000_000,
        slots: int = 64,
    ) -> None:
        self.engine = DictEngine(START_S)
        self.view = KeptSortedView()
        self.engine.view = self.view
        self.rules = rules
        self._fees: dict[int, tuple[FeeRow, ...]] = {}
        self.vat_ppm = vat_ppm
        self.import_w, self.export_w = import_w, export_w
        self.oracle_keys = [key_of(f"oracle {number}") for number in range(4)]
        self.oracle = OracleSet([did_key(key.public) for key in self.oracle_keys], 1)
        self._chain = SeedChain(Draw(b"town"), 0, slots)
        self._tip = self._chain.anchor
        self.meters: dict[str, Trader] = {}
        self.certified_from: dict[str, int] = {}
        self.registers: dict[str, Registers] = {}
        self._read_at: dict[str, int] = {}
        self._found()
        self.set_fees(SLOT, fees)
        self.traders = [self.admit(number, deposit_nano) for number in range(traders)]

    def submit(
        self,
        name: str,
        arguments: msgspec.Struct,
        member: str = DSO,
        *,
        admin: bool = False,
        transient: Mapping[str, bytes] | None = None,
    ) -> bytes:
        """Carry a transaction out as a client, or an administrator, of `member`."""
        role = "admin" if admin else "client"
        return self.engine.submit(name, arguments, member=member, role=role, transient=transient)

    def refused(
        self,
        name: str,
        arguments: msgspec.Struct,
        member: str = DSO,
        *,
        admin: bool = False,
        transient: Mapping[str, bytes] | None = None,
    ) -> str:
        """The code with which a transaction is refused; it must be, and change nothing."""
        changes, private = self.view.kept.changes, len(self.view.private)
        try:
            self.submit(name, arguments, member, admin=admin, transient=transient)
        except Refused as refused:
            assert self.view.kept.changes == changes
            assert len(self.view.private) == private
            return refused.code
        raise AssertionError(f"{name} was carried out")

    # Orders

    def sheet(
        self,
        trader: Trader,
        orders: Sequence[SheetOrder],
        *,
        meter: str | None = None,
        channel: str = CHANNEL,
        key: PrivateKey | None = None,
    ) -> str:
        """A signed sheet at the trader's meter, with whatever is to be wrong in it."""
        last = max((order.slot for order in orders), default=SLOT)
        sheet = Sheet(
            area=AREA,
            channel=channel,
            contract=self.engine.contract.name,
            meter=trader.meter if meter is None else meter,
            orders=list(orders),
            v=1,
            valid_until_s=self.rules.gate_s(last),
            zone=trader.zone,
        )
        return sign_compact(key or trader.key, SHEET_TYP, encode(sheet))

    def amend_token(
        self, trader: Trader, slot: int, order: str, revision: int, steps: Sequence[Step]
    ) -> str:
        """A signed amendment."""
        amend = Amend(
            area=AREA,
            channel=CHANNEL,
            contract=self.engine.contract.name,
            id=order,
            revision=revision,
            slot=slot,
            steps=list(steps),
            v=1,
            valid_until_s=self.rules.gate_s(slot),
        )
        return sign_compact(trader.key, AMEND_TYP, encode(amend))

    def cancel_token(self, trader: Trader, slot: int, order: str) -> str:
        """A signed cancel."""
        cancel = Cancel(
            area=AREA,
            channel=CHANNEL,
            contract=self.engine.contract.name,
            id=order,
            slot=slot,
            v=1,
            valid_until_s=self.rules.gate_s(slot),
        )
        return sign_compact(trader.key, CANCEL_TYP, encode(cancel))

    def send(self, name: str, tokens: Sequence[str]) -> list[TokenAnswer]:
        """A batch of tokens carried by a retailer once the first three slots are open; answers."""
        self.at(SLOT + 2 * SLOT_S - OPENS_S)
        answer = self.submit(name, TokensArguments(list(tokens)), RETAILERS[0])
        return msgspec.json.decode(answer, type=TokensAnswer).answers

    # Money

    def payment(
        self, trader: Trader, amount_nano: int, reference: str, area: str = AREA
    ) -> PaymentArguments:
        """A payment between a trader and its retailer."""
        return PaymentArguments(area, trader.did, amount_nano, reference)

    def payout(
        self, key: PrivateKey, retailer: str, amount_nano: int, reference: str
    ) -> PayoutArguments:
        """A pay-out that a trader has signed for its retailer."""
        payout = Payout(
            amount_nano=amount_nano,
            area=AREA,
            channel=CHANNEL,
            contract=self.engine.contract.name,
            reference=reference,
            retailer=retailer,
            v=1,
            valid_until_s=self._until_s(),
        )
        return PayoutArguments(sign_compact(key, PAYOUT_TYP, encode(payout)))

    def _until_s(self) -> int:
        """Until when something without a gate is valid that is signed now."""
        return self.engine.now_s + 86_400

    def account(self, owner: str) -> Account:
        """An account as folded."""
        return self.statement(owner).account

    def statement(self, owner: str) -> AccountAnswer:
        """An account with what is not folded yet."""
        answer = self.submit("describe_account", OwnerArguments(AREA, owner))
        return msgspec.json.decode(answer, type=AccountAnswer)

    def fold(self, member: str = DSO) -> int:
        """Fold all that is due; how many transactions that took."""
        for count in range(1_000):
            if self.fold_once(member) is None:
                return count
        raise AssertionError("folding does not end")

    def fold_once(self, member: str = DSO) -> bytes | None:
        """One transaction of folding; None if nothing is due."""
        try:
            return self.submit("fold_accounts", AreaName(AREA), member)
        except Refused as refused:
            if refused.code != "NOTHING_TO_FOLD":
                raise
            return None

    # A slot's life

    def at(self, second: int) -> None:
        """Let time pass until `second`."""
        self.engine.now_s = max(self.engine.now_s, second)

    def unopened(self) -> int:
        """The first slot that has not opened: terms may be dated to it."""
        first = self.engine.now_s + self.rules.opens_s
        return max(SLOT, first - first % SLOT_S + SLOT_S)

    def close_gate(self, slot: int) -> None:
        """Let the gate's time come, close it and reveal the seed that is due, if it is not late."""
        self.at(self.rules.gate_s(slot))
        self.submit("close_gate", SlotArguments(AREA, slot))
        if self.engine.now_s < self.rules.gate_s(slot) + self.rules.seed_deadline_s:
            self.submit("reveal_seed", SeedArguments(AREA, slot, self.next_seed()))

    def next_seed(self) -> str:
        """The next link of the DSO's chain."""
        self._tip = self._chain.before(self._tip)
        return self._tip

    def clear(self, slot: int) -> int:
        """Clear a slot to its end; how many transactions that took."""
        return self.run("clear_slot", slot, "CLEARED")

    def settle(self, slot: int) -> int:
        """Settle a slot to its end; how many transactions that took."""
        self.at(slot + SLOT_S)
        return self.run("settle_slot", slot, "SETTLED")

    def correct(self, slot: int) -> bool:
        """Correct a settled slot to its end; False if no energy of it has changed."""
        try:
            self.run("correct_slot", slot, "SETTLED")
        except Refused as refused:
            if refused.code != "NOTHING_TO_CORRECT":
                raise
            return False
        return True

    def run(self, name: str, slot: int, done: str, members: Sequence[str] = (DSO,)) -> int:
        """Continue a run to its end, members taking turns; how many transactions it took."""
        for count in range(RUN_TRANSACTIONS_MAX):
            answer = self.step(name, slot, members[count % len(members)])
            if answer.phase == done and not answer.step:
                return count + 1
        raise AssertionError(f"{name} does not end")

    def step(self, name: str, slot: int, member: str = DSO) -> SlotAnswer:
        """One transaction of a run."""
        answer = self.submit(name, SlotArguments(AREA, slot), member)
        return msgspec.json.decode(answer, type=SlotAnswer)

    def leaf(self, meter: str, boundary: int, *, salt: str = "") -> Leaf:
        """A leaf with what the meter's registers show now."""
        shown = self.registers[meter]
        return Leaf(
            boundary=boundary,
            export_wh=shown.export_wh,
            import_wh=shown.import_wh,
            meter=meter,
            resolution_wh=1,
            salt=sha256((salt or meter).encode()).hexdigest(),
            generation_wh=shown.generation_wh,
        )

    def run_on(self, meter: str, import_wh: int, export_wh: int) -> None:
        """Let a meter's registers run on."""
        shown = self.registers[meter]
        self.registers[meter] = Registers(
            shown.import_wh + import_wh, shown.export_wh + export_wh, shown.generation_wh
        )

    def report(
        self, boundary: int, leaves: Sequence[Leaf], *, signers: int = 3
    ) -> tuple[ReportArguments, dict[str, bytes]]:
        """A report of `leaves` signed by the first `signers` oracle nodes."""
        report, ordered = make_report(
            leaves,
            area=AREA,
            boundary=boundary,
            oracle=self.oracle,
            channel=CHANNEL,
            contract=self.engine.contract.name,
        )
        signed = sign_report(report, ordered, self.oracle_keys[:signers])
        return signed.arguments, signed.transient

    def validated(
        self, boundary: int, leaves: Sequence[Leaf]
    ) -> tuple[ValidatedArguments, dict[str, bytes]]:
        """The same leaves as the DSO's validated registers."""
        ordered = sorted(leaves, key=lambda leaf: leaf.meter)
        root = merkle_root([leaf_bytes(leaf) for leaf in ordered])
        arguments = ValidatedArguments(AREA, boundary, len(ordered), root)
        return arguments, {TRANSIENT_LEAVES: encode(ordered)}

    def read_meters(self, slot: int, measured: Mapping[str, tuple[int, int]]) -> None:
        """Report (import Wh, export Wh) of some meters in a slot, by the registers at its ends."""
        self.at(slot + SLOT_S)
        fresh = [meter for meter in measured if self._read_at.get(meter) != slot]
        for boundary, meters in ((slot, fresh), (slot + SLOT_S, list(measured))):
            if boundary > slot:
                for meter, (import_wh, export_wh) in measured.items():
                    self.run_on(meter, import_wh, export_wh)
            if meters:
                leaves = [self.leaf(meter, boundary) for meter in meters]
                arguments, transient = self.report(boundary, leaves)
                self.submit("record_readings", arguments, ORACLE, transient=transient)
        self._read_at.update(dict.fromkeys(measured, slot + SLOT_S))

    def lock_token(self, trader: Trader, sequence: int, *, lock: bool) -> ActArguments:
        """The regulator's act on a trader."""
        act = Act(
            act="lock" if lock else "unlock",
            channel=CHANNEL,
            contract=self.engine.contract.name,
            participant=trader.did,
            reason="by order",
            sequence=sequence,
            v=1,
        )
        return ActArguments(sign_compact(key_of("regulator"), ACT_TYP, encode(act)))

    def _found(self) -> None:
        organisations = [
            *(OrganisationArguments(name, "dso") for name in (DSO, OTHER_DSO)),
            *(OrganisationArguments(name, "retailer") for name in RETAILERS),
            OrganisationArguments(ORACLE, "oracle"),
        ]
        setup = (
            ("initialise", InitialiseArguments(did_of("regulator"), organisations), DSO),
            ("register_area", AreaArguments(AREA, ROOT, 5, demonstration=True), DSO),
            *(("register_zone", ZoneArguments(AREA, zone, ROOT, 7), DSO) for zone in ZONES),
            ("set_clock", ClockArguments(AREA, START_S, START_S, 1), DSO),
            ("post_seed_chain", SeedChainArguments(AREA, SLOT, self._tip), DSO),
            ("set_market_rules", RulesArguments(AREA, SLOT, self.rules), DSO),
            ("appoint_oracle", AppointmentArguments(AREA, ORACLE, SLOT), DSO),
            (
                "set_oracle_nodes",
                OracleArguments(AREA, SLOT, self.oracle.nodes, self.oracle.faulty_max),
                ORACLE,
            ),
        )
        for name, arguments, member in setup:
            self.submit(name, arguments, member, admin=True)
        for retailer in RETAILERS:
            prices = ResidualArguments(AREA, SLOT, [PRICES])
            self.submit("set_residual_prices", prices, retailer, admin=True)
            vat = VatArguments(AREA, SLOT, "taxable", self.vat_ppm)
            self.submit("set_vat", vat, retailer)

    def admit(self, number: int, deposit_nano: int) -> Trader:
        """Register a trader with a meter and a deposit; it is not listed yet."""
        key = key_of(f"trader {number}")
        trader = Trader(
            number=number,
            key=key,
            did=did_key(key.public),
            meter=f"m{number:03d}",
            zone=ZONES[number % 2],
            retailer=RETAILERS[(number >> 1) % 2],
            source="solar" if number % 3 else "",
        )
        join = Join(
            area=AREA,
            channel=CHANNEL,
            contract=self.engine.contract.name,
            number=1,
            retailer=trader.retailer,
            v=1,
            valid_until_s=self._until_s(),
        )
        joined = ParticipantArguments(sign_compact(key, JOIN_TYP, encode(join)))
        self.submit("register_participant", joined, trader.retailer)
        self.certify(trader)
        if deposit_nano:
            deposit = self.payment(trader, deposit_nano, f"deposit-{number}")
            self.submit("credit_client", deposit, trader.retailer)
        return trader

    def set_fees(self, from_slot: int, rows: Sequence[FeeRow]) -> None:
        """Post the area's fee rows from a slot on."""
        self.submit("set_fees", FeesArguments(AREA, from_slot, list(rows)), admin=True)
        self._fees[from_slot] = tuple(rows)

    def fees_at(self, slot: int) -> tuple[FeeRow, ...]:
        """The fee rows that hold for a slot."""
        return self._fees[max(from_slot for from_slot in self._fees if from_slot <= slot)]

    def certify(self, trader: Trader, *, from_slot: int = SLOT, meter: str | None = None) -> None:
        """Certify a meter of a trader."""
        arguments = MeterArguments(
            meter=meter or trader.meter,
            holder=trader.did,
            zone=trader.zone,
            grid_level=7,
            import_w=self.import_w,
            export_w=self.export_w,
            from_slot=from_slot,
            source=trader.source,
            hold=self.hold_token(trader, meter or trader.meter),
        )
        self.submit("register_certified_meter", arguments)
        self.supply(trader, arguments.meter, from_slot=from_slot)
        self.meters[arguments.meter] = trader
        self.certified_from.setdefault(arguments.meter, from_slot)
        self.registers.setdefault(arguments.meter, Registers(0, 0))

    def hold_token(self, trader: Trader, meter: str) -> str:
        """A trader's signed wish to hold a meter."""
        hold = Hold(
            area=AREA,
            channel=CHANNEL,
            contract=self.engine.contract.name,
            meter=meter,
            v=1,
            valid_until_s=self._until_s(),
        )
        return sign_compact(trader.key, HOLD_TYP, encode(hold))

    def supply(
        self,
        trader: Trader,
        meter: str,
        *,
        from_slot: int,
        retailer: str = "",
        offtaker: str | None = None,
    ) -> None:
        """Let a retailer, the trader's own where none is named, supply a meter of the trader."""
        token = self.supply_token(
            trader, meter, from_slot=from_slot, retailer=retailer, offtaker=offtaker
        )
        self.submit("accept_supply", token, retailer or trader.retailer)

    def supply_token(
        self,
        trader: Trader,
        meter: str,
        *,
        from_slot: int,
        retailer: str = "",
        offtaker: str | None = None,
        daily_import_wh: int = 0,
    ) -> SupplyArguments:
        """The trader's agreement to a supplier."""
        consent = SupplyConsent(
            area=AREA,
            channel=CHANNEL,
            contract=self.engine.contract.name,
            daily_import_wh=daily_import_wh,
            from_slot=from_slot,
            meter=meter,
            offtaker=offtaker,
            retailer=retailer or trader.retailer,
            v=1,
            valid_until_s=from_slot,
        )
        return SupplyArguments(sign_compact(trader.key, SUPPLY_TYP, encode(consent)))
