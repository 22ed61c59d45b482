"""Oracle reports: the Merkle root against its definition, signatures, plausibility, limits."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from chaincode.area.zones import AreaArguments
from chaincode.context import BYTES_MAX, READS_MAX, WRITES_MAX, PrivateKey
from chaincode.metering.oracles import OracleArguments, configuration_digest
from chaincode.metering.readings import COLLECTION, Leaf, Reading, reading_key
from chaincode.metering.reports import (
    LEAVES_MAX,
    REPORT_TYP,
    TRANSIENT_LEAVES,
    ReadingsRecorded,
    Recorded,
    Report,
    ReportArguments,
    leaf_bytes,
    merkle_root,
)
from chaincode.queries.meters import ReadingsAnswer, ReadingsArguments
from chaincode.slots.gate import SlotArguments
from chaincode.units import SECONDS_PER_DAY
from identity.canonical import encode
from identity.jws import sign_compact
from identity.keys import PrivateKey as Key
from tests.chaincode.crowd import Household, meter_number, put_register, settle_in
from tests.chaincode.dict_engine import CHANNEL
from tests.chaincode.town import (
    AREA,
    DSO,
    ORACLE,
    OTHER_DSO,
    SLOT,
    SLOT_S,
    Town,
    did_of,
    key_of,
)

SALT = "5a" * 32
END = SLOT + SLOT_S
CAPACITY_WH = 1_000  # 4,000 W over a quarter of an hour


def by_definition(leaves: Sequence[bytes]) -> bytes:
    """The Merkle Tree Hash as RFC 9162 section 2.1.1 defines it, by recursion."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2  # the largest power of two smaller than the number of leaves
    halves = by_definition(leaves[:split]) + by_definition(leaves[split:])
    return sha256(b"\x01" + halves).digest()


@pytest.mark.parametrize("count", range(41))
def test_root_is_the_one_of_the_rfc(count: int) -> None:
    leaves = [f"leaf {number}".encode() * (number % 3) for number in range(count)]

    assert merkle_root(leaves) == by_definition(leaves).hex()


@given(leaves=st.lists(st.binary(max_size=40), max_size=80))
def test_root_of_any_leaves_is_the_one_of_the_rfc(leaves: list[bytes]) -> None:
    assert merkle_root(leaves) == by_definition(leaves).hex()


@given(leaves=st.lists(st.binary(max_size=8), min_size=1, max_size=12), data=st.data())
def test_root_says_every_leaf_and_its_place(leaves: list[bytes], data: st.DataObject) -> None:
    place = data.draw(st.integers(0, len(leaves) - 1))
    other = data.draw(st.binary(max_size=8).filter(lambda leaf: leaf != leaves[place]))
    altered = [*leaves[:place], other, *leaves[place + 1 :]]

    assert merkle_root(altered) != merkle_root(leaves)
    assert merkle_root([*leaves, b""]) != merkle_root(leaves)


@pytest.fixture
def unopened() -> Town:
    """Three households before the first slot opens, so that its terms may change."""
    return Town(3, slots=2)


@pytest.fixture
def town(unopened: Town) -> Town:
    """The same households, read at the start of the first slot, which is over."""
    begin(unopened)
    return unopened


def begin(town: Town) -> None:
    """Let the first slot pass, and read three meters at its start."""
    town.at(END)
    record(town, [leaf(f"m{number:03d}", SLOT) for number in range(3)])


def leaf(meter: str = "m000", boundary: int = END, **fields: int | str) -> Leaf:
    """A leaf of a meter that shows 1,000 and 50 Wh, with whatever is to be otherwise."""
    plain = Leaf(
        boundary=boundary,
        export_wh=50,
        import_wh=1_000,
        meter=meter,
        resolution_wh=1,
        salt=SALT,
    )
    return msgspec.structs.replace(plain, **fields)


def refusal(town: Town, leaves: Sequence[Leaf], boundary: int = END) -> str:
    """The code with which a well signed report is refused."""
    arguments, transient = town.report(boundary, leaves)
    return town.refused("record_readings", arguments, ORACLE, transient=transient)


