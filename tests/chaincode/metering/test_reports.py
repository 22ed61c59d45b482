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
from chaincode.metering.readings import READING_VERSIONS_MAX
from chaincode.metering.reports import (
    COLLECTION,
    LEAVES_MAX,
    REPORT_TYP,
    TRANSIENT_LEAVES,
    Leaf,
    Reading,
    Recorded,
    Report,
    ReportArguments,
    leaf_bytes,
    merkle_root,
    reading_key,
)
from identity.canonical import encode
from identity.jws import sign_compact
from identity.keys import PrivateKey as Key
from tests.chaincode.crowd import Household, meter_number, settle_in
from tests.chaincode.dict_engine import CHANNEL
from tests.chaincode.town import AREA, DSO, ORACLE, SLOT, SLOT_S, Town, did_of, key_of

SALT = "5a" * 32
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
def town() -> Town:
    """Three households whose first slot is over."""
    town = Town(3, slots=2)
    town.at(SLOT + SLOT_S)
    return town


def leaf(meter: str = "m000", **fields: int | str) -> Leaf:
    """A leaf of a slot in which a meter takes 100 Wh, with whatever is to be otherwise."""
    plain = Leaf(
        export_from_wh=50,
        export_to_wh=50,
        import_from_wh=1_000,
        import_to_wh=1_100,
        meter=meter,
        quality="measured",
        resolution_wh=1,
        salt=SALT,
    )
    return msgspec.structs.replace(plain, **fields)


def refusal(town: Town, leaves: Sequence[Leaf], slot: int = SLOT) -> str:
    """The code with which a well signed report is refused."""
    arguments, transient = town.report(slot, leaves)
    return town.refused("record_readings", arguments, ORACLE, transient=transient)


def record(town: Town, leaves: Sequence[Leaf], slot: int = SLOT) -> int:
    """How many readings a well signed report brings."""
    arguments, transient = town.report(slot, leaves)
    answer = town.submit("record_readings", arguments, ORACLE, transient=transient)
    return msgspec.json.decode(answer, type=Recorded).recorded


class TestPlausible:
    """What the contract itself finds in readings."""

    def test_readings_are_stored_privately_and_nothing_else_is(self, town: Town) -> None:
        before = town.engine.state()

        assert record(town, [leaf("m000"), leaf("m002", quality="estimated")]) == 2

        assert town.engine.state() == before
        stored = town.view.private[PrivateKey(COLLECTION, reading_key(SLOT, "m002"))]
        reading = msgspec.json.decode(stored, type=Reading)
        assert reading.leaf == leaf("m002", quality="estimated")
        assert len(town.view.private) == 2

    @pytest.mark.parametrize(
        ("code", "bad"),
        [
            ("READING_BACKWARDS", leaf(import_to_wh=999)),
            ("READING_BACKWARDS", leaf(export_to_wh=49)),
            ("READING_IMPLAUSIBLE", leaf(import_to_wh=1_000 + 1_052)),
            ("READING_IMPLAUSIBLE", leaf(export_to_wh=50 + 1_052)),
            ("READING_IMPLAUSIBLE", leaf(import_to_wh=1_000 + 1_061, resolution_wh=10)),
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
            leaf(import_to_wh=1_000),
            leaf(import_to_wh=1_000 + CAPACITY_WH),
            leaf(import_to_wh=1_000 + 1_051),  # 5 % and one step of the register more
            leaf(export_to_wh=50 + 1_051),
            leaf(import_to_wh=1_000 + 1_060, resolution_wh=10),
        ],
    )
    def test_what_the_meter_is_certified_for_passes(self, town: Town, good: Leaf) -> None:
        assert record(town, [good]) == 1

    def test_a_closed_direction_measures_nothing(self) -> None:
        town = Town(1, slots=2, export_w=0)
        town.at(SLOT + SLOT_S)

        assert refusal(town, [leaf(export_to_wh=52)]) == "READING_IMPLAUSIBLE"
        assert record(town, [leaf(export_to_wh=51)]) == 1  # one step of its register

    @pytest.mark.parametrize("field", ["import", "export"])
    def test_a_slot_begins_where_the_one_before_ended(self, town: Town, field: str) -> None:
        record(town, [leaf()])
        town.at(SLOT + 2 * SLOT_S)
        following = {
            "import_from_wh": 1_100,
            "import_to_wh": 1_200,
            "export_from_wh": 50,
            "export_to_wh": 60,
        }
        gap = {**following, f"{field}_from_wh": following[f"{field}_from_wh"] + 1}

        assert (
            refusal(town, [msgspec.structs.replace(leaf(), **gap)], SLOT + SLOT_S) == "READING_GAP"
        )
        assert record(town, [msgspec.structs.replace(leaf(), **following)], SLOT + SLOT_S) == 1

    @pytest.mark.parametrize("field", ["import", "export"])
    def test_a_slot_reported_late_ends_where_the_next_one_began(
        self, town: Town, field: str
    ) -> None:
        """Reports out of their order hide no gap."""
        town.at(SLOT + 2 * SLOT_S)
        record(town, [leaf(import_from_wh=1_100, import_to_wh=1_150)], SLOT + SLOT_S)
        gap = {f"{field}_to_wh": 1_099 if field == "import" else 51}

        assert refusal(town, [msgspec.structs.replace(leaf(), **gap)]) == "READING_GAP"
        assert record(town, [leaf()]) == 1

    def test_a_meter_of_another_area_is_refused(self, town: Town) -> None:
        town.submit("register_area", AreaArguments("other", "other-root", 5), admin=True)
        settle_in(town, [Household(import_wh=None)])
        moved = town.view.rows[f"05/{meter_number(0)}"].replace(b'"town"', b'"other"')
        town.view.rows[f"05/{meter_number(0)}"] = moved

        assert refusal(town, [leaf(meter_number(0))]) == "METER_AREA_FIXED"

    def test_a_slot_that_is_not_over_is_not_reported(self, town: Town) -> None:
        assert refusal(town, [leaf()], SLOT + SLOT_S) == "REPORT_EARLY"

    def test_no_slot_begins_between_two(self, town: Town) -> None:
        assert refusal(town, [leaf()], SLOT + 1) == "SLOT_INVALID"


