"""Rule 6.5 by a second hand: whatever comes in whatever order, energy between registers is conserved.

Registers of some meters, boundaries that are never measured, validated registers and an exchange
come in a random order, with settlements and due corrections among them. What each slot ends in is
held against a slow reference, which knows only the registers that are measured in the end.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from itertools import pairwise
from random import Random
from typing import NamedTuple

import msgspec
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaincode.accounts.statements import SumArguments, Totals
from chaincode.area.profile import QUARTERS, Profile
from chaincode.context import Event
from chaincode.errors import Refused
from chaincode.metering.exchanges import (
    TRANSIENT_EXCHANGE,
    ExchangeArguments,
    ExchangeRegisters,
    MeterExchanged,
)
from chaincode.metering.readings import Leaf
from chaincode.metering.reports import ReadingsRecorded
from chaincode.queries.meters import MeteredAnswer
from chaincode.slots.gate import PageArguments
from identity.canonical import encode
from tests.chaincode.metering.test_registers import spread_slowly
from tests.chaincode.town import AREA, ORACLE, RULES, SLOT, SLOT_S, Town

SLOTS = 6
METERS = ("m000", "m001", "m002")
LATE_S = SLOT + SLOTS * SLOT_S + 3_600
Shown = tuple[int, int]
Wh = tuple[int, int, bool]


class Device(NamedTuple):
    """A device of a meter: in use up to `last`, the number of the slot of its exchange."""

    last: int
    closing: Shown
    opening_of_next: Shown


class Line(NamedTuple):
    """The facts of a meter: what it shows at each boundary, what comes of it, its exchange."""

    shown: list[Shown]
    oracle: dict[int, Shown]
    validated: dict[int, Shown]
    exchange: Device | None

    def measured(self) -> dict[int, Shown]:
        """What counts in the end: the validated register, else that of the oracle."""
        return {**self.oracle, **self.validated}


@st.composite
def lines(draw: st.DrawFn) -> Line:
    """A meter's registers run on; some boundaries are not measured, some are corrected."""
    energies = draw(
        st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), min_size=SLOTS, max_size=SLOTS)
    )
    exchanged = draw(st.none() | st.integers(0, SLOTS - 1))
    shown, exchange = [draw(st.tuples(st.integers(0, 200), st.integers(0, 200)))], None
    for number, (import_wh, export_wh) in enumerate(energies):
        import_was, export_was = shown[-1]
        if number == exchanged:
            closing = import_was + import_wh // 3, export_was + export_wh // 2
            opening = draw(st.tuples(st.integers(0, 300), st.integers(0, 300)))
            exchange = Device(number, closing, opening)
            import_was, export_was = opening
        shown.append((import_was + import_wh, export_was + export_wh))
    measured = draw(st.sets(st.integers(0, SLOTS)))
    oracle = {number: shown[number] for number in sorted(measured)}
    validated: dict[int, Shown] = {}
    for number in sorted(draw(st.sets(st.integers(1, SLOTS - 1), max_size=2))):
        validated[number] = shown[number]
        if number in oracle and exchanged not in (number, number - 1):
            more = draw(st.integers(0, energies[number][0]))
            oracle[number] = shown[number][0] + more, shown[number][1]
    return Line(shown, oracle, validated, exchange)


weights = st.none() | st.lists(st.integers(0, 3), min_size=SLOTS, max_size=SLOTS)


def stretches(line: Line, before: int, after: int) -> list[tuple[range, Shown]]:
    """The slots that each device ran in between two boundaries, and what it counted."""
    measured, device = line.measured(), line.exchange
    if device is None or not before <= device.last < after:
        return [(range(before, after), _minus(measured[after], measured[before]))]
    return [
        (range(before, device.last + 1), _minus(device.closing, measured[before])),
        (range(device.last, after), _minus(measured[after], device.opening_of_next)),
    ]