def record(town: Town, leaves: Sequence[Leaf]) -> int:
    """How many readings a well signed report brings."""
    arguments, transient = town.report(leaves[0].boundary, leaves)
    answer = town.submit("record_readings", arguments, ORACLE, transient=transient)
    return msgspec.json.decode(answer, type=Recorded).recorded


def validate(town: Town, leaves: Sequence[Leaf]) -> int:
    """How many readings the DSO's validated registers bring."""
    arguments, transient = town.validated(leaves[0].boundary, leaves)
    answer = town.submit("record_validated_readings", arguments, transient=transient)
    return msgspec.json.decode(answer, type=Recorded).recorded


def validation_refusal(town: Town, leaves: Sequence[Leaf]) -> str:
    """The code with which the DSO's validated registers are refused."""
    arguments, transient = town.validated(leaves[0].boundary, leaves)
    return town.refused("record_validated_readings", arguments, transient=transient)


def stored(town: Town, meter: str = "m000", boundary: int = END) -> Reading:
    """The stored reading of a meter."""
    data = town.submit("list_readings", ReadingsArguments(AREA, boundary))
    readings = msgspec.json.decode(data, type=ReadingsAnswer).readings
    return next(reading for reading in readings if reading.leaf.meter == meter)


class TestPlausible:
    """Rule 6.3: a register fits the measured ones before and after it."""

    def test_readings_are_stored_privately_and_nothing_else_is(self, town: Town) -> None:
        before = town.engine.state()

        assert record(town, [leaf("m000"), leaf("m002")]) == 2

        assert town.engine.state() == before
        value = town.view.private[PrivateKey(COLLECTION, reading_key(END, "m002"))]
        assert msgspec.json.decode(value, type=Reading).leaf == leaf("m002")

    @pytest.mark.parametrize(
        ("code", "bad"),
        [
            ("READING_BACKWARDS", leaf(import_wh=999)),
            ("READING_BACKWARDS", leaf(export_wh=49)),
            ("READING_IMPLAUSIBLE", leaf(import_wh=1_000 + 1_053)),
            ("READING_IMPLAUSIBLE", leaf(export_wh=50 + 1_053)),
            ("READING_IMPLAUSIBLE", leaf(import_wh=1_000 + 1_062, resolution_wh=10)),
            ("METER_UNKNOWN", leaf("m003")),
        ],
    )
    def test_one_implausible_leaf_refuses_the_report(
        self, town: Town, code: str, bad: Leaf
    ) -> None:
        others = [other for other in (leaf("m001"), leaf("m002")) if other.meter != bad.meter]

        assert refusal(town, [*others, bad]) == code

    @pytest.mark.parametrize(
        "good",
        [
            leaf(import_wh=1_000),
            leaf(import_wh=1_000 + CAPACITY_WH),
            leaf(import_wh=1_000 + 1_052),  # 5 % and one step of both readings more
            leaf(export_wh=50 + 1_052),
            leaf(import_wh=1_000 + 1_061, resolution_wh=10),
        ],
    )
    def test_what_the_meter_is_certified_for_passes(self, town: Town, good: Leaf) -> None:
        assert record(town, [good]) == 1

    def test_a_closed_direction_measures_nothing(self) -> None:
        town = Town(1, slots=2, export_w=0)
        town.at(END)
        record(town, [leaf(boundary=SLOT)])

        assert refusal(town, [leaf(export_wh=53)]) == "READING_IMPLAUSIBLE"
        assert record(town, [leaf(export_wh=52)]) == 1  # one step of each reading

    def test_rule_6_3_a_silent_time_allows_the_power_of_all_its_slots(self, town: Town) -> None:
        """5,250 Wh and the steps over five slots."""
        later = SLOT + 5 * SLOT_S
        town.at(later)

        assert (
            refusal(town, [leaf(boundary=later, import_wh=6_253)], later) == "READING_IMPLAUSIBLE"
        )
        assert record(town, [leaf(boundary=later, import_wh=6_252)]) == 1

    def test_power_counts_for_as_long_as_it_was_certified(self, unopened: Town) -> None:
        """Two slots with 4,000 W and two with 400 W: 2,200 Wh, 5 % and the steps."""
        town = unopened
        town.import_w = 400
        town.certify(town.traders[0], from_slot=SLOT + 2 * SLOT_S)
        begin(town)
        later = SLOT + 4 * SLOT_S
        town.at(later)

        assert (
            refusal(town, [leaf(boundary=later, import_wh=3_313)], later) == "READING_IMPLAUSIBLE"
        )
        assert record(town, [leaf(boundary=later, import_wh=3_312)]) == 1

    @pytest.mark.parametrize("field", ["import_wh", "export_wh"])
    def test_rule_6_3_a_register_that_comes_late_lies_between_its_neighbours(
        self, town: Town, field: str
    ) -> None:
        later = END + SLOT_S
        town.at(later)
        record(town, [leaf(boundary=later, import_wh=1_100, export_wh=150)])
        low, high = {"import_wh": (1_000, 1_100), "export_wh": (50, 150)}[field]

        for outside in (low - 1, high + 1):
            bad = msgspec.structs.replace(leaf(), **{field: outside})
            assert refusal(town, [bad]) == "READING_BACKWARDS"
        assert record(town, [msgspec.structs.replace(leaf(), **{field: high})]) == 1

    def test_a_register_that_comes_late_is_held_against_the_power_after_it(
        self, town: Town
    ) -> None:
        later = END + SLOT_S
        town.at(later)
        record(town, [leaf(boundary=later, import_wh=2_500)])

        assert refusal(town, [leaf(import_wh=2_500 - 1_053)]) == "READING_IMPLAUSIBLE"
        assert record(town, [leaf(import_wh=2_500 - 1_052)]) == 1

    def test_a_meter_of_another_area_is_refused(self, town: Town) -> None:
        town.submit("register_area", AreaArguments("other", "other-root", 5), admin=True)
        settle_in(town, [Household(import_wh=None)])
        moved = town.view.rows[f"05/{meter_number(0)}"].replace(b'"town"', b'"other"')
        town.view.rows[f"05/{meter_number(0)}"] = moved

        assert refusal(town, [leaf(meter_number(0))]) == "METER_AREA_FIXED"

    def test_a_meter_is_read_where_it_is_certified_before_or_after(self, unopened: Town) -> None:
        town = unopened
        town.certify(town.traders[0], meter="extra", from_slot=END)
        begin(town)

        assert refusal(town, [leaf("extra", SLOT)], SLOT) == "SUPPLY_MISSING"
        assert record(town, [leaf("extra")]) == 1

    def test_a_boundary_that_has_not_come_is_not_reported(self, town: Town) -> None:
        early = END + SLOT_S
        town.at(early - 1)

        assert refusal(town, [leaf(boundary=early)], early) == "REPORT_EARLY"
        assert validation_refusal(town, [leaf(boundary=early)]) == "REPORT_EARLY"

    def test_no_boundary_lies_within_a_slot(self, town: Town) -> None:
        assert refusal(town, [leaf(boundary=SLOT + 1)], SLOT + 1) == "SLOT_INVALID"
        assert validation_refusal(town, [leaf(boundary=SLOT + 1)]) == "SLOT_INVALID"

    def test_a_leaf_of_another_boundary_is_refused(self, town: Town) -> None:
        assert refusal(town, [leaf(boundary=SLOT)]) == "LEAF_BOUNDARY"


