"""A small market for scenarios: members, zones and traders by name, driven through `Ledger`.

Scenarios never learn which engine is under them. What the scenario pays in and out is kept in mind,
so that at the end every account can be held against its payments, postings and open trades.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping, Sequence
from hashlib import sha256
from typing import Any, NamedTuple, Protocol, TypeVar

import msgspec

from chaincode.acts import ACT_TYP, Act, ActAnswer, ActArguments
from chaincode.balances import AccountAnswer, OwnerArguments, PaymentArguments, Totals
from chaincode.clock import ClockArguments
from chaincode.disputes import DISPUTE_TYP, DisputeAct, DisputeAnswer, DisputeArguments
from chaincode.market_rules import RulesArguments
from chaincode.meters import MeterArguments
from chaincode.orders import TokenAnswer, TokensAnswer
from chaincode.postings import Posting
from chaincode.queries import (
    OrdersAnswer,
    OrderView,
    PageArguments,
    PostingsAnswer,
    SlotView,
    TraderArguments,
    TradesAnswer,
    TradeView,
)
from chaincode.readings import Leaf, OracleArguments, OracleSet
from chaincode.registry import InitialiseArguments, OrganisationArguments, ParticipantArguments
from chaincode.sheets import (
    AMEND_TYP,
    CANCEL_TYP,
    SHEET_TYP,
    Amend,
    Cancel,
    Sheet,
    SheetOrder,
    TokensArguments,
)
from chaincode.slots import GateArguments, SeedArguments, SlotAnswer, SlotArguments
from chaincode.tariffs import FeesArguments, ResidualArguments, VatArguments
from chaincode.zones import AreaArguments, AreaName, ZoneArguments
from identity.canonical import encode
from identity.did import did_key
from identity.jws import sign_compact
from identity.keys import PrivateKey
from ledger_network.port import Contract, Member, Receipt
from meter_oracle.reports import SignedReport, make_report, sign_report
from tests.contract.cast import (
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
    HashedLedger,
    Rules,
    did_of,
    key_of,
    rows_of,
    seeds,
)

T = TypeVar("T")


class Opener(Protocol):
    """Opens a market; the fixture checks and closes it."""

    def __call__(self, rules: Rules | None = None, contract: Contract | None = None) -> Market: ...


class PaidOut(NamedTuple):
    """A pay-out, and how many gates had closed when it was made."""

    name: str
    amount_nano: int
    gates: int


class Market:
    """The market of a scenario."""

    def __init__(self, engine: Engine, rules: Rules, contract: Contract) -> None:
        self.rules = rules
        self.clock = Clock(START_S)
        self._runner = asyncio.Runner()
        self.ledger = self.run(self._open(engine, contract))
        self.oracle_keys = [key_of(f"oracle {number}") for number in range(4)]
        nodes = [did_key(key.public) for key in self.oracle_keys]
        self.oracle = OracleSet(nodes=nodes, faulty_max=1)
        self._seeds = seeds()
        self._revealed = 0
        self._paid_in: dict[tuple[str, str], tuple[str, int]] = {}
        self._paid_out: dict[tuple[str, str], PaidOut] = {}
        self._gates: list[int] = []
        self._folded_gates = 0
        self._names: dict[str, str] = {}
        self._zones: dict[str, str] = {}
        self._registers: dict[str, tuple[int, int]] = {}
        self._found()

    async def _open(self, engine: Engine, contract: Contract) -> HashedLedger:
        return engine(self.clock, contract)

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """The result of asynchronous work."""
        return self._runner.run(work)

    def close(self) -> None:
        """Close the ledger."""
        self.run(self.ledger.close())
        self._runner.close()

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
        return self.run(self.ledger.submit(name, arguments, member=who, transient=transient))

    def ask(self, name: str, arguments: msgspec.Struct, kind: type[T], member: str = DSO) -> T:
        """The answer of a query."""
        answer = self.run(self.ledger.evaluate(name, arguments, member=Member(member)))
        return msgspec.json.decode(answer, type=kind)

    def _found(self) -> None:
        roles = (
            (DSO, "dso"),
            (OTHER_DSO, "dso"),
            (R1, "retailer"),
            (R2, "retailer"),
            (ORACLE, "oracle"),
            (REGULATOR, "regulator"),
        )
        organisations = [OrganisationArguments(name, role) for name, role in roles]
        regulator = did_of("regulator")
        self.submit("initialise", InitialiseArguments(regulator, organisations), admin=True)
        self.submit("register_area", AreaArguments(AREA, ROOT, self.rules.root_level), admin=True)
        for zone in (EAST, WEST):
            self.zone(zone, ROOT)
        clock = ClockArguments(AREA, START_S, START_S, 1)
        self.submit("set_clock", clock, admin=True)
        self.submit("post_seed_anchor", SeedArguments(AREA, SLOT, self._seeds[0]))
        rules = RulesArguments(AREA, SLOT, self.rules.market)
        self.submit("set_market_rules", rules, admin=True)
        fees = FeesArguments(AREA, SLOT, list(self.rules.fees))
        self.submit("set_fees", fees, admin=True)
        for retailer in (R1, R2):
            prices = ResidualArguments(AREA, SLOT, self.rules.prices)
            self.submit("set_residual_prices", prices, retailer, admin=True)
            if self.rules.retailer_vat_ppm:
                vat = VatArguments(AREA, retailer, SLOT, "taxable", self.rules.retailer_vat_ppm)
                self.submit("set_vat", vat, retailer)
        nodes = OracleArguments(AREA, SLOT, self.oracle.nodes, self.oracle.faulty_max)
        self.submit("set_oracle_nodes", nodes, ORACLE, admin=True)

    def zone(self, zone: str, parent: str) -> None:
        """Add a zone below another."""
        arguments = ZoneArguments(AREA, zone, parent, self.rules.zone_level)
        self.submit("register_zone", arguments, admin=True)

    def state_hash(self) -> str:
        """The digest of the public state."""
        return self.run(self.ledger.state_hash())

    # People

    def trader(
        self,
        name: str,
        *,
        zone: str = EAST,
        retailer: str = R1,
        import_w: int = 40_000,
        export_w: int = 40_000,
        deposit_nano: int = DEPOSIT_NANO,
        source: str = "solar",
    ) -> str:
        """Admit a client with a meter of the same name and money in its account; its DID."""
        did = did_of(name)
        self.submit("register_participant", ParticipantArguments(did), retailer)
        self.meter(
            name,
            holder=name,
            zone=zone,
            retailer=retailer,
            import_w=import_w,
            export_w=export_w,
            source=source,
        )
        if deposit_nano:
            self.credit(name, deposit_nano, retailer)
        return did

    def meter(
        self,
        meter: str,
        *,
        holder: str,
        zone: str = EAST,
        retailer: str = R1,
        import_w: int = 40_000,
        export_w: int = 40_000,
        source: str = "solar",
        from_slot: int = SLOT,
    ) -> None:
        """Certify a meter."""
        arguments = MeterArguments(
            meter=meter,
            holder=did_of(holder),
            retailer=retailer,
            zone=zone,
            grid_level=7,
            import_w=import_w,
            export_w=export_w,
            from_slot=from_slot,
            source=source,
        )
        self.submit("register_certified_meter", arguments)
        self._zones[meter] = zone
        self._registers.setdefault(meter, (0, 0))

    def credit(self, name: str, amount_nano: int, retailer: str = R1) -> None:
        """Let the retailer credit a client."""
        self._payments += 1
        payment = PaymentArguments(AREA, did_of(name), amount_nano, f"p{self._payments}")
        self.submit("credit_client", payment, retailer)

    # Orders

    def sheet(
        self,
        name: str,
        orders: Sequence[SheetOrder],
        *,
        meter: str | None = None,
        zone: str | None = None,
        channel: str | None = None,
        contract: str | None = None,
        key: PrivateKey | None = None,
    ) -> str:
        """A signed sheet of `name` at its own meter, with whatever is to be wrong in it."""
        meter = meter or name
        sheet = Sheet(
            channel=self.ledger.channel if channel is None else channel,
            contract=self.ledger.contract if contract is None else contract,
            meter=meter,
            orders=list(orders),
            v=1,
            zone=self._zones.get(meter, EAST) if zone is None else zone,
        )
        return sign_compact(key or key_of(name), SHEET_TYP, encode(sheet))

    def send(self, tokens: Sequence[str], member: str = R1) -> list[TokenAnswer]:
        """Place a batch of sheets; the answers."""
        receipt = self.submit("place_orders", TokensArguments(list(tokens)), member)
        return receipt.read(TokensAnswer).answers

    def place(self, table: str, slot: int = SLOT) -> None:
        """Place the orders of a table with the columns who, id, side, price, wh.

        Several rows of one id are the steps of one order. Every sheet must be taken.
        """
        steps: dict[tuple[str, str, str], list[tuple[int, int]]] = {}
        for row in rows_of(table):
            key = (row["who"], row["id"], row["side"])
            steps.setdefault(key, []).append((int(row["price"]), int(row["wh"])))
        tokens: list[str] = []
        for (who, name, side), listed in steps.items():
            order = SheetOrder(
                id=name, side="buy" if side == "buy" else "sell", slot=slot, steps=listed
            )
            tokens.append(self.sheet(who, [order]))
        answers = self.send(tokens)
        assert [answer.code for answer in answers] == ["PLACED"] * len(tokens), answers

    def amend(
        self, name: str, order: str, revision: int, steps: list[tuple[int, int]], slot: int = SLOT
    ) -> TokenAnswer:
        """Send an amendment; its answer."""
        amend = Amend(
            area=AREA,
            channel=self.ledger.channel,
            contract=self.ledger.contract,
            id=order,
            revision=revision,
            slot=slot,
            steps=steps,
            v=1,
        )
        token = sign_compact(key_of(name), AMEND_TYP, encode(amend))
        receipt = self.submit("amend_orders", TokensArguments([token]), R1)
        return receipt.read(TokensAnswer).answers[0]

    def cancel(self, name: str, order: str, slot: int = SLOT) -> TokenAnswer:
        """Send a cancel; its answer."""
        cancel = Cancel(
            area=AREA,
            channel=self.ledger.channel,
            contract=self.ledger.contract,
            id=order,
            slot=slot,
            v=1,
        )
        token = sign_compact(key_of(name), CANCEL_TYP, encode(cancel))
        receipt = self.submit("cancel_orders", TokensArguments([token]), R1)
        return receipt.read(TokensAnswer).answers[0]

    def act(self, act: str, name: str, sequence: int, *, signer: str = "regulator") -> ActAnswer:
        """Carry an act of the regulator on a participant."""
        signed = Act(
            act="lock" if act == "lock" else "unlock",
            channel=self.ledger.channel,
            contract=self.ledger.contract,
            participant=did_of(name),
            reason="by order",
            sequence=sequence,
            v=1,
        )
        token = sign_compact(key_of(signer), ACT_TYP, encode(signed))
        return self.submit("record_act", ActArguments(token), DSO).read(ActAnswer)

    # A slot's life

    def gate_s(self, slot: int = SLOT) -> int:
        """When the gate of a slot closes."""
        return self.rules.market.gate_s(slot)

    def next_seed(self) -> str:
        """The pre-image that is due."""
        return self._seeds[self._revealed + 1]

    def close_gate(self, slot: int = SLOT, *, revealed: bool = True) -> SlotAnswer:
        """Let the gate's time come and close it."""
        late_s = 0 if revealed else self.rules.market.seed_deadline_s
        self.clock.now_s = max(self.clock.now_s, self.gate_s(slot) + late_s)
        seed = self.next_seed() if revealed else None
        answer = self.submit("close_gate", GateArguments(AREA, slot, seed))
        self._revealed += 1 if revealed else 0
        return answer.read(SlotAnswer)

    def clear(self, slot: int = SLOT) -> None:
        """Close the gate and clear the slot to its end."""
        self.close_gate(slot)
        self.continue_run("clear_slot", slot, "CLEARED")

    def continue_run(self, name: str, slot: int, done: str) -> int:
        """Continue a run until the slot is `done`; how many transactions it took."""
        for count in range(1, 1000):
            answer = self.submit(name, SlotArguments(AREA, slot), DSO).read(SlotAnswer)
            if answer.phase == done:
                return count
        raise AssertionError(f"{name} does not end")

    def leaf(self, meter: str, *, import_wh: int = 0, export_wh: int = 0) -> Leaf:
        """A leaf that goes on where the meter's registers stand."""
        import_from_wh, export_from_wh = self._registers.get(meter, (0, 0))
        return Leaf(
            export_from_wh=export_from_wh,
            export_to_wh=export_from_wh + export_wh,
            import_from_wh=import_from_wh,
            import_to_wh=import_from_wh + import_wh,
            meter=meter,
            quality="measured",
            resolution_wh=1,
            salt=sha256(meter.encode()).hexdigest(),
        )

    def signed_report(
        self, leaves: Sequence[Leaf], slot: int = SLOT, *, signers: Sequence[int] = (0, 1, 2)
    ) -> SignedReport:
        """A report of `leaves` signed by some of the oracle nodes."""
        report, ordered = make_report(
            leaves,
            area=AREA,
            slot=slot,
            oracle=self.oracle,
            channel=self.ledger.channel,
            contract=self.ledger.contract,
        )
        return sign_report(report, ordered, [self.oracle_keys[number] for number in signers])

    def send_report(self, signed: SignedReport, member: str = ORACLE) -> Receipt:
        """Submit a signed report."""
        return self.submit("record_readings", signed.arguments, member, transient=signed.transient)

    def report(self, table: str, slot: int = SLOT) -> None:
        """Report a table with the columns meter, import, export (Wh); others read nothing."""
        measured = {row["meter"]: row for row in rows_of(table)}
        leaves: list[Leaf] = []
        for meter in self._registers:
            row = measured.get(meter, {"import": "0", "export": "0"})
            import_wh, export_wh = int(row["import"]), int(row["export"])
            leaves.append(self.leaf(meter, import_wh=import_wh, export_wh=export_wh))
        self.clock.now_s = max(self.clock.now_s, slot + SLOT_S)
        self.send_report(self.signed_report(leaves, slot))
        for leaf in leaves:
            self._registers[leaf.meter] = (leaf.import_to_wh, leaf.export_to_wh)

    def settle(self, slot: int = SLOT) -> None:
        """Settle the slot to its end."""
        self.continue_run("settle_slot", slot, "SETTLED")

    # What there is

    def slot(self, slot: int = SLOT) -> SlotView:
        """The slot as the ledger has it."""
        return self.ask("describe_slot", SlotArguments(AREA, slot), SlotView)

    def trades(self, slot: int = SLOT) -> list[TradeView]:
        """The slot's trades."""
        return self.ask("list_trades", SlotArguments(AREA, slot), TradesAnswer).trades

    def states(self, name: str, slot: int = SLOT) -> dict[str, str]:
        """The state of each order of a trader."""
        answer = self.ask("list_orders", TraderArguments(AREA, slot, did_of(name)), OrdersAnswer)
        return {view.order.id: view.state for view in answer.orders}

    def account(self, owner: str) -> AccountAnswer:
        """The account of a trader by name, or of any other owner."""
        name = did_of(owner) if owner in self._zones else owner
        return self.ask("get_account", OwnerArguments(AREA, name), AccountAnswer)

    def totals(self) -> Totals:
        """The sums over all accounts."""
        return self.ask("sum_accounts", AreaName(AREA), Totals)

    def posted(self, slot: int = SLOT) -> dict[str, int]:
        """The sum of a slot's postings by account; traders by their names."""
        names = {did_of(name): name for name in self._zones}
        sums: dict[str, int] = {}
        page, pages = 0, 1
        while page < pages:
            answer = self.ask("list_postings", PageArguments(AREA, slot, page), PostingsAnswer)
            for posting in answer.postings:
                account = names.get(posting.account, posting.account)
                sums[account] = sums.get(account, 0) + posting.amount_nano
            page, pages = page + 1, answer.pages
        return sums

    def check_end(self) -> None:
        """What holds at the end of every scenario: sums are zero, no reserve without its trade."""
        totals = self.totals()
        assert totals.money_nano == 0
        assert totals.minted_wh == totals.live_wh + totals.retired_wh


def rows_of(table: str) -> list[dict[str, str]]:
    """The rows of an aligned text table, by the names in its first line."""
    lines = [line.split() for line in table.strip().splitlines()]
    return [dict(zip(lines[0], cells, strict=True)) for cells in lines[1:]]
