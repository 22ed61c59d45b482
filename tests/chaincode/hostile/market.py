"""A town that is acted on, its model beside it, and the last acts for those who read a failure."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from collections import Counter, defaultdict, deque
from collections.abc import Mapping, Sequence
from functools import lru_cache
from hashlib import sha256
from random import Random

import msgspec

from chaincode.accounts.statements import FOLD_PAGES, fold_page_part
from chaincode.area.vat import Vat
from chaincode.clearing.empty_slots import EmptyGatesArguments
from chaincode.consortium.organisations import OrganisationArguments
from chaincode.context import PrivateKey
from chaincode.errors import Refused
from chaincode.metering.exchanges import (
    TRANSIENT_EXCHANGE,
    ExchangeArguments,
    ExchangeRegisters,
    MeterExchanged,
)
from chaincode.metering.oracles import OracleSet
from chaincode.metering.readings import Leaf
from chaincode.metering.reports import ReadingsRecorded
from chaincode.orders.handlers import TokensAnswer
from chaincode.orders.sheets import TokensArguments
from chaincode.settlement.settled_slot import POSTINGS
from chaincode.slots.draw import SeedArguments
from chaincode.slots.folding import AccountsFolded
from chaincode.slots.gate import SLOTS, Slot, SlotAnswer, SlotArguments
from chaincode.state import page_part, slot_part
from commonwatt.demonstration.seeded_keys import Draw, SeedChain
from identity.canonical import encode
from identity.did import did_key
from identity.jws import sign_compact
from identity.keys import PrivateKey as SigningKey
from tests.chaincode.dict_engine import CHANNEL
from tests.chaincode.hostile.book_check import check_book
from tests.chaincode.hostile.market_model import (
    Certificate,
    Exchanged,
    Model,
    Named,
    Shown,
    Supplier,
)
from tests.chaincode.town import (
    AREA,
    DSO,
    FEES,
    ORACLE,
    PRICES,
    RETAILERS,
    RULES,
    SLOT,
    SLOT_S,
    Town,
    Trader,
)

OTHER_ORACLE = "OtherOracle"
HOSTILE_RETAILER, HONEST_RETAILER = RETAILERS
TRADERS = 4
HOSTILE_TRADER = 0
POWER_W = 2_000
DEPOSIT_NANO = 150_000_000  # less than some slots cost, so that clients fail
QUICK = msgspec.structs.replace(
    RULES,
    opens_s=3_600,
    seed_deadline_s=180,
    shortfall_penalty=20_000,
    report_deadline_s=900,
    final_s=4 * 3_600,
)
CHAIN_LINKS = 150
KEPT_ACTS = 80
TOKEN = re.compile(r"eyJ[\w-]+\.(eyJ[\w-]+)\.[\w-]+")
PHASES_OF = {"clear_slot": "CLEARED", "settle_slot": "SETTLED", "correct_slot": "SETTLED"}
"""Where the run of each transaction ends."""


class _Private(dict[PrivateKey, bytes]):
    """Private values that count their changes."""

    changes = 0

    def __setitem__(self, key: PrivateKey, value: bytes) -> None:
        self.changes += 1
        super().__setitem__(key, value)


def _payload(token: re.Match[str]) -> str:
    """What a token in a text says."""
    part = token[1]
    return urlsafe_b64decode(part + "=" * (-len(part) % 4)).decode()


@lru_cache(maxsize=256)
def chain_named(name: str) -> SeedChain:
    """The chain of seeds that belongs to a name."""
    return SeedChain(Draw(b"hostile"), name, CHAIN_LINKS)


class Market:
    """The market that all act on; `attempt` is the only way to it."""

    def __init__(self, seed: int) -> None:
        self.random = Random(seed)  # noqa: S311 acts of a test, no secret
        self._told: deque[tuple[int, str, msgspec.Struct | None, str]] = deque(maxlen=KEPT_ACTS)
        self.done: Counter[str] = Counter()
        self.codes: Counter[str] = Counter()
        self.seen: Counter[str] = Counter()
        self.town = Town(
            TRADERS,
            rules=QUICK,
            deposit_nano=DEPOSIT_NANO,
            import_w=POWER_W,
            export_w=POWER_W,
            slots=4,
        )
        self._private = _Private(self.town.view.private)
        self.town.view.private = self._private
        self.model = Model()
        self.ahead_s = 0
        self.numbers = 0
        self.changed = False
        self.answer = b""
        self.uncleared: list[int] = []
        self.unsettled: list[int] = []
        self.settled: list[int] = []
        self.running: dict[int, str] = {}
        self.due_corrections: set[int] = set()
        self.stirred: set[int] = set()
        self.true: defaultdict[str, dict[int, Shown]] = defaultdict(dict)
        self.chains: dict[str, SeedChain] = {}
        self.retailers = {trader.did: trader.retailer for trader in self.town.traders}
        self.oracle_keys: dict[str, SigningKey] = {}
        self._posting_pages: Counter[int] = Counter()
        self._drawn_until = SLOT
        self._found()

    def _found(self) -> None:
        town, model = self.town, self.model
        other = OrganisationArguments(OTHER_ORACLE, "oracle")
        town.submit("register_organisation", other, admin=True)
        model.rules.post(SLOT, QUICK)
        model.fees.post(SLOT, FEES)
        chain = SeedChain(Draw(b"town"), 0, 4)
        self.chains[chain.anchor] = chain
        model.chains[DSO].post(SLOT, chain.anchor)
        for retailer in RETAILERS:
            model.prices[retailer].post(SLOT, [PRICES])
            model.vats[retailer, retailer].post(SLOT, Vat("taxable", 200_000))
        model.operators.post(SLOT, ORACLE)
        self.oracle_keys = {did_key(key.public): key for key in town.oracle_keys}
        model.named.post(SLOT, Named(ORACLE, town.oracle))
        for trader in town.traders:
            certificate = Certificate(trader.did, trader.zone, POWER_W, POWER_W, trader.source)
            model.certificates[trader.meter].post(SLOT, certificate)
            supplier = Supplier(trader.did, trader.retailer, trader.retailer, 0)
            model.supplies[trader.meter].post(SLOT, supplier)
            model.posted({trader.did: DEPOSIT_NANO, trader.retailer: -DEPOSIT_NANO})
            self.true[trader.meter][SLOT] = (0, 0)
        town.engine.events.clear()
        self.let_pass(SLOT - QUICK.opens_s - town.engine.now_s)

    # What everybody uses

    @property
    def now_s(self) -> int:
        """Market time."""
        return self.town.engine.now_s + self.ahead_s

    @property
    def hostile(self) -> Trader:
        """The hostile client."""
        return self.town.traders[HOSTILE_TRADER]

    def number(self) -> int:
        """A number that was not given before."""
        self.numbers += 1
        return self.numbers

    def said(self, act: str, arguments: msgspec.Struct | None = None, code: str = "") -> None:
        """Remember what is done, for those who read a failure."""
        self._told.append((self.now_s, act, arguments, code))

    def last_acts(self) -> str:
        """The last acts; times count from the first slot, and tokens are read."""
        lines: list[str] = []
        for second, act, arguments, code in self._told:
            told = "" if arguments is None else TOKEN.sub(_payload, str(arguments))
            lines.append(f"{second - SLOT:8} {act} {told[:600]} {code}")
        return "\n".join(lines)

    def attempt(
        self,
        name: str,
        arguments: msgspec.Struct,
        member: str = DSO,
        *,
        admin: bool = False,
        transient: Mapping[str, bytes] | None = None,
    ) -> str:
        """Submit a transaction; the code of its refusal, which must change nothing, or ``."""
        view = self.town.view
        changes = view.kept.changes + self._private.changes
        code = ""
        try:
            self.answer = self.town.submit(
                name, arguments, member, admin=admin, transient=transient
            )
        except Refused as refused:
            code = refused.code
        self.changed = view.kept.changes + self._private.changes != changes
        assert not (code and self.changed), f"{name} was refused and has changed something"
        self.said(f"{member}{' (administrator)' * admin} {name}", arguments, code or "done")
        self.done[name] += not code
        self.codes[code] += 1
        self._hear()
        return code

    def tokens(self, name: str, tokens: Sequence[str], member: str) -> list[str]:
        """Carry a batch of tokens; the code of each answer."""
        code = self.attempt(name, TokensArguments(list(tokens)), member)
        assert not code
        answers = msgspec.json.decode(self.answer, type=TokensAnswer).answers
        codes = [answer.code for answer in answers]
        self.said("... answers", None, ", ".join(codes))
        self.codes.update(codes)
        return codes

    def step(self, name: str, slot: int, member: str, *, admin: bool = False) -> str:
        """A step of a run of a slot; its code, after noting what it has posted."""
        code = self.attempt(name, SlotArguments(AREA, slot), member, admin=admin)
        if not code:
            assert self.changed, f"{name} was carried out and has changed nothing"
            self.stirred.add(slot)
            self._move_on(name, slot)
            if name in ("settle_slot", "correct_slot"):
                self._take_postings(slot)
        return code

    def _move_on(self, name: str, slot: int) -> None:
        answer = msgspec.json.decode(self.answer, type=SlotAnswer)
        self.running[slot] = name
        if answer.phase != PHASES_OF[name] or answer.step:
            return
        del self.running[slot]
        if name == "clear_slot":
            assert self.uncleared.pop(0) == slot, "slots are not cleared in their order"
            self.seen.update(check_book(self.town, self.model, slot))
        elif name == "settle_slot":
            self.unsettled.remove(slot)
            self.settled.append(slot)

    def name_nodes(self, slot: int, operator: str, nodes: Sequence[str]) -> None:
        """Note the nodes of an operator, of which one may be faulty."""
        self.model.named.post(slot, Named(operator, OracleSet(list(nodes), 1)))

    def close(self, slot: int, member: str) -> str:
        """Close a gate, which must be possible when it is due and not before."""
        lawful = slot == self.model.due and self.now_s >= self.model.gate_s(slot)
        code = self.attempt("close_gate", SlotArguments(AREA, slot), member)
        assert (not code) == lawful, f"a gate that may close: {lawful}, and it is {code or 'done'}"
        if lawful:
            self.model.close(slot)
            self.uncleared.append(slot)
            self.unsettled.append(slot)
        return code

    def close_empty(self, until_slot: int, member: str) -> str:
        """Close the gates of slots in which nobody has ordered."""
        arguments = EmptyGatesArguments(AREA, until_slot)
        code = self.attempt("close_empty_gates", arguments, member)
        if not code:
            assert not self.uncleared
            self.unsettled += range(self.model.due, until_slot + SLOT_S, SLOT_S)
            self.model.close_empty(until_slot)
        return code

    def reveal(self, member: str, slot: int, seed: str) -> str:
        """Reveal a link, which must be possible when it is the next and awaited."""
        code = self.attempt("reveal_seed", SeedArguments(AREA, slot, seed), member)
        lawful = self._is_next_link(member, slot, seed)
        assert (not code) == lawful, f"a link that is awaited: {lawful}, it is {code or 'taken'}"
        if lawful:
            self.model.reveal(member, slot, seed)
        return code

    def _is_next_link(self, member: str, slot: int, seed: str) -> bool:
        model = self.model
        if slot not in self.uncleared or slot in self.running or member not in model.awaits(slot):
            return False
        if any(member in model.awaits(one) for one in self.uncleared if one < slot):
            return False
        return sha256(bytes.fromhex(seed)).hexdigest() == model.tip(member, slot)[1]

    def date(
        self, name: str, arguments: msgspec.Struct, slot: int, member: str, *, admin: bool = False
    ) -> bool:
        """Date a term to a slot; whether it has changed. Terms of open slots are frozen."""
        code = self.attempt(name, arguments, member, admin=admin)
        opened = self.model.has_opened(slot)
        assert not (opened and self.changed), f"{name} changes a slot that has opened"
        assert opened or code != "TERMS_FROZEN", f"{name} is refused for a slot that is not open"
        return not code and self.changed

    def row(self, slot: int) -> Slot | None:
        """The row of a slot."""
        value = self.town.view.rows.get(SLOTS.key(AREA, slot_part(slot)))
        return None if value is None else SLOTS.decode(value)

    def phase(self, slot: int) -> str:
        """The phase of a slot; one that closed empty has no row before it settles."""
        row = self.row(slot)
        if row is not None:
            return row.phase
        return "CLEARED" if slot in self.model.empty else "OPEN"

    def sign(self, trader: Trader | SigningKey, typ: str, document: msgspec.Struct) -> str:
        """A token."""
        key = trader if isinstance(trader, SigningKey) else trader.key
        return sign_compact(key, typ, encode(document))

    @property
    def place(self) -> dict[str, str]:
        """What every signed document names."""
        return {"area": AREA, "channel": CHANNEL, "contract": self.town.engine.contract.name}

    # Time and registers

    def let_pass(self, seconds: int) -> None:
        """Let time pass; meters run on."""
        self.town.engine.now_s += seconds
        self.model.pass_time(self.now_s)
        while self._drawn_until + SLOT_S <= self.now_s:
            self._run_on(self._drawn_until)
            self._drawn_until += SLOT_S

    def _run_on(self, slot: int) -> None:
        """Draw what each meter takes and gives in a slot; now and then a device is exchanged."""
        draw = self.random
        for meter in self.model.certificates:
            shown = self.true[meter].get(slot, (0, 0))
            certificate = self.model.certificate(meter, slot)
            powers = (0, 0) if certificate is None else certificate[2:4]
            moved = (
                min(draw.choice((0, 40, 150, 300)), powers[0] // 4),
                min(draw.choice((0, 0, 50, 200, 300)), powers[1] // 4),
            )
            if draw.random() < 0.01 and self.model.supply(meter, slot) is not None:
                shown = self._exchange(meter, slot, shown, moved)
            self.true[meter][slot + SLOT_S] = shown[0] + moved[0], shown[1] + moved[1]

    def _exchange(self, meter: str, slot: int, shown: Shown, moved: Shown) -> Shown:
        """The DSO replaces a device, and records it; what the new device began at."""
        closing = shown[0] + moved[0], shown[1] + moved[1]
        opening = self.random.randrange(400), self.random.randrange(400)
        arguments, transient = self.exchange(meter, slot, closing, opening)
        code = self.attempt("exchange_meter", arguments, transient=transient)
        if code in ("READING_BACKWARDS", "READING_IMPLAUSIBLE"):
            last = max(one for one in self.model.measured[meter] if one <= slot)
            untrue = self.model.measured[meter][last] != self.true[meter].get(last)
            assert untrue, f"an exchange after true registers is {code}"
            return shown  # the DSO has validated something untrue before it, so the device stays
        assert not code, f"an exchange is {code}"
        self.model.exchanged[meter][slot] = Exchanged(closing, opening)
        return opening

    def exchange(
        self, meter: str, slot: int, closing: Shown, opening: Shown
    ) -> tuple[ExchangeArguments, dict[str, bytes]]:
        """The record of an exchange."""
        registers = ExchangeRegisters(
            closing_export_wh=closing[1],
            closing_generation_wh=None,
            closing_import_wh=closing[0],
            opening_export_wh=opening[1],
            opening_generation_wh=None,
            opening_import_wh=opening[0],
            salt="0" * 64,
        )
        return ExchangeArguments(meter, slot), {TRANSIENT_EXCHANGE: encode(registers)}

    def leaf(self, meter: str, boundary: int, shown: Shown) -> Leaf:
        """The leaf of a meter that shows this."""
        return Leaf(
            boundary=boundary,
            export_wh=shown[1],
            import_wh=shown[0],
            meter=meter,
            resolution_wh=1,
            salt="0" * 64,
        )

    def report(self, boundary: int, leaves: Sequence[Leaf], *, rank: str, signers: int = 3) -> str:
        """Report registers as the oracle, or validate them as the DSO; the code."""
        if rank == "dso":
            validated, transient = self.town.validated(boundary, leaves)
            code = self.attempt("record_validated_readings", validated, transient=transient)
        else:
            nodes = self.model.oracle(boundary)
            self.town.oracle = OracleSet([], 0) if nodes is None else nodes
            self.town.oracle_keys = [
                self.oracle_keys[did]
                for did in self.town.oracle.nodes
                if did in self.oracle_keys
                and self.model.revoked.get(did, self.now_s + 1) > self.now_s
            ]
            reported, transient = self.town.report(boundary, leaves, signers=signers)
            code = self.attempt("record_readings", reported, ORACLE, transient=transient)
        if not code:
            for leaf in leaves:
                shown = leaf.import_wh, leaf.export_wh
                self.model.measure(leaf.meter, boundary, shown, rank)
        return code

    # What is heard

    def _hear(self) -> None:
        """Take the events; readings and exchanges say which slots are due a correction."""
        for event in self.town.engine.events:
            if event.name == "readings_recorded":
                self._stir(msgspec.json.decode(event.data, type=ReadingsRecorded))
            elif event.name == "meter_exchanged":
                self._stir(msgspec.json.decode(event.data, type=MeterExchanged))
            elif event.name == "accounts_folded":
                folded = msgspec.json.decode(event.data, type=AccountsFolded)
                key = FOLD_PAGES.key(AREA, fold_page_part(folded.page))
                lines = FOLD_PAGES.decode(self.town.view.rows[key]).postings
                self.seen.update(f"folding: {line.kind}" for line in lines)
        self.town.engine.events.clear()

    def _stir(self, change: ReadingsRecorded | MeterExchanged) -> None:
        until = self._drawn_until + SLOT_S if change.end_s is None else change.end_s
        slots = range(max(SLOT, change.first_slot), until, SLOT_S)
        self.due_corrections.update(slots)
        self.stirred.update(slots)

    def _take_postings(self, slot: int) -> None:
        """Note what a slot has posted since it was looked at last."""
        row = self.row(slot)
        assert row is not None
        for number in range(self._posting_pages[slot], row.posting_pages):
            key = POSTINGS.key(AREA, slot_part(slot), page_part(number))
            amounts: Counter[str] = Counter()
            for posting in POSTINGS.decode(self.town.view.rows[key]).postings:
                amounts[posting.account] += posting.amount_nano
                self.seen[f"{'corrected' if posting.cause else 'settled'}: {posting.kind}"] += 1
            self.model.posted(amounts)
        self._posting_pages[slot] = row.posting_pages