class TestOnce:
    """Rule 6.2: once per meter, boundary and rank; a higher rank may take the place."""

    def test_a_report_sent_again_brings_nothing(self, town: Town) -> None:
        assert record(town, [leaf("m000"), leaf("m001")]) == 2
        before = dict(town.view.private)

        assert record(town, [leaf("m000"), leaf("m001")]) == 0
        assert town.view.private == before

    def test_equal_values_bring_nothing_even_with_another_salt(self, town: Town) -> None:
        record(town, [leaf("m000")])
        before = dict(town.view.private)

        assert record(town, [leaf("m000", salt="00" * 32)]) == 0
        assert town.view.private == before
        assert record(town, [leaf("m000", salt="00" * 32), leaf("m001")]) == 1

    def test_a_report_sent_again_after_settlement_brings_nothing(self, town: Town) -> None:
        leaves = [leaf(f"m{number:03d}") for number in range(3)]
        record(town, leaves)
        town.close_gate(SLOT)
        town.clear(SLOT)
        town.settle(SLOT)

        assert record(town, leaves) == 0

    @pytest.mark.parametrize("change", [{"import_wh": 1_001}, {"resolution_wh": 10}])
    def test_rule_6_2_no_other_report_replaces_a_reading(
        self, town: Town, change: dict[str, int]
    ) -> None:
        record(town, [leaf("m000")])

        assert refusal(town, [leaf("m000", **change)]) == "READING_REPEATED"
        assert refusal(town, [leaf("m000", **change), leaf("m001")]) == "READING_REPEATED"

    def test_a_meter_left_out_is_reported_later(self, town: Town) -> None:
        record(town, [leaf("m000"), leaf("m002")])

        assert record(town, [leaf("m001")]) == 1

    def test_rule_6_2_a_validated_register_replaces_that_of_the_oracle_and_keeps_it(
        self, town: Town
    ) -> None:
        record(town, [leaf()])

        assert validate(town, [leaf(import_wh=1_300)]) == 1
        assert validate(town, [leaf(import_wh=1_300, salt="00" * 32)]) == 0
        assert validation_refusal(town, [leaf(import_wh=1_301)]) == "READING_REPEATED"

        reading = stored(town)
        assert (reading.rank, reading.leaf.import_wh) == ("dso", 1_300)
        assert [(one.rank, one.leaf) for one in reading.replaced] == [("oracle", leaf())]

    def test_a_validated_register_is_never_replaced_by_the_oracle(self, town: Town) -> None:
        validate(town, [leaf(import_wh=1_300)])

        assert record(town, [leaf(import_wh=1_200)]) == 0
        assert (stored(town).rank, stored(town).leaf.import_wh) == ("dso", 1_300)

    def test_an_equal_validated_register_raises_the_rank(self, town: Town) -> None:
        record(town, [leaf()])

        assert validate(town, [leaf()]) == 1
        assert (stored(town).rank, stored(town).leaf) == ("dso", leaf())

    def test_a_validated_register_fits_its_neighbours_too(self, town: Town) -> None:
        assert validation_refusal(town, [leaf(import_wh=999)]) == "READING_BACKWARDS"
        assert validation_refusal(town, [leaf(import_wh=2_053)]) == "READING_IMPLAUSIBLE"

    def test_only_the_dso_of_the_area_validates(self, town: Town) -> None:
        arguments, transient = town.validated(END, [leaf()])

        for member, code in ((ORACLE, "ROLE_WRONG"), (OTHER_DSO, "NOT_AREA_DSO")):
            name = "record_validated_readings"
            assert town.refused(name, arguments, member, transient=transient) == code


