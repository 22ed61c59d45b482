"""Who supplies a meter in which slot, against a reference that forgets nothing and looks at it all.

The reference keeps every act in the order of its slot and reads it from the start for each question.
The contract keeps four versions in a meter's row, the others in rows of their own, and prunes.
"""

from __future__ import annotations

from collections.abc import Callable
from random import Random

import msgspec
from msgspec.structs import astuple

from chaincode.area.history import HISTORIES
from chaincode.errors import Refused
from chaincode.metering.certification import MeterArguments, RetirementArguments
from chaincode.metering.last_resort import (
    AgreementArguments,
    AssignmentArguments,
    LastResortArguments,
)
from chaincode.metering.meters import (
    METERS,
    OLDER_CERTIFICATES,
    OLDER_SUPPLIES,
    VERSIONS_INLINE,
)
from chaincode.metering.supply import OfftakeArguments
from chaincode.queries.meters import (
    BoundaryMetersAnswer,
    BoundaryMetersArguments,
    MeterSlot,
    MeterView,
)
from identity.canonical import encode
from tests.chaincode.town import AREA, DSO, RETAILERS, SLOT, SLOT_S, ZONES, Town, Trader

SLOTS = 40  # slots that acts are dated to
ACTS, SEEDS = 1_500, 3
METER = "shared"

Holder = str | None
Supplied = tuple[str, str, str, int] | None  # holder, retailer, offtaker, daily import in Wh


class Reference:
    """What each accepted act says, by the slot that it is dated to."""

    def __init__(self) -> None:
        self.certificates: dict[int, tuple[str, int] | None] = {}
        self.supplies: dict[int, Supplied] = {}
        self.offers: dict[str, int] = {}
        self.named: dict[int, tuple[str, int]] = {}

    def certificate(self, slot: int) -> tuple[str, int] | None:
        """Holder and import power in a slot."""
        found = None
        for from_slot in sorted(self.certificates):
            if from_slot <= slot:
                found = self.certificates[from_slot]
        return found

    def supply(self, slot: int) -> Supplied:
        """Who supplies the meter in a slot."""
        found: Supplied = None
        for from_slot in sorted(self.supplies):
            if from_slot <= slot:
                found = self.supplies[from_slot]
        certificate = self.certificate(slot)
        if found is None or certificate is None or certificate[0] != found[0]:
            return None
        return found

    def last_resort(self, slot: int) -> str | None:
        """Which retailer takes meters from a slot on."""
        found = None
        for from_slot in sorted(self.named):
            if from_slot <= slot:
                found = self.named[from_slot]
        return found[0] if found is not None and slot < found[1] else None