def reference(line: Line, imports: list[int] | None, exports: list[int] | None) -> list[Wh]:
    """The energy of each slot by the rules, and whether it is an estimate (of 0 Wh)."""
    found: list[Wh] = [(0, 0, True)] * SLOTS
    for before, after in pairwise(sorted(line.measured())):
        total: dict[int, Shown] = dict.fromkeys(range(before, after), (0, 0))
        for slots, (import_wh, export_wh) in stretches(line, before, after):
            parts = zip(
                slots,
                spread_slowly(import_wh, [(imports or [1] * SLOTS)[number] for number in slots]),
                spread_slowly(export_wh, [(exports or [1] * SLOTS)[number] for number in slots]),
                strict=True,
            )
            for number, one_import_wh, one_export_wh in parts:
                import_was, export_was = total[number]
                total[number] = import_was + one_import_wh, export_was + one_export_wh
        for number, (import_wh, export_wh) in total.items():
            found[number] = import_wh, export_wh, False
    return found


class Play:
    """One order in which facts arrive, settlements and corrections among them."""

    def __init__(self, facts: Sequence[Line], profile: Profile | None, chance: Random) -> None:
        rules = msgspec.structs.replace(RULES, profile=profile)
        self.town = Town(len(facts), slots=SLOTS, rules=rules)
        self._chance = chance
        self._facts = facts
        self._due: set[int] = set()
        self._settled: set[int] = set()
        for number in range(SLOTS):
            self.town.close_gate(_second(number))
            self.town.clear(_second(number))
        self.town.at(LATE_S)

    def run(self) -> None:
        """Let everything arrive; then correct what is due."""
        acts: list[tuple[str, int, int]] = [("settle", number, 0) for number in range(SLOTS)]
        for meter, line in enumerate(self._facts):
            acts += [("report", meter, number) for number in line.oracle]
            acts += [("validate", meter, number) for number in line.validated]
            acts += [("exchange", meter, 0)] if line.exchange is not None else []
        self._chance.shuffle(acts)
        while acts:
            waiting = [act for act in acts if not self._act(*act)]
            assert len(waiting) < len(acts), "only an exchange that is not recorded holds others up"
            acts = waiting
        self._correct(len(self._due))

    def energies(self, meter: int) -> list[Wh]:
        """What each slot has settled; an estimate gives neither certificates nor money."""
        found: list[Wh] = []
        for number in range(SLOTS):
            data = self.town.submit("list_metered", PageArguments(AREA, _second(number)))
            rows = msgspec.json.decode(data, type=MeteredAnswer).meters
            row = next(row for row in rows if row.meter == METERS[meter])
            found.append((row.residual_wh, row.surplus_wh, row.estimated))
            assert row.minted_wh == (row.surplus_wh if row.source else 0)
        return found

    def minted_wh(self) -> int:
        """All certificates of the area."""
        data = self.town.submit("sum_accounts", SumArguments(AREA))
        return msgspec.json.decode(data, type=Totals).minted_wh

    def _act(self, kind: str, one: int, number: int) -> bool:
        """Do something; False where a register has to wait for the exchange of its meter."""
        if kind == "settle":
            self.town.settle(_second(one))
            self._settled.add(one)
        else:
            events = len(self.town.engine.events)
            try:
                getattr(self, f"_{kind}")(one, number)
            except Refused as refused:
                assert refused.code in ("READING_BACKWARDS", "READING_IMPLAUSIBLE")  # noqa: PT017 it may pass
                assert self._facts[one].exchange is not None
                return False
            for event in self.town.engine.events[events:]:
                self._note(event)
        if self._chance.random() < 0.3:
            self._correct(self._chance.randrange(SLOTS))
        return True

    def _report(self, meter: int, number: int) -> None:
        leaf = _leaf(meter, number, self._facts[meter].oracle[number])
        arguments, transient = self.town.report(leaf.boundary, [leaf])
        self.town.submit("record_readings", arguments, ORACLE, transient=transient)

    def _validate(self, meter: int, number: int) -> None:
        leaf = _leaf(meter, number, self._facts[meter].validated[number])
        arguments, transient = self.town.validated(leaf.boundary, [leaf])
        self.town.submit("record_validated_readings", arguments, transient=transient)

    def _exchange(self, meter: int, _: int) -> None:
        device = self._facts[meter].exchange
        assert device is not None
        registers = ExchangeRegisters(
            closing_export_wh=device.closing[1],
            closing_generation_wh=None,
            closing_import_wh=device.closing[0],
            opening_export_wh=device.opening_of_next[1],
            opening_generation_wh=None,
            opening_import_wh=device.opening_of_next[0],
            salt="ab" * 32,
        )
        arguments = ExchangeArguments(METERS[meter], _second(device.last))
        self.town.submit(
            "exchange_meter", arguments, transient={TRANSIENT_EXCHANGE: encode(registers)}
        )

    def _note(self, event: Event) -> None:
        """The settled slots that are due a correction, as an event names them."""
        kinds = {"readings_recorded": ReadingsRecorded, "meter_exchanged": MeterExchanged}
        change = msgspec.json.decode(event.data, type=kinds[event.name])
        for number in self._settled:
            second = _second(number)
            if change.first_slot <= second and (change.end_s is None or second < change.end_s):
                self._due.add(number)

    def _correct(self, count: int) -> None:
        for number in self._chance.sample(sorted(self._due), min(count, len(self._due))):
            self.town.correct(_second(number))
            self._due.discard(number)


