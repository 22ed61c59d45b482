"""Corrections: newest readings alone decide the books, whatever came before and wherever it is cut."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaincode.accounts.posting import Explanation, Posting
from chaincode.accounts.statements import SumArguments, Totals
from chaincode.clearing.run import TRADES
from chaincode.context import WRITES_MAX
from chaincode.errors import Refused
from chaincode.queries.market import (
    TradesAnswer,
)
from chaincode.queries.meters import MeteredAnswer
from chaincode.settlement.correction import Cause, CausesAnswer, SlotCorrected
from chaincode.settlement.meter_balances import DUE, USED
from chaincode.settlement.postings import (
    differences,
)
from chaincode.settlement.settled_slot import MeterSettled, SlotSettlement
from chaincode.settlement.trade_uses import USES
from chaincode.slots.gate import (
    PageArguments,
    SlotArguments,
)
from chaincode.state import Side
from tests.chaincode.crowd import (
    Household,
    all_postings,
    cut_after,
    did_number,
    ending,
    meter_number,
    order,
    put_reading,
    settle_in,
    small_pages,
    without_limits,
)
from tests.chaincode.town import AREA, DSO, ORACLE, RETAILERS, RULES, SLOT, SLOT_S, Town
from tests.chaincode.wording import in_english

MEMBERS = (DSO, *RETAILERS, ORACLE)
DEADLINE_S = 3_600


class Late(NamedTuple):
    """A reading that comes after its slot has settled; `corrects` runs a correction behind it."""

    household: int
    import_wh: int
    export_wh: int
    corrects: bool = True


class Outcome(msgspec.Struct, frozen=True):
    """What a slot ends in, without what depends on the way there: defaults, pages."""

    posted: dict[tuple[str, str, str], int]
    trades: list[object]
    meters: list[MeterSettled]
    sums: SlotSettlement
    certificates: dict[str, tuple[int, int, int]]
    balances: dict[str, int]
    claims: dict[tuple[str, str], int]
    reserved: int


def settled_town(households: Sequence[Household], *, penalty: int = 0) -> Town:
    """A town whose first slot has cleared and settled, mute meters on estimates.

    `penalty` is what its sellers pay for what they do not deliver.
    """
    town = Town(0, rules=msgspec.structs.replace(RULES, shortfall_penalty=penalty), slots=3)
    settle_in(town, households)
    town.close_gate(SLOT)
    town.clear(SLOT)
    town.at(SLOT + SLOT_S + DEADLINE_S)
    town.settle(SLOT)
    town.fold()
    return town


def correct(town: Town) -> int:
    """Correct the slot to its end, members taking turns, and fold; how many transactions it took.

    Without a newer reading it is refused, which is no transaction.
    """
    try:
        count = town.run("correct_slot", SLOT, "SETTLED", MEMBERS)
    except Refused as refused:
        if refused.code != "NOTHING_TO_CORRECT":
            raise
        return 0
    town.fold()
    return count


def come_late(town: Town, readings: Sequence[Late]) -> None:
    """Let readings come in one after the other, with the corrections among them and at the end."""
    for late in readings:
        put_reading(town, meter_number(late.household), late.import_wh, late.export_wh)
        if late.corrects:
            correct(town)
    correct(town)


def from_nothing(
    households: Sequence[Household], readings: Sequence[Late], *, penalty: int = 0
) -> Town:
    """The reference: the same slot, settled once on the newest readings."""
    newest = list(households)
    for late in readings:
        newest[late.household] = msgspec.structs.replace(
            newest[late.household], import_wh=late.import_wh, export_wh=late.export_wh
        )
    return settled_town(newest, penalty=penalty)


def outcome(town: Town) -> Outcome:
    """What the slot of a town ended in."""
    end = ending(town)
    posted: Counter[tuple[str, str, str]] = Counter()
    for posting in all_postings(town):
        posted[posting.account, posting.kind, posting.trade] += posting.amount_nano
    claims: Counter[tuple[str, str]] = Counter()
    for name, claim in end.claims.items():
        client, _, retailer = name.split("/")
        claims[client, retailer] += claim.amount_nano
    return Outcome(
        posted={place: nano for place, nano in posted.items() if nano},
        trades=list(end.trades),
        meters=end.meters,
        sums=msgspec.structs.replace(end.sums, postings=0, corrections=0, entries_epoch=0),
        certificates={
            name: (account.minted_wh, account.live_wh, account.retired_wh)
            for name, account in end.accounts.items()
            if account.minted_wh or account.retired_wh
        },
        balances={
            name: account.balance_nano
            for name, account in end.accounts.items()
            if account.balance_nano
        },
        claims=dict(claims),
        reserved=sum(account.reserved_nano for account in end.accounts.values()),
    )


@st.composite
def some_street(draw: st.DrawFn) -> list[Household]:
    """A few households that buy and sell; some are mute, some have little money."""
    households: list[Household] = []
    for number in range(draw(st.integers(1, 7))):
        side: Side = draw(st.sampled_from(["buy", "sell"]))
        steps = [(draw(st.integers(-2, 5)) * 50_000, draw(st.integers(1, 90)))]
        households.append(
            Household(
                orders=[order(number, side, steps)] if draw(st.booleans()) else [],
                balance_nano=draw(st.sampled_from([0, 1, 9_000_000, 10**9])),
                import_wh=draw(st.sampled_from([None, 0, 40, 200])),
                export_wh=draw(st.sampled_from([0, 30, 300])),
                plant_wh=draw(st.sampled_from([None, None, 50])),
                source=draw(st.sampled_from(["solar", ""])),
            )
        )
    return households


def some_late(households: int) -> st.SearchStrategy[list[Late]]:
    """Readings of any of the households; later ones take the place of earlier ones."""
    late = st.builds(
        Late,
        st.integers(0, households - 1),
        st.sampled_from([0, 20, 40, 200]),
        st.sampled_from([0, 15, 30, 300]),
        st.booleans(),
    )
    return st.lists(late, max_size=6)


@settings(max_examples=200, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(households=some_street(), penalty=st.sampled_from([0, 30_000]), data=st.data())
def test_any_way_to_the_same_readings_ends_in_the_same_books(
    households: list[Household], penalty: int, data: st.DataObject
) -> None:
    """Readings in any order with corrections anywhere between, against one settlement of all."""
    readings = data.draw(some_late(len(households)))
    town = settled_town(households, penalty=penalty)
    reserved = {name: account.reserved_nano for name, account in ending(town).accounts.items()}

    come_late(town, readings)

    assert outcome(town) == outcome(from_nothing(households, readings, penalty=penalty))
    assert sum(posting.amount_nano for posting in all_postings(town)) == 0
    after = {name: account.reserved_nano for name, account in ending(town).accounts.items()}
    assert {**reserved, **after} == after


@settings(max_examples=100, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(
    households=some_street(),
    chunk=st.integers(1, 4),
    page=st.integers(1, 5),
    penalty=st.sampled_from([0, 30_000]),
    data=st.data(),
)
def test_a_correction_ends_alike_wherever_it_is_cut(
    households: list[Household], chunk: int, page: int, penalty: int, data: st.DataObject
) -> None:
    readings = data.draw(some_late(len(households)))
    with pytest.MonkeyPatch.context() as patch:
        small_pages(patch, page)
        with pytest.MonkeyPatch.context() as limits:
            without_limits(limits)
            whole = settled_town(households, penalty=penalty)
            come_late(whole, readings)
        cut_after(patch, chunk)
        town = settled_town(households, penalty=penalty)
        come_late(town, readings)

    assert ending(town) == ending(whole)
    assert not [key for key in town.view.rows if key.startswith(USED.key(""))]


def street(count: int) -> list[Household]:
    """Households that buy and sell by turns; every third is mute at first."""
    households: list[Household] = []
    for number in range(count):
        side: Side = "buy" if (number // 2) % 2 else "sell"
        wh = 50 + number * 31 % 200
        households.append(
            Household(
                orders=[order(number, side, [(100_000 + number * 7_919 % 60_000, wh)])],
                balance_nano=50_000_000,
                import_wh=None if not number % 3 else wh if side == "buy" else 0,
                export_wh=wh if side == "sell" else 0,
            )
        )
    return households


def late_of(households: Sequence[Household]) -> list[Late]:
    """What the mute meters of a street measured, all of it before one correction."""
    readings: list[Late] = []
    for number, home in enumerate(households):
        if home.import_wh is None:
            bought = 0 if home.export_wh else 77
            readings.append(Late(number, bought, home.export_wh, corrects=False))
    return readings


def test_correction_of_four_thousand_meters_stays_within_the_limits() -> None:
    households = street(4_000)
    town = settled_town(households)
    readings = late_of(households)
    for late in readings:
        put_reading(town, meter_number(late.household), late.import_wh, late.export_wh)

    assert correct(town) > 1

    assert town.engine.written_max <= WRITES_MAX
    assert outcome(town) == outcome(from_nothing(households, readings))


def test_correction_writes_only_what_differs() -> None:
    """A correction of one meter wrote and deleted a row for every other meter that trades."""
    town = settled_town([*street(300), Household(import_wh=10)])
    put_reading(town, meter_number(300), 17, 0)
    before = dict(town.view.rows)
    town.engine.written_max = 0

    assert correct(town) == 1

    changed = {key[:2] for key, value in town.view.rows.items() if before.get(key) != value}
    assert town.engine.written_max <= 20
    assert not changed & {TRADES.key("")[:2], USES.key("")[:2], USED.key("")[:2], DUE.key("")[:2]}


class TestInTheMiddle:
    """What holds while a correction is on."""

    @pytest.fixture
    def town(self, monkeypatch: pytest.MonkeyPatch) -> Town:
        """A slot whose correction has begun and not ended."""
        cut_after(monkeypatch, 4)
        households = street(60)
        town = settled_town(households)
        for late in late_of(households):
            put_reading(town, meter_number(late.household), late.import_wh, late.export_wh)
        for _ in range(12):
            assert town.step("correct_slot", SLOT).phase == "CORRECTING"
        return town

    def test_other_slots_clear_and_settle(self, town: Town) -> None:
        town.close_gate(SLOT + SLOT_S)

        town.clear(SLOT + SLOT_S)
        for number in range(60):
            put_reading(town, meter_number(number), 10, 0, slot=SLOT + SLOT_S)
        town.settle(SLOT + SLOT_S)

        assert town.step("correct_slot", SLOT).phase == "CORRECTING"

    def test_trades_are_settled_all_the_while(self, town: Town) -> None:
        data = town.submit("list_trades", SlotArguments(AREA, SLOT))

        views = msgspec.json.decode(data, type=TradesAnswer).trades

        assert {view.state for view in views} == {"SETTLED"}

    def test_money_sums_to_zero_after_every_transaction(self, town: Town) -> None:
        phases: list[str] = []
        while not phases or phases[-1] != "SETTLED":
            phases.append(town.step("correct_slot", SLOT).phase)
            answer = town.submit("sum_accounts", SumArguments(AREA))
            assert msgspec.json.decode(answer, type=Totals).money_nano == 0

        assert len(phases) > 10
        totals = msgspec.json.decode(town.submit("sum_accounts", SumArguments(AREA)), type=Totals)
        assert totals.minted_wh == totals.live_wh + totals.retired_wh


def test_slot_that_has_not_settled_is_not_corrected() -> None:
    town = Town(0, slots=1)
    arguments = SlotArguments(AREA, SLOT)

    assert town.refused("correct_slot", arguments) == "SLOT_PHASE"
    town.close_gate(SLOT)
    assert town.refused("correct_slot", arguments) == "SLOT_PHASE"
    town.clear(SLOT)
    assert town.refused("correct_slot", arguments) == "SLOT_PHASE"


def test_rule_6_8_search_that_was_left_open_changes_no_final_slot(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A member begins to look for changes just before the slot is final, and goes on afterwards."""
    small_pages(monkeypatch, 1)
    cut_after(monkeypatch, 1)
    town = settled_town([Household(import_wh=100 + number) for number in range(5)])
    final_s = SLOT + SLOT_S + town.rules.final_s
    town.at(final_s - 1)
    answer = town.step("correct_slot", SLOT)
    assert (answer.phase, answer.step) == ("SETTLED", "READINGS")
    put_reading(town, meter_number(4), 50, 0)
    town.at(final_s)
    before = ending(town)

    assert town.refused("correct_slot", SlotArguments(AREA, SLOT)) == "SLOT_FINAL"
    assert ending(town) == before


