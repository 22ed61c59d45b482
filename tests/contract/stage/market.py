"""A small market for scenarios: members, zones and traders by name, driven through `Ledger`.

A market is founded by its members' transactions, or begins as the copy of one that was. Scenarios
never learn which engine is under them. What a scenario pays in and out is kept in mind,
so that at its end every account can be held against its payments, postings and open trades.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

import msgspec

from chaincode.accounts.payments import Payment, PaymentArguments, PayoutArguments
from chaincode.accounts.posting import Posting
from chaincode.accounts.statements import (
    AccountAnswer,
    ClaimsAnswer,
    ClaimsArguments,
    EntriesAnswer,
    EntriesArguments,
    EntryView,
    FoldPageAnswer,
    FoldPageArguments,
    OwnerArguments,
    SumArguments,
    Totals,
)
from chaincode.area.clock import ClockArguments
from chaincode.area.intents import PAYOUTS
from chaincode.area.joining import ParticipantArguments
from chaincode.area.rule_changes import RulesArguments
from chaincode.area.tariffs import FeesArguments, ResidualArguments, VatArguments
from chaincode.area.zones import AreaArguments, AreaName, ZoneArguments
from chaincode.consortium.acts import ActAnswer, ActArguments
from chaincode.consortium.organisations import InitialiseArguments, OrganisationArguments
from chaincode.errors import Refused
from chaincode.metering.certification import MeterArguments
from chaincode.metering.exchanges import (
    TRANSIENT_EXCHANGE,
    ExchangeArguments,
    ExchangeRegisters,
)
from chaincode.metering.oracles import AppointmentArguments, OracleArguments, OracleSet
from chaincode.metering.readings import Leaf
from chaincode.metering.reports import (
    TRANSIENT_LEAVES,
    ValidatedArguments,
    leaf_bytes,
    merkle_root,
)
from chaincode.metering.supply import SupplyArguments
from chaincode.orders.handlers import TokenAnswer, TokensAnswer
from chaincode.orders.sheets import TokensArguments
from chaincode.queries.market import (
    OrdersAnswer,
    OrderView,
    PostingsAnswer,
    SlotView,
    TraderArguments,
    TradesAnswer,
    TradeView,
)
from chaincode.settlement.disputes import DisputeAnswer, DisputeArguments
from chaincode.slots.draw import SeedArguments, SeedChainArguments
from chaincode.slots.gate import (
    PageArguments,
    SlotAnswer,
    SlotArguments,
)
from identity.canonical import encode
from identity.did import did_key
from ledger_network.port import Conflict, Member, Receipt
from meter_oracle.agreement.report import make_report, sign_report
from meter_oracle.peers.ledger_gateway import SignedReport
from tests.contract.stage.cast import (
    AREA,
    DEPOSIT_NANO,
    DSO,
    EAST,
    ORACLE,
    OTHER_DSO,
    R1,
    R2,
    REGULATOR,
    ROOT,
    SLOT,
    SLOT_S,
    START_S,
    WEST,
    Clock,
    Engine,
    Rules,
    did_of,
    key_of,
    rows_of,
    seeds,
)
from tests.contract.stage.copying import LIST_ROWS, WRITE_ROWS, FromKey, Rows
from tests.contract.stage.tokens import Tokens, order_of

T = TypeVar("T")
Prepare: TypeAlias = "Callable[[Market], object]"

RUN_TRANSACTIONS_MAX = 100  # of a scenario's run; more means that it does not end
POWER_W = 40_000  # 10,000 Wh a slot either way
END = SLOT + SLOT_S
PRIVATE_WRITES = ("record_readings", "record_validated_readings", "exchange_meter")


class Opener(Protocol):
    """Opens a market; the fixture checks and closes it.

    `prepare` brings a founded market to where the scenario begins. It is done once for each rules;
    later markets begin as copies of the first.
    """

    def __call__(self, rules: Rules | None = None, *, prepare: Prepare | None = None) -> Market: ...


class Paid(NamedTuple):
    """A payment, below zero for one out."""

    name: str
    amount_nano: int


class Submission(NamedTuple):
    """A transaction and who submits it."""

    name: str
    arguments: msgspec.Struct
    member: str = DSO
    admin: bool = False


class Memory(NamedTuple):
    """What a market keeps in mind of itself, to be held against its ledger at the end."""

    now_s: int
    revealed: int
    payments: dict[tuple[str, str], Paid]
    gates: list[int]
    names: dict[str, str]
    zones: dict[str, str]
    registers: dict[str, tuple[int, int]]


class Founded(NamedTuple):
    """A market as others may begin: its public state, the digest of that, and its memory."""

    state: Rows
    state_hash: str
    memory: Memory


class Foundings:
    """The markets that were founded, by their rules and by what prepared them."""

    def __init__(self) -> None:
        self._kept: dict[tuple[bytes, Prepare | None], Founded] = {}

    def of(self, engine: Engine, rules: Rules, prepare: Prepare | None = None) -> Founded:
        """How such a market begins. The first time, the quick engine founds and prepares it."""
        key = (msgspec.json.encode(rules), prepare)
        if key not in self._kept:
            begins = None if prepare is None else self.of(engine, rules)
            market = Market(engine.quick, rules, begins)
            try:
                if prepare is not None:
                    prepare(market)
                self._kept[key] = market.as_founded()
            finally:
                market.close()
        return self._kept[key]


class Market:
    """The market of a scenario."""

    def __init__(self, engine: Engine, rules: Rules, founded: Founded | None = None) -> None:
        """Found a market, or begin with a copy of one that was founded under the same rules."""
        self.rules = rules
        self.clock = Clock(START_S)
        self._engine = engine
        self.ledger = self.run(engine.open(self.clock))
        self.tokens = Tokens(self.ledger.channel, self.ledger.contract, rules)
        self.oracle_keys = [key_of(f"oracle {number}") for number in range(4)]
        nodes = [did_key(key.public) for key in self.oracle_keys]
        self.oracle = OracleSet(nodes=nodes, faulty_max=1)
        self.seeds = seeds()
        self.revealed = 0
        self._payments: dict[tuple[str, str], Paid] = {}
        self._gates: list[int] = []
        self._names: dict[str, str] = {}
        self._zones: dict[str, str] = {}
        self._registers: dict[str, tuple[int, int]] = {}
        self._read: set[tuple[str, int]] = set()
        self._has_readings = False
        if founded is None:
            self.found()
        else:
            self.begin_as(founded)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of asynchronous work."""
        return self._engine.run(work)

    def close(self) -> None:
        """Close the ledger."""
        self.run(self.ledger.close())

    def submit(
        self,
        name: str,
        arguments: msgspec.Struct,
        member: str = DSO,
        *,
        admin: bool = False,
        transient: Mapping[str, bytes] | None = None,
    ) -> Receipt:
        """Submit a transaction as a client, or as an administrator, of `member`."""
        who = Member(member, "admin" if admin else "client")
        receipt = self.run(self.ledger.submit(name, arguments, member=who, transient=transient))
        self._note(name, arguments, member, receipt)
        return receipt

    def submit_together(self, submissions: Sequence[Submission]) -> None:
        """Submit several transactions at once, in any order; those that lose a conflict go again."""

        async def submit_all(waiting: Sequence[Submission]) -> list[Receipt | Conflict]:
            return await asyncio.gather(*(self._submit_once(one) for one in waiting))

        waiting = list(submissions)
        while waiting:
            lost: list[Submission] = []
            for one, receipt in zip(waiting, self.run(submit_all(waiting)), strict=True):
                if isinstance(receipt, Conflict):
                    lost.append(one)
                else:
                    self._note(one.name, one.arguments, one.member, receipt)
            assert len(lost) < len(waiting), "of transactions that conflict one commits"
            waiting = lost

    async def _submit_once(self, one: Submission) -> Receipt | Conflict:
        who = Member(one.member, "admin" if one.admin else "client")
        try:
            return await self.ledger.submit(one.name, one.arguments, member=who)
        except Conflict as conflict:
            return conflict

    def _note(self, name: str, arguments: msgspec.Struct, member: str, receipt: Receipt) -> None:
        """Keep in mind what was paid, which gates closed, and that there are readings."""
        self._has_readings |= name in PRIVATE_WRITES
        if name in ("close_gate", "settle_slot"):  # an empty slot may have closed with others
            answer = receipt.read(SlotAnswer)
            if answer.area == AREA and answer.slot not in self._gates:
                self._gates.append(answer.slot)
        if name in ("credit_client", "debit_client"):
            payment = receipt.read(Payment)
            reference = _reference(arguments)
            paid = Paid(self.named(payment.participant), payment.amount_nano)
            self._payments.setdefault((member, reference), paid)

    def ask(self, name: str, arguments: msgspec.Struct, kind: type[T], member: str = DSO) -> T:
        """The answer of a query."""
        answer = self.run(self.ledger.evaluate(name, arguments, member=Member(member)))
        return msgspec.json.decode(answer, type=kind)

    def state_hash(self) -> str:
        """The digest of the public state."""
        return self.run(self.ledger.state_hash())

    # How it begins

    def as_founded(self) -> Founded:
        """This market as others may begin."""
        assert not self._has_readings, "readings are private values, which are not copied"
        return Founded(self.all_rows(), self.state_hash(), self._memory())

    def all_rows(self) -> Rows:
        """All public rows, those beside the state hash too."""
        page = self.ask(LIST_ROWS, FromKey(), Rows)
        rows = page.rows
        while page.next_key is not None:
            page = self.ask(LIST_ROWS, FromKey(page.next_key), Rows)
            rows |= page.rows
        return Rows(rows)

    def begin_as(self, founded: Founded) -> None:
        """Take on the state and the memory of another market, whose rows replace the own ones."""
        for part in founded.state.parts():
            self.submit(WRITE_ROWS, part, admin=True)
        assert self.state_hash() == founded.state_hash
        self._remember(founded.memory)

    def leap(self, steps: Prepare) -> None:
        """Take on what hundreds of transactions leave, which the quick engine carries out."""
        quick = Market(self._engine.quick, self.rules, self.as_founded())
        try:
            steps(quick)
            self.begin_as(quick.as_founded())
        finally:
            quick.close()

    def _memory(self) -> Memory:
        return Memory(
            self.clock.now_s,
            self.revealed,
            dict(self._payments),
            list(self._gates),
            dict(self._names),
            dict(self._zones),
            dict(self._registers),
        )

    def _remember(self, memory: Memory) -> None:
        self.clock.now_s = memory.now_s
        self.revealed = memory.revealed
        self._payments = dict(memory.payments)
        self._gates = list(memory.gates)
        self._names = dict(memory.names)
        self._zones = dict(memory.zones)
        self._registers = dict(memory.registers)

    def found(self) -> None:
        """Register what every scenario begins with."""
        organisations = [
            OrganisationArguments(DSO, "dso"),
            OrganisationArguments(OTHER_DSO, "dso"),
            OrganisationArguments(R1, "retailer"),
            OrganisationArguments(R2, "retailer"),
            OrganisationArguments(ORACLE, "oracle"),
            OrganisationArguments(REGULATOR, "regulator"),
        ]
        regulator = did_of("regulator")
        self.submit("initialise", InitialiseArguments(regulator, organisations), admin=True)
        area = AreaArguments(AREA, ROOT, self.rules.root_level, demonstration=True)
        self.submit("register_area", area, admin=True)
        for zone in (EAST, WEST):
            self.zone(zone, ROOT)
        clock = ClockArguments(AREA, START_S, START_S, 1)
        self.submit("set_clock", clock, admin=True)
        self.submit("post_seed_chain", SeedChainArguments(AREA, SLOT, self.seeds[0]))
        rules = RulesArguments(AREA, SLOT, self.rules.market)
        self.submit("set_market_rules", rules, admin=True)  # dating the others reads them
        self.submit("appoint_oracle", AppointmentArguments(AREA, ORACLE, SLOT), admin=True)
        nodes = OracleArguments(AREA, SLOT, self.oracle.nodes, self.oracle.faulty_max)
        self.submit("set_oracle_nodes", nodes, ORACLE, admin=True)
        self.submit_together(list(self._founding()))

    def _founding(self) -> Iterator[Submission]:
        """What an area needs besides its zones, clock, seeds, rules and oracle."""
        yield Submission("set_fees", FeesArguments(AREA, SLOT, list(self.rules.fees)), admin=True)
        for retailer in (R1, R2):
            prices = ResidualArguments(AREA, SLOT, [self.rules.prices])
            yield Submission("set_residual_prices", prices, retailer, admin=True)
            if self.rules.retailer_vat_ppm:
                vat = VatArguments(AREA, SLOT, "taxable", self.rules.retailer_vat_ppm)
                yield Submission("set_vat", vat, retailer)

    # Zones, people, money

    def zone(self, zone: str, parent: str) -> None:
        """Add a zone below another."""
        arguments = ZoneArguments(AREA, zone, parent, self.rules.zone_level)
        self.submit("register_zone", arguments, admin=True)

    def trader(
        self,
        name: str,
        *,
        zone: str = EAST,
        retailer: str = R1,
        power_w: int = POWER_W,
        deposit_nano: int = DEPOSIT_NANO,
        source: str = "solar",
        daily_import_wh: int = 0,
    ) -> str:
        """Admit a client with a meter of the same name and money in its account; its DID."""
        did = did_of(name)
        self._names[did] = name
        self.join(name, retailer)
        self.meter(name, zone=zone, retailer="", power_w=power_w, source=source)
        self.supply(name, retailer=retailer, daily_import_wh=daily_import_wh)
        if deposit_nano:
            self.credit(name, deposit_nano, retailer=retailer)
        return did

    def traders(
        self,
        *names: str,
        zone: str = EAST,
        power_w: int = POWER_W,
        deposit_nano: int = DEPOSIT_NANO,
    ) -> None:
        """Admit several clients alike, on the quick engine if that is another one."""

        def admit(market: Market) -> None:
            market.admit(names, zone=zone, power_w=power_w, deposit_nano=deposit_nano)

        if self._engine.quick is self._engine or self._has_readings:
            admit(self)
        else:
            self.leap(admit)

    def admit(self, names: Sequence[str], *, zone: str, power_w: int, deposit_nano: int) -> None:
        """Let clients join, their meters be registered and supplied, and their money be paid in."""
        dids = {name: did_of(name) for name in names}
        self._names.update({did: name for name, did in dids.items()})
        admissions = [ParticipantArguments(self.tokens.join(name)) for name in names]
        self.submit_together([Submission("register_participant", one, R1) for one in admissions])
        meters = [self._meter(name, zone=zone, power_w=power_w) for name in names]
        self.submit_together([Submission("register_certified_meter", one) for one in meters])
        supplies = [self._supply(name, holder=name) for name in names]
        self.submit_together([Submission("accept_supply", one, R1) for one in supplies])
        first = len(self._payments)
        deposits = [
            PaymentArguments(AREA, did, deposit_nano, f"in-{first + place}")
            for place, did in enumerate(dids.values())
            if deposit_nano
        ]
        self.submit_together([Submission("credit_client", one, R1) for one in deposits])

    def join(self, name: str, retailer: str = R1, *, number: int = 1) -> None:
        """Let a retailer register the join that a trader has signed."""
        token = self.tokens.join(name, retailer, number=number)
        self.submit("register_participant", ParticipantArguments(token), retailer)

    def meter(
        self,
        meter: str,
        *,
        holder: str = "",
        zone: str = EAST,
        retailer: str = R1,
        power_w: int = POWER_W,
        source: str = "solar",
        from_slot: int = SLOT,
        area: str = AREA,
    ) -> None:
        """Certify a meter, which the retailer then supplies as its holder has agreed.

        Without a holder the participant of the same name holds it. Without a retailer nobody
        supplies it.
        """
        arguments = self._meter(
            meter,
            holder=holder,
            zone=zone,
            power_w=power_w,
            source=source,
            from_slot=from_slot,
            area=area,
        )
        self.submit("register_certified_meter", arguments)
        if retailer:
            self.supply(meter, holder=holder, retailer=retailer, from_slot=from_slot)

    def supply(
        self,
        meter: str,
        *,
        holder: str = "",
        retailer: str = R1,
        from_slot: int = SLOT,
        offtaker: str | None = None,
        daily_import_wh: int = 0,
    ) -> None:
        """Let a retailer supply a meter from a slot on, as its holder has agreed."""
        arguments = self._supply(
            meter,
            holder=holder or meter,
            retailer=retailer,
            from_slot=from_slot,
            offtaker=offtaker,
            daily_import_wh=daily_import_wh,
        )
        self.submit("accept_supply", arguments, retailer)

    def _supply(
        self,
        meter: str,
        *,
        holder: str,
        retailer: str = R1,
        from_slot: int = SLOT,
        offtaker: str | None = None,
        daily_import_wh: int = 0,
    ) -> SupplyArguments:
        self._registers.setdefault(meter, (0, 0))
        token = self.tokens.supply(
            holder,
            meter,
            retailer,
            from_slot=from_slot,
            offtaker=offtaker,
            daily_import_wh=daily_import_wh,
        )
        return SupplyArguments(token)

    def meters(self, *names: str, holder: str, power_w: int = POWER_W) -> None:
        """Certify several meters of one holder."""
        meters = [self._meter(name, holder=holder, power_w=power_w) for name in names]
        self.submit_together([Submission("register_certified_meter", one) for one in meters])
        supplies = [self._supply(name, holder=holder) for name in names]
        self.submit_together([Submission("accept_supply", one, R1) for one in supplies])

    def _meter(
        self,
        meter: str,
        *,
        holder: str = "",
        zone: str = EAST,
        power_w: int = POWER_W,
        source: str = "solar",
        from_slot: int = SLOT,
        area: str = AREA,
    ) -> MeterArguments:
        self._zones[meter] = zone
        return MeterArguments(
            meter=meter,
            holder=did_of(holder or meter),
            zone=zone,
            grid_level=7,
            import_w=power_w,
            export_w=power_w,
            from_slot=from_slot,
            source=source,
            hold=self.tokens.hold(holder or meter, meter, area=area),
        )

    def credit(
        self, name: str, amount_nano: int, *, reference: str = "", retailer: str = R1
    ) -> None:
        """Let the retailer credit a client, under a new reference where none is given."""
        reference = reference or f"in-{len(self._payments)}"
        payment = PaymentArguments(AREA, did_of(name), amount_nano, reference)
        self.submit("credit_client", payment, retailer)

    def debit(
        self, name: str, amount_nano: int, *, reference: str = "", retailer: str = R1
    ) -> None:
        """Let the retailer pay a client out, under a new reference where none is given."""
        reference = reference or f"out-{len(self._payments)}"
        token = self.tokens.payout(name, amount_nano, reference, retailer=retailer)
        self.submit("debit_client", PayoutArguments(token), retailer)

    # Orders

    def place(self, table: str, *, slot: int = SLOT, member: str = R1) -> list[str]:
        """Place the orders of a table with the columns who, id, side, price, wh; the tokens.

        The slot opens first: people, meters and terms have to be there before.

        Several rows of one id are the steps of one order. A column `expires` is seconds before
        the gate, `meter` another meter than the trader's first. Every sheet must be taken.
        """
        rows: dict[tuple[str, str], list[dict[str, str]]] = {}
        for row in rows_of(table):
            rows.setdefault((row["who"], row["id"]), []).append(row)
        tokens: list[str] = []
        for (who, name), listed in rows.items():
            first = listed[0]
            meter = first.get("meter", who)
            expires = first.get("expires", "-")
            order = order_of(
                name,
                "buy" if first["side"] == "buy" else "sell",
                [(int(row["price"]), int(row["wh"])) for row in listed],
                slot=slot,
                expires_s=None if expires == "-" else self.gate_s(slot) - int(expires),
            )
            zone = self._zones[meter]
            tokens.append(self.tokens.sheet(who, [order], meter=meter, zone=zone))
        self.open(slot)
        answers = self.send(tokens, member=member)
        assert [answer.code for answer in answers] == ["PLACED"] * len(tokens), answers
        return tokens

    def send(
        self, tokens: Sequence[str], *, name: str = "place_orders", member: str = R1
    ) -> list[TokenAnswer]:
        """Send a batch of tokens once the first slot is open; the answers."""
        self.open()
        receipt = self.submit(name, TokensArguments(list(tokens)), member)
        return receipt.read(TokensAnswer).answers

    def codes(
        self, tokens: Sequence[str], *, name: str = "place_orders", member: str = R1
    ) -> list[str]:
        """The codes that a batch of tokens is answered with."""
        return [answer.code for answer in self.send(tokens, name=name, member=member)]

    def amend(
        self,
        name: str,
        order: str,
        revision: int,
        steps: list[tuple[int, int]],
        *,
        slot: int = SLOT,
    ) -> str:
        """Send an amendment; the code of its answer."""
        token = self.tokens.amend(name, order, revision, steps, slot=slot)
        return self.codes([token], name="amend_orders")[0]

    def cancel(self, name: str, order: str, *, slot: int = SLOT) -> str:
        """Send a cancel; the code of its answer."""
        token = self.tokens.cancel(name, order, slot=slot)
        return self.codes([token], name="cancel_orders")[0]

    # Acts and disputes

    def act(
        self, act: str, name: str, sequence: int, *, signer: str = "regulator", member: str = DSO
    ) -> ActAnswer:
        """Carry an act of the regulator on a participant."""
        token = self.tokens.act(act, name, sequence, signer=signer)
        return self.submit("record_act", ActArguments(token), member).read(ActAnswer)

    def dispute(
        self, act: str, name: str, trade: int, *, reason: str = "not so", slot: int = SLOT
    ) -> DisputeAnswer:
        """Carry a party's dispute, or its withdrawal."""
        token = self.tokens.dispute(act, name, trade, reason=reason, slot=slot)
        return self.submit("dispute_trade", DisputeArguments(token), R1).read(DisputeAnswer)

    # A slot's life

    def gate_s(self, slot: int = SLOT) -> int:
        """When the gate of a slot closes."""
        return self.rules.market.gate_s(slot)

    def open(self, slot: int = SLOT) -> None:
        """Let time pass until a slot opens; from then on its terms are frozen."""
        self.pass_until(self.rules.market.opening_s(slot))

    def pass_until(self, second: int) -> None:
        """Let time pass until `second`, unless it is past."""
        self.clock.now_s = max(self.clock.now_s, second)

    def close_gate(
        self, slot: int = SLOT, *, revealed: bool = True, member: str = DSO
    ) -> SlotAnswer:
        """Let the gate's time come, close it and reveal the DSO's seed, or let its deadline pass.

        A gate that closes after the deadline for seeds is left without one.
        """
        deadline_s = self.gate_s(slot) + self.rules.market.seed_deadline_s
        self.pass_until(self.gate_s(slot))
        answer = self.submit("close_gate", SlotArguments(AREA, slot), member)
        if revealed and self.clock.now_s < deadline_s:
            self.reveal(slot)
        self.pass_until(deadline_s if not revealed else 0)
        return answer.read(SlotAnswer)

    def reveal(self, slot: int = SLOT) -> None:
        """Reveal the DSO's next seed for a slot."""
        self.submit("reveal_seed", SeedArguments(AREA, slot, self.seeds[self.revealed + 1]))
        self.revealed += 1

    def clear(self, slot: int = SLOT) -> None:
        """Close the gate, unless that is done, and clear the slot to its end."""
        if slot not in self._gates:
            self.close_gate(slot)
        while self.clear_part(slot) != "CLEARED":
            pass

    def clear_part(self, slot: int = SLOT, *, member: str = DSO) -> str:
        """One transaction of clearing; the phase after it."""
        answer = self.submit("clear_slot", SlotArguments(AREA, slot), member).read(SlotAnswer)
        return answer.phase

    def fold(self, *, member: str = R2) -> int:
        """Fold all that is due; how many transactions that took."""
        for count in range(RUN_TRANSACTIONS_MAX):
            try:
                self.submit("fold_accounts", AreaName(AREA), member)
            except Refused as refused:
                if refused.code != "NOTHING_TO_FOLD":
                    raise
                return count
        raise AssertionError("folding does not end")

    def settle(self, slot: int = SLOT, *, member: str = R1) -> None:
        """Settle the slot to its end, and fold what that makes due."""
        for _ in range(RUN_TRANSACTIONS_MAX):
            answer = self.submit("settle_slot", SlotArguments(AREA, slot), member).read(SlotAnswer)
            if answer.phase == "SETTLED":
                self.fold()
                return
        raise AssertionError(f"settling slot {slot} does not end")

    def correct(self, slot: int = SLOT, *, member: str = R2) -> None:
        """Correct the settled slot to its end, and fold what that makes due."""
        for _ in range(RUN_TRANSACTIONS_MAX):
            answer = self.submit("correct_slot", SlotArguments(AREA, slot), member).read(SlotAnswer)
            if answer.phase == "SETTLED" and not answer.step:
                self.fold()
                return
        raise AssertionError(f"correcting slot {slot} does not end")

    def leaf(
        self, meter: str, boundary: int = END, *, import_wh: int = 0, export_wh: int = 0
    ) -> Leaf:
        """A leaf that shows so much more than the meter's registers do now."""
        shown_import_wh, shown_export_wh = self._registers.get(meter, (0, 0))
        return Leaf(
            boundary=boundary,
            export_wh=shown_export_wh + export_wh,
            import_wh=shown_import_wh + import_wh,
            meter=meter,
            resolution_wh=1,
            salt=sha256(meter.encode()).hexdigest(),
        )

    def signed_report(
        self, leaves: Sequence[Leaf], *, signers: Sequence[int] = (0, 1, 2)
    ) -> SignedReport:
        """A report of the leaves of one boundary, signed by some of the oracle nodes."""
        report, ordered = make_report(
            leaves,
            area=AREA,
            boundary=leaves[0].boundary,
            oracle=self.oracle,
            channel=self.ledger.channel,
            contract=self.ledger.contract,
        )
        return sign_report(report, ordered, [self.oracle_keys[number] for number in signers])

    def send_report(self, signed: SignedReport, member: str = ORACLE) -> Receipt:
        """Submit a signed report."""
        return self.submit("record_readings", signed.arguments, member, transient=signed.transient)

    def validate(self, *leaves: Leaf, member: str = DSO) -> Receipt:
        """Submit registers of one boundary that the DSO has validated."""
        ordered = sorted(leaves, key=lambda leaf: leaf.meter)
        root = merkle_root([leaf_bytes(leaf) for leaf in ordered])
        arguments = ValidatedArguments(AREA, leaves[0].boundary, len(ordered), root)
        transient = {TRANSIENT_LEAVES: encode(ordered)}
        return self.submit("record_validated_readings", arguments, member, transient=transient)

    def exchange(
        self, meter: str, slot: int, closing: tuple[int, int], opening: tuple[int, int]
    ) -> Receipt:
        """Record that a meter's device was replaced; import and export of the old and the new."""
        registers = ExchangeRegisters(
            closing_export_wh=closing[1],
            closing_generation_wh=None,
            closing_import_wh=closing[0],
            opening_export_wh=opening[1],
            opening_generation_wh=None,
            opening_import_wh=opening[0],
            salt=sha256(meter.encode()).hexdigest(),
        )
        transient = {TRANSIENT_EXCHANGE: encode(registers)}
        return self.submit(
            "exchange_meter", ExchangeArguments(meter, slot), DSO, transient=transient
        )

    def report(self, table: str, slot: int = SLOT, *, others: bool = True) -> SignedReport:
        """Report a table with the columns meter, import, export (Wh) when the slot is over.

        The registers at its end are reported, and before it those at its start where they are not
        yet. Other meters read nothing, or are not reported with `others` False.
        """
        measured = {row["meter"]: row for row in rows_of(table)}
        meters = list(self._registers if others else measured)
        end = slot + SLOT_S
        self.pass_until(end)
        fresh = [meter for meter in meters if (meter, slot) not in self._read]
        if fresh:
            self.send_report(self.signed_report([self.leaf(meter, slot) for meter in fresh]))
        for meter, row in measured.items():
            import_wh, export_wh = self._registers.get(meter, (0, 0))
            self._registers[meter] = (
                import_wh + int(row["import"]),
                export_wh + int(row["export"]),
            )
        signed = self.signed_report([self.leaf(meter, end) for meter in meters])
        self.send_report(signed)
        self._read.update((meter, boundary) for meter in meters for boundary in (slot, end))
        return signed

    # What there is

    def slot(self, slot: int = SLOT) -> SlotView:
        """The slot as the ledger has it."""
        return self.ask("describe_slot", SlotArguments(AREA, slot), SlotView)

    def trades(self, slot: int = SLOT) -> list[TradeView]:
        """The slot's trades."""
        return self.ask("list_trades", SlotArguments(AREA, slot), TradesAnswer).trades

    def named(self, text: str) -> str:
        """A text with the DID at its beginning replaced by the trader's name."""
        did, slash, rest = text.partition("/")
        return self._names.get(did, did) + slash + rest

    def traded(self, slot: int = SLOT) -> list[str]:
        """The slot's trades as rows: buy, sell, wh, price."""
        return [
            f"{self.named(t.buy)} {self.named(t.sell)} {t.quantity_wh} {t.buy_price}"
            for t in (view.trade for view in self.trades(slot))
        ]

    def orders(self, name: str, slot: int = SLOT) -> list[OrderView]:
        """The orders of a trader."""
        arguments = TraderArguments(AREA, slot, did_of(name))
        return self.ask("list_orders", arguments, OrdersAnswer).orders

    def states(self, name: str, slot: int = SLOT) -> dict[str, str]:
        """The state of each order of a trader."""
        return {view.order.id: view.state for view in self.orders(name, slot)}

    def account(self, owner: str) -> AccountAnswer:
        """The account of a trader by name, or of any other owner."""
        name = did_of(owner) if owner in self._names.values() else owner
        return self.ask("describe_account", OwnerArguments(AREA, name), AccountAnswer)

    def totals(self) -> Totals:
        """The sums over all entries and accounts."""
        totals = self.ask("sum_accounts", SumArguments(AREA), Totals)
        while totals.after is not None:
            following = SumArguments(AREA, totals.after, totals.digest)
            totals = totals.plus(self.ask("sum_accounts", following, Totals))
        return totals

    def entries(self, owner: str) -> list[EntryView]:
        """The entries of a trader that are not folded yet."""
        arguments = EntriesArguments(AREA, did_of(owner))
        return self.ask("list_entries", arguments, EntriesAnswer).entries

    def claims(self, retailer: str) -> dict[str, int]:
        """What each trader owes a retailer."""
        answer = self.ask("list_claims", ClaimsArguments(AREA, retailer), ClaimsAnswer)
        assert answer.after is None
        return {self.named(claim.client): claim.amount_nano for claim in answer.claims}

    def fold_postings(self) -> list[Posting]:
        """All lines that folding has posted."""
        postings: list[Posting] = []
        page, pages = 0, 1
        while page < pages:
            arguments = FoldPageArguments(AREA, page)
            answer = self.ask("list_fold_postings", arguments, FoldPageAnswer)
            postings.extend(answer.postings)
            page, pages = page + 1, answer.pages
        return postings

    def folded(self, *, kind: str) -> dict[str, int]:
        """The sum of the lines of one kind that folding has posted, by account."""
        sums: dict[str, int] = {}
        for posting in self.fold_postings():
            if posting.kind == kind:
                account = self.named(posting.account)
                sums[account] = sums.get(account, 0) + posting.amount_nano
        return sums

    def postings(self, slot: int = SLOT) -> list[Posting]:
        """All postings of a slot."""
        postings: list[Posting] = []
        page, pages = 0, 1
        while page < pages:
            answer = self.ask("list_postings", PageArguments(AREA, slot, page), PostingsAnswer)
            postings.extend(answer.postings)
            page, pages = page + 1, answer.pages
        return postings

    def posted(self, slot: int = SLOT, *, kind: str = "") -> dict[str, int]:
        """The sum of a slot's postings by account, of one kind or all; traders by their names."""
        sums: dict[str, int] = {}
        for posting in self.postings(slot):
            if kind in ("", posting.kind):
                account = self.named(posting.account)
                sums[account] = sums.get(account, 0) + posting.amount_nano
        return sums

    def check_end(self) -> None:
        """What holds at the end of every scenario.

        Money sums to zero; certificates minted are live or retired; every balance less its claims
        is what was paid in and out and posted, once everything is folded; nobody has both a
        balance and a claim; every reserve has its matched trade that is not settled, or the
        cancelled order whose fee is not posted. Within a run only the sums hold.
        """
        self.run(self.ledger.check_end())
        totals = self.totals()
        assert totals.money_nano == 0
        assert totals.minted_wh == totals.live_wh + totals.retired_wh
        views = [self.slot(slot) for slot in self._gates]
        posted: dict[str, int] = {}
        for view in views:
            by_account = self.posted(view.slot)
            assert sum(by_account.values()) == 0
            for account, amount in by_account.items():
                posted[account] = posted.get(account, 0) + amount
        assert sum(posting.amount_nano for posting in self.fold_postings()) == 0
        held = sum(sum(self.claims(retailer).values()) for retailer in (R1, R2))
        assert totals.claims_nano == held
        if any(view.phase in ("CLEARING", "SETTLING", "CORRECTING") for view in views):
            return
        covers = self._covers([view.slot for view in views if view.phase == "CLEARED"])
        fees_nano = 0
        for name in self._names.values():
            answer = self.account(name)
            assert answer.account.balance_nano >= 0, name
            assert not (answer.account.balance_nano and answer.account.claims_nano), name
            paid_nano = sum(p.amount_nano for p in self._payments.values() if p.name == name)
            assert answer.worth_nano == paid_nano + posted.get(name, 0), name
            fees_nano += self._fees_held(
                name, settled=[v.slot for v in views if v.phase == "SETTLED"]
            )
        assert totals.reserved_nano == sum(covers.values()) + fees_nano

    def _fees_held(self, name: str, *, settled: Sequence[int]) -> int:
        """The fees of a trader's cancelled orders in slots that are not settled."""
        slots = {SLOT + number * SLOT_S for number in range(4)} | set(self._gates)
        return sum(
            view.order.fee_nano for slot in slots - set(settled) for view in self.orders(name, slot)
        )

    def _covers(self, slots: Sequence[int]) -> dict[str, int]:
        """Cover of the trades of slots that are cleared and not settled, by trader."""
        covers: dict[str, int] = {}
        for slot in slots:
            for trade in (view.trade for view in self.trades(slot)):
                for order, cover_nano in (
                    (trade.buy, trade.buy_cover_nano),
                    (trade.sell, trade.sell_cover_nano),
                ):
                    name = self.named(order).partition("/")[0]
                    covers[name] = covers.get(name, 0) + cover_nano
        return covers


def _reference(payment: msgspec.Struct) -> str:
    """The reference of a payment; a client signs that of a pay-out."""
    if isinstance(payment, PayoutArguments):
        return PAYOUTS.open(payment.token).payload.reference
    return str(msgspec.structs.asdict(payment)["reference"])