class TestTime:
    """Rules 6.7 and 6.8: a purged reading is no missing one, and what is final stays."""

    def test_rule_6_7_a_reading_that_was_purged_is_never_taken_for_one_that_never_came(
        self, town: Town
    ) -> None:
        record(town, [leaf()])
        del town.view.private[PrivateKey(COLLECTION, reading_key(END, "m000"))]
        later = END + SLOT_S
        town.at(later)

        assert refusal(town, [leaf()]) == "READING_PURGED"
        assert refusal(town, [leaf(boundary=later)], later) == "READING_PURGED"
        assert validation_refusal(town, [leaf(import_wh=1_001)]) == "READING_PURGED"

    def test_a_slot_is_never_estimated_for_a_reading_that_was_purged(self, town: Town) -> None:
        record(town, [leaf(f"m{number:03d}") for number in range(3)])
        del town.view.private[PrivateKey(COLLECTION, reading_key(END, "m001"))]
        town.close_gate(SLOT)
        town.clear(SLOT)
        town.at(END + town.rules.report_deadline_s)

        assert town.refused("settle_slot", SlotArguments(AREA, SLOT)) == "READING_PURGED"

    def test_rule_6_8_no_reading_comes_once_its_slot_is_final(self, town: Town) -> None:
        town.at(END + town.rules.final_s - 1)
        assert record(town, [leaf("m000")]) == 1
        town.at(END + town.rules.final_s)

        assert refusal(town, [leaf("m001")]) == "SLOT_FINAL"
        assert validation_refusal(town, [leaf("m000", import_wh=1_001)]) == "SLOT_FINAL"
        assert record(town, [leaf("m000")]) == 0  # what is known already changes nothing

    def test_rule_6_8_no_reading_moves_energy_into_or_out_of_a_final_slot(self, town: Town) -> None:
        """900 Wh were spread over three slots; the first is final, so the others keep their part."""
        third, second = SLOT + 3 * SLOT_S, SLOT + 2 * SLOT_S
        town.at(third)
        record(town, [leaf(f"m{number:03d}", third, export_wh=950) for number in range(2)])
        town.at(END + town.rules.final_s - 1)
        assert record(town, [leaf("m000", second, export_wh=60)]) == 1
        town.at(END + town.rules.final_s)

        assert refusal(town, [leaf("m001", second, export_wh=60)], second) == "SLOT_FINAL"
        late = leaf("m001", third, export_wh=940)
        arguments, transient = town.validated(third, [late])
        code = town.refused("record_validated_readings", arguments, transient=transient)
        assert code == "SLOT_FINAL"

    def test_rule_6_5_first_reading_after_a_long_silence_is_taken(self, town: Town) -> None:
        later = END + town.rules.final_s
        town.at(later)

        assert record(town, [leaf("m002", later, export_wh=60)]) == 1

    def test_rule_6_8_no_correction_begins_once_the_slot_is_final(self, town: Town) -> None:
        town.close_gate(SLOT)
        town.clear(SLOT)
        town.at(END + town.rules.final_s - 1)
        town.settle(SLOT)
        record(town, [leaf("m000", import_wh=1_100)])
        town.at(END + town.rules.final_s)

        assert town.refused("correct_slot", SlotArguments(AREA, SLOT)) == "SLOT_FINAL"

    @pytest.mark.parametrize(
        ("measured", "reported", "span"),
        [
            ([0], 1, (0, None)),
            ([0], 5, (0, None)),
            ([0, 4], 2, (0, 4)),
            ([0, 1, 2, 3], 2, (1, 3)),
            ([4], 2, (2, 4)),
            ([], 2, (2, None)),
        ],
    )
    def test_a_report_names_the_slots_whose_energy_it_changes(
        self, measured: list[int], reported: int, span: tuple[int, int | None]
    ) -> None:
        """From the last measured boundary before it up to the next one, else up to now."""
        town = Town(1, slots=2)
        town.at(SLOT + 6 * SLOT_S)
        for place in measured:
            record(town, [leaf(boundary=SLOT + place * SLOT_S)])
        boundary = SLOT + reported * SLOT_S
        name, value = ("validate", validate) if reported in measured else ("record", record)

        assert value(town, [leaf(boundary=boundary)]) == 1, name

        event = msgspec.json.decode(town.engine.events[-1].data, type=ReadingsRecorded)
        first, end = span
        assert (event.boundary, event.slot) == (boundary, boundary - SLOT_S)
        assert event.first_slot == SLOT + first * SLOT_S
        assert event.end_s == (None if end is None else SLOT + end * SLOT_S)