class TestOnce:
    """A reading is written once."""

    def test_a_report_sent_again_brings_nothing(self, town: Town) -> None:
        assert record(town, [leaf("m000"), leaf("m001")]) == 2
        before = dict(town.view.private)

        assert record(town, [leaf("m000"), leaf("m001")]) == 0
        assert town.view.private == before

    def test_a_report_sent_again_after_settlement_brings_nothing(self, town: Town) -> None:
        record(town, [leaf(f"m{number:03d}") for number in range(3)])
        town.close_gate(SLOT)
        town.clear(SLOT)
        town.settle(SLOT)

        assert record(town, [leaf(f"m{number:03d}") for number in range(3)]) == 0

    @pytest.mark.parametrize(
        "leaves",
        [
            [leaf("m000", import_to_wh=1_101)],
            [leaf("m000", salt="00" * 32)],
            [leaf("m000"), leaf("m001")],
        ],
    )
    def test_no_other_report_replaces_a_reading(self, town: Town, leaves: list[Leaf]) -> None:
        record(town, [leaf("m000")])

        assert refusal(town, leaves) == "READING_REPEATED"

    def test_a_meter_left_out_is_reported_later(self, town: Town) -> None:
        record(town, [leaf("m000"), leaf("m002")])

        assert record(town, [leaf("m001")]) == 1


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
        arguments, _ = town.report(SLOT, [leaf("m000"), leaf("m001")])
        altered = _leaves([leaf("m000"), leaf("m001", import_to_wh=1_101)])

        assert (
            town.refused("record_readings", arguments, ORACLE, transient=altered) == "REPORT_ROOT"
        )

    def test_leaves_stand_in_the_order_of_their_meters_and_once(self, town: Town) -> None:
        for leaves in ([leaf("m001"), leaf("m000")], [leaf("m000"), leaf("m000")]):
            arguments = _signed(_report(town, leaves, {}), KEYS[:3])

            code = town.refused("record_readings", arguments, ORACLE, transient=_leaves(leaves))

            assert code == "LEAVES_ORDER"

    def test_leaves_travel_as_transient_data(self, town: Town) -> None:
        arguments, transient = town.report(SLOT, [leaf()])

        assert town.refused("record_readings", arguments, ORACLE) == "LEAVES_MISSING"
        for data in (b"[", b"[ ]", transient[TRANSIENT_LEAVES].replace(b"1100", b"1100.0")):
            code = town.refused(
                "record_readings", arguments, ORACLE, transient={TRANSIENT_LEAVES: data}
            )
            assert code == "LEAVES_UNREADABLE"

    def test_a_report_of_nothing_is_refused(self, town: Town) -> None:
        assert refusal(town, []) == "LEAVES_COUNT"

    def test_only_the_oracle_operator_brings_reports(self, town: Town) -> None:
        arguments, transient = town.report(SLOT, [leaf()])

        code = town.refused("record_readings", arguments, DSO, transient=transient)

        assert code == "ROLE_WRONG"

    def test_another_set_of_nodes_holds_from_its_slot_on(self, town: Town) -> None:
        """Until then the old set signs; from then on its word is worth nothing."""
        later, nodes = town.unopened(), [did_of(f"new {number}") for number in range(4)]
        town.submit("set_oracle_nodes", OracleArguments(AREA, later, nodes, 1), ORACLE, admin=True)
        town.at(later + SLOT_S)

        assert record(town, [leaf()]) == 1
        assert refusal(town, [leaf()], later) == "ORACLE_CONFIGURATION"

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
        town = Town(0, slots=2)
        settle_in(town, [Household(import_wh=None) for _ in range(LEAVES_MAX)])
        town.at(SLOT + SLOT_S)
        leaves = [leaf(meter_number(number)) for number in range(LEAVES_MAX)]
        arguments, transient = town.report(SLOT, leaves, signers=4)

        assert record(town, leaves) == LEAVES_MAX

        stored = sum(map(len, town.view.private.values()))
        assert len(encode(arguments)) + len(transient[TRANSIENT_LEAVES]) + stored < BYTES_MAX
        assert LEAVES_MAX < WRITES_MAX
        assert (3 * READING_VERSIONS_MAX + 1) * LEAVES_MAX < READS_MAX

    def test_one_meter_more_is_refused(self) -> None:
        town = Town(0, slots=2)
        town.at(SLOT + SLOT_S)
        leaves = [leaf(meter_number(number)) for number in range(LEAVES_MAX + 1)]

        assert refusal(town, leaves) == "LEAVES_COUNT"


def _report(town: Town, leaves: Sequence[Leaf], change: dict[str, str | int]) -> Report:
    report = Report(
        area=AREA,
        channel=CHANNEL,
        configuration=configuration_digest(town.oracle),
        contract=town.engine.contract.name,
        count=len(leaves),
        root=merkle_root([leaf_bytes(each) for each in leaves]),
        slot=SLOT,
        v=1,
    )
    return msgspec.structs.replace(report, **change)


def _signed(report: Report, keys: Sequence[Key]) -> ReportArguments:
    return ReportArguments([sign_compact(key, REPORT_TYP, encode(report)) for key in keys])


def _leaves(leaves: Sequence[Leaf]) -> dict[str, bytes]:
    return {TRANSIENT_LEAVES: encode(list(leaves))}