@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    facts=st.lists(lines(), min_size=1, max_size=len(METERS)),
    imports=weights,
    exports=weights,
    seeds=st.lists(st.integers(0, 2**32), min_size=2, max_size=2),
)
def test_rule_6_5_energy_between_registers_is_conserved_in_whatever_order_they_come(
    facts: list[Line], imports: list[int] | None, exports: list[int] | None, seeds: list[int]
) -> None:
    minted: set[int] = set()
    for seed in seeds:
        play = Play(facts, Profile(_day(imports), _day(exports)), Random(seed))  # noqa: S311 of a test
        play.run()

        for meter, line in enumerate(facts):
            found = play.energies(meter)
            assert found == reference(line, imports, exports)
            for before, after in pairwise(sorted(line.measured())):
                passed = [stretch for _, stretch in stretches(line, before, after)]
                for direction in (0, 1):
                    assert sum(wh[direction] for wh in found[before:after]) == sum(
                        counted[direction] for counted in passed
                    )
        minted.add(play.minted_wh())

    assert len(minted) == 1


def test_reference_spreads_a_worked_gap() -> None:
    """Four slots with an exchange in the second: 30 Wh before it, 50 Wh behind."""
    line = Line([], {0: (100, 0), 4: (60, 8)}, {}, Device(1, (130, 0), (10, 0)))

    assert reference(line, None, None)[:5] == [
        (15, 0, False),
        (15 + 17, 3, False),
        (17, 3, False),
        (16, 2, False),
        (0, 0, True),
    ]


def _second(number: int) -> int:
    return SLOT + number * SLOT_S


def _day(some: list[int] | None) -> list[int] | None:
    """The weights of a day that begins with these; the first slot begins at midnight."""
    return None if some is None else [*some, *[0] * (QUARTERS - len(some))]


def _leaf(meter: int, number: int, shown: Shown) -> Leaf:
    return Leaf(
        boundary=_second(number),
        export_wh=shown[1],
        import_wh=shown[0],
        meter=METERS[meter],
        resolution_wh=1,
        salt=sha256(f"{meter} {number}".encode()).hexdigest(),
    )


def _minus(later: Shown, earlier: Shown) -> Shown:
    return later[0] - earlier[0], later[1] - earlier[1]
