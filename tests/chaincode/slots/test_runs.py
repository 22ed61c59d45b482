"""Runs: where the work of a slot is cut into transactions makes no difference to what it ends in."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaincode.accounts.entries import ENTRIES
from chaincode.accounts.payments import PaymentArguments
from chaincode.area.fees import FeeRow
from chaincode.area.zones import AreaName
from chaincode.context import WRITES_MAX
from chaincode.orders.order_batch import StoredOrder
from chaincode.settlement.meter_balances import USED
from chaincode.slots.gate import SLOTS, Run, SlotArguments
from chaincode.state import Side, slot_part
from tests.chaincode.crowd import (
    Ending,
    Household,
    all_postings,
    cut_after,
    did_number,
    ending,
    key_number,
    meter_number,
    order,
    settle_in,
    small_pages,
    without_limits,
)
from tests.chaincode.town import AREA, DSO, ORACLE, RETAILERS, SLOT, SLOT_S, Town

ANY_MEMBER = (DSO, RETAILERS[0], RETAILERS[1])


def town_of(households: Sequence[Household], *, fees: Sequence[FeeRow] | None = None) -> Town:
    """A town with these households, the gate of whose first slot has closed."""
    town = Town(0, slots=3) if fees is None else Town(0, slots=3, fees=fees)
    settle_in(town, households)
    town.close_gate(SLOT)
    return town


def carried_through(town: Town) -> tuple[int, int]:
    """Clear, settle and fold, members taking turns; the transactions of the first two."""
    clearing = town.run("clear_slot", SLOT, "CLEARED", (*ANY_MEMBER, ORACLE))
    town.at(SLOT + SLOT_S)
    settlement = town.run("settle_slot", SLOT, "SETTLED", ANY_MEMBER)
    town.fold(ORACLE)
    return clearing, settlement


def in_one(households: Sequence[Household], *, fees: Sequence[FeeRow] | None = None) -> Ending:
    """What the slot ends in when each run is one transaction, however large."""
    with pytest.MonkeyPatch.context() as patch:
        without_limits(patch)
        town = town_of(households, fees=fees)
        assert carried_through(town) == (1, 1)
        return ending(town)


def street(count: int, *, credited: bool = False) -> list[Household]:
    """Households that buy and sell by turns, at many prices, with more or less delivered."""
    households: list[Household] = []
    for number in range(count):
        side: Side = "buy" if (number // 2) % 2 else "sell"
        price = 100_000 + number * 7_919 % 60_000
        wh = 50 + number * 31 % 200
        delivered = wh + number % 5 * 10 - 20
        money = 20_000_000 + number % 3 * 15_000_000
        households.append(
            Household(
                orders=[order(number, side, [(price, wh), (price - 900, 20)])],
                balance_nano=0 if credited else money,
                credits_nano=[money] if credited else [],
                import_wh=delivered if side == "buy" else 0,
                export_wh=delivered if side == "sell" else 0,
                source="solar" if number % 4 else "",
            )
        )
    return households


@st.composite
def some_households(draw: st.DrawFn) -> list[Household]:
    """A few households: orders with steps, withdrawals, little money, mute and late meters."""
    households: list[Household] = []
    for number in range(draw(st.integers(0, 9))):
        orders: list[StoredOrder] = []
        for name in draw(st.sampled_from(["", "a", "ab", "abc"])):
            side: Side = draw(st.sampled_from(["buy", "sell"]))
            steps = draw(
                st.lists(st.tuples(st.integers(-2, 5), st.integers(1, 90)), min_size=1, max_size=3)
            )
            scaled = [(price * 50_000, wh) for price, wh in steps]
            withdrawn_wh, open_ = draw(st.sampled_from([(0, True), (30, True), (60, False)]))
            orders.append(
                order(number, side, scaled, name=name, withdrawn_wh=withdrawn_wh, open_=open_)
            )
        households.append(
            Household(
                orders=orders,
                balance_nano=draw(st.sampled_from([0, 1, 9_000_000, 10**9])),
                credits_nano=draw(st.lists(st.integers(1, 9_000_000), max_size=2)),
                import_wh=draw(st.sampled_from([0, 40, 200])),
                export_wh=draw(st.sampled_from([0, 30, 300])),
                plant_wh=draw(st.sampled_from([None, None, 50, 700])),
                source=draw(st.sampled_from(["solar", ""])),
                from_slot=SLOT if orders else draw(st.sampled_from([SLOT, SLOT + SLOT_S])),
            )
        )
    return households


@settings(max_examples=400, suppress_health_check=[HealthCheck.too_slow])
@given(
    households=some_households(),
    chunk=st.integers(1, 4),
    page=st.integers(1, 5),
)
def test_a_slot_ends_alike_wherever_its_runs_are_cut(
    households: list[Household], chunk: int, page: int
) -> None:
    """Pages are of the same size on both sides; on one side nothing is cut."""
    with pytest.MonkeyPatch.context() as patch:
        small_pages(patch, page)
        whole = in_one(households)
        cut_after(patch, chunk)
        town = town_of(households)
        carried_through(town)

    assert ending(town) == whole
    assert whole.phase == "SETTLED"
    assert sum(whole.posted.values()) == 0


def test_slot_cut_into_a_hundred_transactions_ends_as_in_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    households = street(240, credited=True)
    whole = in_one(households)

    cut_after(monkeypatch, 4)
    town = town_of(households)
    clearing, settlement = carried_through(town)

    assert ending(town) == whole
    assert len(whole.trades) > 100
    assert clearing > 20
    assert settlement > 50


def test_six_thousand_households_clear_and_settle_within_the_limits() -> None:
    """One order of two steps each; the engine refuses any transaction over its limits."""
    households = street(6_000, credited=True)
    town = town_of(households)

    clearing, settlement = carried_through(town)

    assert clearing > 1
    assert settlement > 1
    assert town.engine.written_max <= WRITES_MAX
    end = ending(town)
    assert len(end.trades) > 2_500
    numbers = [trade.number for trade in end.trades]
    assert numbers == sorted(set(numbers))
    assert sum(account.balance_nano for account in end.accounts.values()) == 0
    assert sum(account.reserved_nano for account in end.accounts.values()) == 0
    assert end == in_one(households)


@pytest.mark.parametrize("payments", [500, 1_000, 2_400, 2_900, 3_500])
def test_any_number_of_payments_is_folded_within_the_limits(payments: int) -> None:
    """Each payment is two entries; how they spread over accounts decides what a fold writes."""
    households = [Household(credits_nano=[1_000]) for _ in range(payments)]
    town = town_of(households)

    town.clear(SLOT)

    end_rows = [key for key in town.view.rows if key.startswith(ENTRIES.key(""))]
    assert not end_rows
    assert town.account(did_number(payments - 1)).balance_nano == 1_000
    assert sum(town.account(name).balance_nano for name in RETAILERS) == -1_000 * payments


def test_a_book_of_the_fullest_rows_is_cleared_within_the_limits() -> None:
    """Fifty orders of a step each is all that a participant may have, at the longest names."""
    households = [
        Household(
            orders=[order(number, "sell", [(name, 1)], name=f"{name:064d}") for name in range(50)]
        )
        for number in range(250)
    ]
    town = town_of(households)

    assert town.clear(SLOT) > 1

    slot = SLOTS.decode(town.view.rows[SLOTS.key(AREA, slot_part(SLOT))])
    assert sum(slot.quantity_wh) == 250 * 50


def test_a_slot_with_every_fee_row_there_may_be_settles_within_the_limits() -> None:
    """Four hundred kinds of fee, all of which hold for every Wh."""
    fees = [FeeRow(f"kind{number}", "p" * 90 + f"{number}", 100, 190_000) for number in range(400)]
    households = street(40)
    town = town_of(households, fees=fees)

    carried_through(town)

    assert ending(town) == in_one(households, fees=fees)
    assert len(all_postings(town)) > 50_000


def test_an_empty_slot_clears_and_settles() -> None:
    town = town_of([])

    assert carried_through(town) == (1, 1)
    assert ending(town).phase == "SETTLED"


def test_a_meter_of_a_later_slot_holds_up_no_slot_before() -> None:
    later = Household(from_slot=SLOT + SLOT_S, import_wh=None)
    town = town_of([*street(8), later])

    carried_through(town)

    assert len(ending(town).meters) == 8


def test_rule_1_1_every_committed_step_moves_its_run(monkeypatch: pytest.MonkeyPatch) -> None:
    """A step that commits and stands where the last one stood could be sent for ever."""
    cut_after(monkeypatch, 3)
    town = town_of(street(40))
    key = SLOTS.key(AREA, slot_part(SLOT))

    places: list[tuple[str, Run | None]] = []
    for name, end in (("clear_slot", "CLEARED"), ("settle_slot", "SETTLED")):
        phase = ""
        while phase != end:
            phase = town.step(name, SLOT).phase
            places.append((phase, SLOTS.decode(town.view.rows[key]).run))
        town.at(SLOT + SLOT_S)

    assert len(places) > 40
    assert len(set(places)) == len(places)


def test_rule_2_5_a_client_that_ends_above_zero_is_no_default_though_it_was_below(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What its house takes in one transaction its plant earns in the next."""
    household = Household(balance_nano=1_000, import_wh=100, plant_wh=900)
    cut_after(monkeypatch, 1)
    town = town_of([household])
    town.clear(SLOT)
    town.at(SLOT + SLOT_S)

    below = False
    while town.step("settle_slot", SLOT).phase != "SETTLED":
        below = below or town.statement(did_number(0)).worth_nano < 0
        assert town.account(did_number(0)).balance_nano == 1_000
    town.fold()

    assert below
    assert town.account(did_number(0)).balance_nano > 0
    assert not ending(town).claims