class Acts:
    """Random acts on a town's meter, each foretold by the reference."""

    def __init__(self, seed: int) -> None:
        self.town = Town(3, slots=1)
        self.reference = Reference()
        self.random = Random(seed)  # noqa: S311 acts of a test, no secret
        self.done: set[str] = set()

    def act(self) -> None:
        """One act that may be taken or refused."""
        draw = self.random
        slot = SLOT + draw.randrange(SLOTS) * SLOT_S
        acts: tuple[Callable[[int], None], ...] = (
            self.certify,
            self.certify,
            self.supply,
            self.supply,
            self.supply,
            self.retire,
            self.offer,
            self.name,
            self.agree,
            self.assign,
        )
        draw.choice(acts)(slot)

    def certify(self, slot: int) -> None:
        """Another holder now and then, another power always."""
        holder, import_w = self.trader(), self.random.randrange(1, 9_000)
        hold = self.town.hold_token(holder, METER)
        arguments = MeterArguments(METER, holder.did, ZONES[0], 7, import_w, 0, slot, hold=hold)
        self.submit("register_certified_meter", arguments, DSO, "")
        before = self.reference.certificate(slot)
        if self.reference.supplies and (before is None or before[0] != holder.did):
            self.reference.supplies[slot] = None
        self.reference.certificates[slot] = (holder.did, import_w)

    def retire(self, slot: int) -> None:
        """Retire the meter from a slot on, if it is certified there."""
        known = self.reference.certificate(slot) is not None
        code = "" if known else "METER_UNKNOWN"
        if self.submit("retire_meter", RetirementArguments(METER, slot), DSO, code):
            if self.reference.supplies:
                self.reference.supplies[slot] = None
            self.reference.certificates[slot] = None

    def supply(self, slot: int) -> None:
        """A retailer accepts what some trader has signed."""
        draw, model = self.random, self.reference
        signer, retailer = self.trader(), draw.choice(RETAILERS)
        offtaker = draw.choice((None, None, RETAILERS[0]))
        daily_wh = draw.choice((0, 0, 9_600))
        token = self.town.supply_token(
            signer,
            METER,
            from_slot=slot,
            retailer=retailer,
            offtaker=offtaker,
            daily_import_wh=daily_wh,
        )
        certificate = model.certificate(slot)
        wanted = (signer.did, retailer, offtaker or retailer, daily_wh)
        starting = model.supplies.get(slot)
        code = ""
        if certificate is None:
            code = "METER_UNKNOWN"
        elif certificate[0] != signer.did:
            code = "METER_NOT_HELD"
        elif starting != wanted and wanted[2] != retailer and model.offers.get(wanted[2]) != slot:
            code = "OFFTAKE_MISSING"
        elif starting is not None and starting != wanted and starting[0] == signer.did:
            code = "SUPPLY_TAKEN"
        if self.submit("accept_supply", token, retailer, code) and starting != wanted:
            model.supplies[slot] = wanted
            if wanted[2] != retailer:
                del model.offers[wanted[2]]

    def offer(self, slot: int) -> None:
        """A retailer agrees to take the surplus from a slot on."""
        known = bool(self.reference.certificates)
        arguments = OfftakeArguments(METER, slot)
        code = "" if known else "METER_UNKNOWN"
        if self.submit("agree_to_offtake", arguments, RETAILERS[0], code):
            self.reference.offers[RETAILERS[0]] = slot

    def name(self, slot: int) -> None:
        """The DSO names a supplier of last resort."""
        retailer = self.random.choice(RETAILERS)
        arguments = LastResortArguments(AREA, retailer, slot)
        self.submit("name_supplier_of_last_resort", arguments, DSO, "")
        self.reference.named[slot] = (retailer, 0)

    def agree(self, slot: int) -> None:
        """The retailer that was named from a slot on agrees until another."""
        named = self.reference.named.get(slot)
        retailer = RETAILERS[0] if named is None else named[0]
        until = SLOT + self.random.randrange(SLOTS) * SLOT_S
        arguments = AgreementArguments(AREA, slot, until)
        code = "LAST_RESORT_MISSING" if named is None else ""
        if self.submit("agree_to_last_resort", arguments, retailer, code):
            self.reference.named[slot] = (retailer, until)

    def assign(self, slot: int) -> None:
        """The DSO assigns the supplier of last resort."""
        model = self.reference
        certificate, retailer = model.certificate(slot), model.last_resort(slot)
        starting = model.supplies.get(slot)
        code = ""
        wanted = None
        if certificate is None:
            code = "METER_UNKNOWN"
        elif retailer is None:
            code = "LAST_RESORT_MISSING"
        elif (agreed := model.supply(slot)) is None:
            code = "HOLDER_NOT_AGREED"
        else:
            wanted = (certificate[0], retailer, retailer, agreed[3])
            if starting is not None and starting != wanted and starting[0] == wanted[0]:
                code = "SUPPLY_TAKEN"
        arguments = AssignmentArguments(METER, slot)
        if self.submit("assign_supplier_of_last_resort", arguments, DSO, code):
            model.supplies[slot] = wanted

    def submit(self, name: str, arguments: msgspec.Struct, member: str, code: str) -> bool:
        """Whether an act was taken; it must be refused with `code`, if that is not empty."""
        try:
            self.town.submit(name, arguments, member, admin=True)
            said = ""
        except Refused as refused:
            said = refused.code
        assert said == code, (name, arguments)
        self.done.add(said or name)
        return not said

    def trader(self) -> Trader:
        """Somebody, mostly the first."""
        return self.random.choice((self.town.traders[0],) * 3 + tuple(self.town.traders))

    def compare(self) -> None:
        """Every slot, and what is before and behind."""
        for number in range(-1, SLOTS + 1):
            slot = SLOT + number * SLOT_S
            certificate, supplied = self.reference.certificate(slot), self.reference.supply(slot)
            answer = self.town.submit("describe_meter", MeterSlot(METER, slot))
            view = msgspec.json.decode(answer, type=MeterView)
            supply = view.supply
            assert (view.version and (view.version.holder, view.version.import_w)) == certificate
            assert (supply and astuple(supply)) == supplied
            asked = BoundaryMetersArguments(AREA, slot)
            page = msgspec.json.decode(
                self.town.submit("list_boundary_meters", asked), type=BoundaryMetersAnswer
            )
            read = supplied is not None or self.reference.supply(slot - SLOT_S) is not None
            assert (METER in {meter.meter for meter in page.meters}) == read