def test_rule_6_8_correction_that_has_found_a_change_ends_behind_the_final_deadline(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    small_pages(monkeypatch, 1)
    cut_after(monkeypatch, 1)
    town = settled_town([Household(import_wh=100 + number) for number in range(5)])
    put_reading(town, meter_number(0), 50, 0)
    final_s = SLOT + SLOT_S + town.rules.final_s
    town.at(final_s - 1)
    assert town.step("correct_slot", SLOT).phase == "CORRECTING"
    town.at(final_s)

    assert correct(town) > 0
    assert town.refused("correct_slot", SlotArguments(AREA, SLOT)) == "SLOT_FINAL"


def test_correction_without_a_changed_energy_is_refused() -> None:
    town = settled_town(street(9))

    assert town.refused("correct_slot", SlotArguments(AREA, SLOT)) == "NOTHING_TO_CORRECT"


def test_correction_names_its_causes_and_says_what_the_slot_settles_now() -> None:
    households = street(6)
    town = settled_town(households)
    put_reading(town, meter_number(0), 0, 90)
    correct(town)
    put_reading(town, meter_number(0), 0, 80)
    put_reading(town, meter_number(1), 0, 5)

    correct(town)

    pages = [
        msgspec.json.decode(
            town.submit("list_causes", PageArguments(AREA, SLOT, page)), type=CausesAnswer
        )
        for page in range(2)
    ]
    assert [(page.correction, page.causes) for page in pages] == [
        (1, [Cause(meter_number(0), 0, 90, 0, 0)]),
        (2, [Cause(meter_number(0), 0, 80, 0, 90), Cause(meter_number(1), 0, 5, 0, 81)]),
    ]
    assert town.refused("list_causes", PageArguments(AREA, SLOT, 2)) == "PAGE_UNKNOWN"
    assert {posting.cause for posting in all_postings(town)} == {"", "correction-1", "correction-2"}
    event = [event for event in town.engine.events if event.name == "slot_corrected"][-1]
    corrected = msgspec.json.decode(event.data, type=SlotCorrected)
    assert (event.name, corrected.correction) == ("slot_corrected", 2)
    pages_left_out = {"meter_pages": 0, "energy_pages": 0, "cause_pages": 0}
    assert msgspec.structs.replace(corrected.settlement, **pages_left_out) == ending(town).sums
    data = town.submit("list_metered", PageArguments(AREA, SLOT))
    meters = msgspec.json.decode(data, type=MeteredAnswer).meters
    assert [meter.estimated for meter in meters] == [False, False, False, True, False, False]


def test_plant_that_fed_in_less_loses_live_certificates_before_retired_ones() -> None:
    """300 Wh, of which 100 sold: down to 150 only live ones go, down to 60 retired ones too."""
    seller = Household(orders=[order(0, "sell", [(100_000, 100)])], export_wh=300)
    buyer = Household(orders=[order(2, "buy", [(120_000, 100)])], balance_nano=10**9, import_wh=100)
    households = [seller, Household(), buyer]
    town = settled_town(households)
    held: list[tuple[int, int, int]] = []

    for export_wh in (150, 60, 300):
        put_reading(town, meter_number(0), 0, export_wh)
        correct(town)
        plant, consumer = town.account(did_number(0)), town.account(did_number(2))
        held.append((plant.minted_wh, plant.live_wh, consumer.retired_wh))

    assert held == [(150, 50, 100), (60, 0, 60), (300, 200, 100)]


def test_differences_are_one_line_per_account_kind_and_trade() -> None:
    told = Explanation("priced")
    before = [Posting("a", 5, "energy", told, "1"), Posting("b", -5, "energy", told, "1")]
    after = [
        Posting("a", 4, "energy", told, "1"),
        Posting("b", -4, "energy", told, "1"),
        Posting("b", -3, "vat", told, "1"),
        Posting("v", 2, "vat", told, "1"),
        Posting("v", 1, "vat", told, "1"),
    ]

    lines = differences(before, after, cause="c")

    assert [(p.account, p.amount_nano, p.kind, in_english(p)) for p in lines] == [
        ("a", -1, "energy", "4 instead of 5"),
        ("b", 1, "energy", "-4 instead of -5"),
        ("b", -3, "vat", "-3 instead of 0"),
        ("v", 3, "vat", "3 instead of 0"),
    ]
    assert {(p.explanation.rule, p.trade, p.cause) for p in lines} == {("corrected", "1", "c")}
    assert differences(before, before, cause="c") == []