class Forged(NamedTuple):
    """A report with something wrong in it, and the code it gets."""

    code: str
    change: dict[str, str | int]
    keys: Sequence[Key]


KEYS = [key_of(f"oracle {number}") for number in range(4)]
STRANGER = key_of("stranger")


class TestSigned:
    """Who signed what."""

    @pytest.mark.parametrize(
        "forged",
        [
            Forged("SIGNATURES_FEW", {}, KEYS[:2]),
            Forged("SIGNER_REPEATED", {}, [KEYS[0], KEYS[1], KEYS[0]]),
            Forged("SIGNER_UNKNOWN", {}, [KEYS[0], KEYS[1], STRANGER]),
            Forged("SIGNER_UNKNOWN", {}, [*KEYS[:3], STRANGER]),
            Forged("ORACLE_CONFIGURATION", {"configuration": "ab" * 32}, KEYS[:3]),
            Forged("CHANNEL_WRONG", {"channel": "elsewhere"}, KEYS[:3]),
            Forged("CONTRACT_WRONG", {"contract": "other"}, KEYS[:3]),
            Forged("REPORT_ROOT", {"root": "cd" * 32}, KEYS[:3]),
            Forged("LEAVES_COUNT", {"count": 2}, KEYS[:3]),
            Forged("AREA_UNKNOWN", {"area": "nowhere"}, KEYS[:3]),
        ],
        ids=lambda forged: f"{forged.code}-{len(forged.keys)}",
    )
    def test_a_report_with_a_fault_is_refused(self, town: Town, forged: Forged) -> None:
        report = _report(town, [leaf()], forged.change)
        arguments = _signed(report, forged.keys)

        code = town.refused("record_readings", arguments, ORACLE, transient=_leaves([leaf()]))

        assert code == forged.code

    @pytest.mark.parametrize("keys", [KEYS[:3], KEYS[1:], KEYS])
    def test_any_three_of_four_nodes_are_enough(self, town: Town, keys: Sequence[Key]) -> None:
        arguments = _signed(_report(town, [leaf()], {}), keys)

        town.submit("record_readings", arguments, ORACLE, transient=_leaves([leaf()]))

    def test_nodes_that_signed_different_reports_are_refused(self, town: Town) -> None:
        one, other = _report(town, [leaf()], {}), _report(town, [leaf()], {"root": "cd" * 32})
        tokens = [*_signed(one, KEYS[:2]).tokens, *_signed(other, KEYS[2:3]).tokens]

        code = town.refused("record_readings", ReportArguments(tokens), ORACLE)

        assert code == "REPORTS_DIFFER"

    def test_a_signature_of_another_report_is_found(self, town: Town) -> None:
        good = _signed(_report(town, [leaf()], {}), KEYS[:3]).tokens
        other = _signed(_report(town, [leaf()], {"count": 9}), KEYS[:1]).tokens[0]
        mixed = ".".join([*good[0].split(".")[:2], other.split(".")[2]])

        code = town.refused("record_readings", ReportArguments([mixed, *good[1:]]), ORACLE)

        assert code == "SIGNATURE_INVALID"

    def test_an_altered_leaf_is_found(self, town: Town) -> None:
        arguments, _ = town.report(END, [leaf("m000"), leaf("m001")])
        altered = _leaves([leaf("m000"), leaf("m001", import_wh=1_101)])

        assert (
            town.refused("record_readings", arguments, ORACLE, transient=altered) == "REPORT_ROOT"
        )

    def test_leaves_stand_in_the_order_of_their_meters_and_once(self, town: Town) -> None:
        for leaves in ([leaf("m001"), leaf("m000")], [leaf("m000"), leaf("m000")]):
            arguments = _signed(_report(town, leaves, {}), KEYS[:3])

            code = town.refused("record_readings", arguments, ORACLE, transient=_leaves(leaves))

            assert code == "LEAVES_ORDER"

    def test_leaves_travel_as_transient_data(self, town: Town) -> None:
        arguments, transient = town.report(END, [leaf()])

        assert town.refused("record_readings", arguments, ORACLE) == "LEAVES_MISSING"
        for data in (b"[", b"[ ]", transient[TRANSIENT_LEAVES].replace(b"1000", b"1000.0")):
            code = town.refused(
                "record_readings", arguments, ORACLE, transient={TRANSIENT_LEAVES: data}
            )
            assert code == "LEAVES_UNREADABLE"

    def test_a_report_of_nothing_is_refused(self, town: Town) -> None:
        assert refusal(town, []) == "LEAVES_COUNT"

    def test_only_the_oracle_operator_brings_reports(self, town: Town) -> None:
        arguments, transient = town.report(END, [leaf()])

        code = town.refused("record_readings", arguments, DSO, transient=transient)

        assert code == "ROLE_WRONG"

    def test_another_set_of_nodes_holds_from_its_slot_on(self, town: Town) -> None:
        """Until then the old set signs; from then on its word is worth nothing."""
        later, nodes = town.unopened(), [did_of(f"new {number}") for number in range(4)]
        town.submit("set_oracle_nodes", OracleArguments(AREA, later, nodes, 1), ORACLE, admin=True)
        town.at(later + SLOT_S)

        assert record(town, [leaf()]) == 1
        assert refusal(town, [leaf(boundary=later)], later) == "ORACLE_CONFIGURATION"

    @pytest.mark.parametrize(
        ("code", "nodes", "faulty"),
        [
            ("ORACLE_NODES_COUNT", ["a", "b", "c"], 1),
            ("ORACLE_NODES_COUNT", [f"{number}" for number in range(6)], 2),
            ("SIGNER_REPEATED", ["a", "b", "c", "a"], 1),
        ],
    )
    def test_nodes_stand_the_faulty_ones_they_are_named_for(
        self, town: Town, code: str, nodes: list[str], faulty: int
    ) -> None:
        dids = [did_of(name) for name in nodes]
        arguments = OracleArguments(AREA, town.unopened(), dids, faulty)

        assert town.refused("set_oracle_nodes", arguments, ORACLE, admin=True) == code