class TestTheLane:
    """What others may do while a run is on."""

    @pytest.fixture
    def town(self, monkeypatch: pytest.MonkeyPatch) -> Town:
        """A slot whose clearing stands in the middle."""
        cut_after(monkeypatch, 5)
        town = town_of(street(60))
        for _ in range(6):
            assert town.step("clear_slot", SLOT).phase == "CLEARING"
        return town

    def test_no_later_slot_clears_meanwhile(self, town: Town) -> None:
        town.close_gate(SLOT + SLOT_S)

        other = SlotArguments(AREA, SLOT + SLOT_S)
        assert town.refused("clear_slot", other) == "CLEARING_OUT_OF_ORDER"
        assert town.refused("fold_accounts", AreaName(AREA)) == "NOTHING_TO_FOLD"

        town.clear(SLOT)
        assert town.step("clear_slot", SLOT + SLOT_S).area == AREA

    def test_no_run_of_another_kind_begins_before_this_one_has_ended(self, town: Town) -> None:
        town.at(SLOT + SLOT_S)

        assert town.refused("settle_slot", SlotArguments(AREA, SLOT)) == "SLOT_PHASE"

    def test_a_step_after_the_end_is_refused(self, town: Town) -> None:
        town.clear(SLOT)
        assert town.refused("clear_slot", SlotArguments(AREA, SLOT)) == "SLOT_PHASE"

        town.settle(SLOT)
        assert town.refused("settle_slot", SlotArguments(AREA, SLOT)) == "SLOT_PHASE"
        assert town.refused("clear_slot", SlotArguments(AREA, SLOT)) == "SLOT_PHASE"

    def test_credits_in_the_middle_are_neither_lost_nor_doubled(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One arrives between any two transactions of either run; it is folded behind the run."""
        households = street(60)
        plain = town_of(households)
        carried_through(plain)
        cut_after(monkeypatch, 5)
        town = town_of(households)
        sent = 0
        for name, done in (("clear_slot", "CLEARED"), ("settle_slot", "SETTLED")):
            while town.step(name, SLOT).phase != done:
                payment = PaymentArguments(AREA, did_number(sent % 60), 1_000, f"late{sent}")
                town.submit("credit_client", payment, RETAILERS[(sent % 60 >> 1) % 2])
                sent += 1
            town.at(SLOT + SLOT_S)
        end = ending(town)
        assert (end.trades, end.meters, end.posted) == _settled(plain)
        assert sent > 20

        for one in (town, plain):
            one.close_gate(SLOT + SLOT_S)
            one.clear(SLOT + SLOT_S)

        gained = [
            town.statement(did_number(number)).worth_nano
            - plain.statement(did_number(number)).worth_nano
            for number in range(60)
        ]
        assert sum(gained) == sent * 1_000
        assert gained == [(sent // 60 + (number < sent % 60)) * 1_000 for number in range(60)]

    def test_a_debit_in_the_middle_waits_for_the_end_of_the_clearing(self, town: Town) -> None:
        """The money may still become cover; behind the clearing what is not reserved is free."""
        number, retailer = 2, RETAILERS[1]
        while town.step("clear_slot", SLOT).phase == "CLEARING":
            account = town.account(did_number(number))
            assert 0 <= account.reserved_nano <= account.balance_nano
            payout = town.payout(key_number(number), retailer, 1, "x")
            assert town.refused("debit_client", payout, retailer) == "PAYOUT_WAITS"

        account = town.account(did_number(number))
        assert account.reserved_nano
        free_nano = account.balance_nano - account.reserved_nano
        more = town.payout(key_number(number), retailer, free_nano + 1, "x")
        assert town.refused("debit_client", more, retailer) == "FUNDS_INSUFFICIENT"
        payout = town.payout(key_number(number), retailer, free_nano, "x")
        town.submit("debit_client", payout, retailer)
        again = town.payout(key_number(number), retailer, 1, "y")
        assert town.refused("debit_client", again, retailer) == "FUNDS_INSUFFICIENT"

    def test_what_a_run_carries_is_gone_at_its_end(self, monkeypatch: pytest.MonkeyPatch) -> None:
        cut_after(monkeypatch, 5)
        town = town_of(street(60))

        carried_through(town)

        assert not [key for key in town.view.rows if key.startswith(USED.key(""))]
        assert meter_number(59) in {row["meter"] for row in _meters(town)}


def _settled(town: Town) -> tuple[object, object, object]:
    end = ending(town)
    return end.trades, end.meters, end.posted


def _meters(town: Town) -> list[dict[str, object]]:
    return [msgspec.to_builtins(meter) for meter in ending(town).meters]