def test_the_supplier_of_each_slot_is_the_one_of_the_reference() -> None:
    done: set[str] = set()
    for seed in range(SEEDS):
        acts = Acts(seed)
        acts.certify(SLOT)
        for number in range(ACTS):
            acts.act()
            if number % 50 == 0:
                acts.compare()
        acts.compare()
        row = METERS.decode(acts.town.view.rows[METERS.key(METER)])
        assert len(row.versions) == len(row.supplies) == VERSIONS_INLINE
        done |= acts.done

    assert done >= {
        *("register_certified_meter", "retire_meter", "accept_supply", "agree_to_offtake"),
        *("name_supplier_of_last_resort", "agree_to_last_resort"),
        *("assign_supplier_of_last_resort", "METER_UNKNOWN", "METER_NOT_HELD", "SUPPLY_TAKEN"),
        *("OFFTAKE_MISSING", "LAST_RESORT_MISSING", "HOLDER_NOT_AGREED"),
    }


def test_versions_that_no_slot_needs_any_more_are_removed() -> None:
    """What held when the last slot that may still change began stays, and all that came later."""
    town = Town(1, slots=1)
    trader = town.traders[0]

    def change(number: int) -> None:
        slot = SLOT + number * SLOT_S
        arguments = MeterArguments("m000", trader.did, ZONES[0], 7, 1_000 + number, 0, slot)
        town.submit("register_certified_meter", arguments)
        town.supply(trader, "m000", from_slot=slot, retailer=RETAILERS[number % 2])

    def older(table: str) -> int:
        return sum(1 for _ in town.view.range(f"{table}/m000/", f"{table}/m0000"))

    for number in range(1, 21):
        change(number)
    assert older("53") == older("54") == 21 - VERSIONS_INLINE
    key = HISTORIES.key(AREA)
    history = HISTORIES.decode(town.view.rows[key])
    needed = SLOT + 10 * SLOT_S  # slots before the tenth are final
    town.view.rows[key] = encode(msgspec.structs.replace(history, needed_slot=needed))

    for number in range(21, 24):
        change(number)

    assert older("53") == older("54") == 24 - VERSIONS_INLINE - 10
    for number in (10, 11, 20, 23):
        asked = MeterSlot("m000", SLOT + number * SLOT_S)
        view = msgspec.json.decode(town.submit("describe_meter", asked), type=MeterView)
        assert view.version is not None
        assert view.version.import_w == 1_000 + number
    assert (OLDER_CERTIFICATES.number, OLDER_SUPPLIES.number) == (53, 54)