class TestLarge:
    """A report of as many meters as there may be."""

    def test_a_thousand_meters_fit_into_one_transaction(self) -> None:
        """Each of them read before and after, on other days: no meter takes more reads."""
        town = Town(0, slots=2)
        settle_in(town, [Household(import_wh=None) for _ in range(LEAVES_MAX)])
        names = [meter_number(number) for number in range(LEAVES_MAX)]
        boundaries = [SLOT + day * SECONDS_PER_DAY for day in range(3)]
        town.at(boundaries[-1])
        for boundary in (boundaries[0], boundaries[-1]):
            for name in names:
                put_register(town, name, boundary, 1_000, 50)
        before = dict(town.view.private)
        leaves = [leaf(name, boundaries[1]) for name in names]
        arguments, transient = town.report(boundaries[1], leaves, signers=4)

        assert record(town, leaves) == LEAVES_MAX

        written = [value for key, value in town.view.private.items() if before.get(key) != value]
        sent = len(encode(arguments)) + len(transient[TRANSIENT_LEAVES])
        assert sent + sum(map(len, written)) < BYTES_MAX
        assert len(written) <= town.engine.written_max < WRITES_MAX
        assert town.engine.reads_max < READS_MAX

    def test_one_meter_more_is_refused(self) -> None:
        town = Town(0, slots=2)
        town.at(SLOT + SLOT_S)
        leaves = [leaf(meter_number(number)) for number in range(LEAVES_MAX + 1)]

        assert validation_refusal(town, leaves) == "LEAVES_COUNT"
        assert refusal(town, leaves) == "LEAVES_COUNT"


def _report(town: Town, leaves: Sequence[Leaf], change: dict[str, str | int]) -> Report:
    report = Report(
        area=AREA,
        boundary=END,
        channel=CHANNEL,
        configuration=configuration_digest(town.oracle),
        contract=town.engine.contract.name,
        count=len(leaves),
        root=merkle_root([leaf_bytes(each) for each in leaves]),
        v=1,
    )
    return msgspec.structs.replace(report, **change)


def _signed(report: Report, keys: Sequence[Key]) -> ReportArguments:
    return ReportArguments([sign_compact(key, REPORT_TYP, encode(report)) for key in keys])


def _leaves(leaves: Sequence[Leaf]) -> dict[str, bytes]:
    return {TRANSIENT_LEAVES: encode(list(leaves))}
