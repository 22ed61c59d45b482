"""Rule 1.5: a slot at every stated bound at once is cleared, settled, corrected and folded.

The greatest numbers of a slot follow from what admission and placing refuse (`docs/reference/bounds.md`).
With small bounds a slot is filled here by transactions until each bound refuses; at the true bounds
its rows are written into the state.
"""

from __future__ import annotations

from collections.abc import Iterator
from hashlib import sha256

import msgspec
import pytest

from chaincode.accounts.entries import ENTRIES
from chaincode.accounts.statements import SumArguments, Totals
from chaincode.area import fees, zones
from chaincode.area.fees import ROWS_MAX, FeeRow
from chaincode.area.tariffs import FeesArguments
from chaincode.area.zones import ZONES_MAX, ZoneArguments
from chaincode.clearing.order_book import BOOK_PAGES, BookEntry
from chaincode.clearing.run import CHUNK_ORDERS
from chaincode.context import READS_MAX
from chaincode.metering import meter_counts
from chaincode.metering.certification import MeterArguments
from chaincode.metering.meter_counts import METERS_MAX
from chaincode.orders import checks
from chaincode.orders.order_batch import ORDERS_PER_ROW_MAX, STEPS_PER_ROW_MAX
from chaincode.orders.sheets import SheetOrder
from chaincode.slots.runs import PAGE_ROWS
from chaincode.state import Side, slot_part
from commonwatt.docs_generator.bounds import LARGEST, SlotSizes, slot_sizes
from tests.chaincode.crowd import (
    Household,
    cut_after,
    ending,
    meter_number,
    order,
    put_register,
    settle_in,
    within_room,
)
from tests.chaincode.town import AREA, DSO, ROOT, RULES, SLOT, SLOT_S, ZONES, Town, Trader

GROUPS = 256
SMALL_METERS = GROUPS  # one of each group
SMALL_ZONES, SMALL_FEE_ROWS = 6, 12
SMALL_ORDERS, SMALL_STEPS = 3, 4
PENALTY = 10_000
LIMITS: dict[Side, list[list[tuple[int, int]]]] = {
    "sell": [[(90_000, 100), (95_000, 100)], [(100_000, 100)], [(105_000, 100)]],
    "buy": [[(130_000, 100), (125_000, 100)], [(120_000, 100)], [(115_000, 100)]],
}


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> SlotSizes:
    """Bounds that some hundred transactions reach; the sizes that follow from them."""
    monkeypatch.setattr(meter_counts, "GROUP_METERS_MAX", 1)
    monkeypatch.setattr(zones, "ZONES_MAX", SMALL_ZONES)
    monkeypatch.setattr(fees, "ROWS_MAX", SMALL_FEE_ROWS)
    monkeypatch.setattr(checks, "ORDERS_PER_ROW_MAX", SMALL_ORDERS)
    monkeypatch.setattr(checks, "STEPS_PER_ROW_MAX", SMALL_STEPS)
    return slot_sizes(
        meters=SMALL_METERS,
        fee_rows=SMALL_FEE_ROWS,
        orders_each=SMALL_ORDERS,
        steps_each=SMALL_STEPS,
    )


def one_of_each_group() -> Iterator[int]:
    """Numbers of traders whose meters fill the groups of an area, half of them in each zone."""
    taken: set[int] = set()
    in_zone = [0, 0]
    number = 0
    while len(taken) < GROUPS:
        group, zone = sha256(f"m{number:03d}".encode()).digest()[0], number % 2
        if group not in taken and in_zone[zone] < GROUPS // 2:
            taken.add(group)
            in_zone[zone] += 1
            yield number
        number += 1


def sides(town: Town) -> Iterator[tuple[Trader, Side]]:
    """The traders with their sides, of which each zone has as many traders."""
    for zone in ZONES:
        traders = [trader for trader in town.traders if trader.zone == zone]
        for place, trader in enumerate(traders):
            yield trader, "buy" if place % 2 else "sell"


def fill_terms(town: Town) -> None:
    """Register zones and post fee rows until the bounds refuse more."""
    for number in range(SMALL_ZONES - 1 - len(ZONES)):
        zone = ZoneArguments(AREA, f"z{number}", ROOT, 7)
        town.submit("register_zone", zone, DSO, admin=True)
    beyond = ZoneArguments(AREA, "beyond", ROOT, 7)
    assert town.refused("register_zone", beyond, DSO, admin=True) == "ZONES_TOO_MANY"
    rows = [FeeRow(f"kind{number}", f"p{number}", 1_000, 190_000) for number in range(13)]
    more = FeesArguments(AREA, SLOT, rows)
    assert town.refused("set_fees", more, DSO, admin=True) == "FEE_ROW"
    town.set_fees(SLOT, rows[:SMALL_FEE_ROWS])


def fill_meters(town: Town) -> None:
    """Admit traders with a meter each until no name finds a place."""
    town.traders = [town.admit(number, 2_000_000_000) for number in one_of_each_group()]
    trader = town.traders[0]
    for number in range(20):
        beyond = MeterArguments(
            meter=f"beyond{number}",
            holder=trader.did,
            zone=trader.zone,
            grid_level=7,
            import_w=4_000,
            export_w=4_000,
            from_slot=SLOT,
            source="solar",
            hold=town.hold_token(trader, f"beyond{number}"),
        )
        code = town.refused("register_certified_meter", beyond, DSO, admin=True)
        assert code == "METERS_TOO_MANY"


def sheet_of(town: Town, trader: Trader, side: Side) -> str:
    """All orders that a trader may have, with all steps that they may have."""
    orders = [
        SheetOrder(f"o{place}", side, SLOT, list(steps)) for place, steps in enumerate(LIMITS[side])
    ]
    return town.sheet(trader, orders)


def fill_book(town: Town) -> None:
    """Place orders until each trader is refused more orders and more steps."""
    sheets = [sheet_of(town, trader, side) for trader, side in sides(town)]
    assert {answer.code for answer in town.send("place_orders", sheets)} == {"PLACED"}
    more = [
        town.sheet(trader, [SheetOrder("more", side, SLOT, [(100_000, 1)])])
        for trader, side in sides(town)
    ]
    assert {answer.code for answer in town.send("place_orders", more)} == {"ORDERS_TOO_MANY"}
    longer = [
        town.amend_token(trader, SLOT, "o1", 1, [(100_000, 1), (100_000, 1)])
        for trader in town.traders
    ]
    codes = {answer.code for answer in town.send("amend_orders", longer)}
    assert codes == {"SLOT_STEPS_TOO_MANY"}


def measured(town: Town) -> dict[str, tuple[int, int]]:
    """Sellers deliver a little less than they sold, and buyers take a little more."""
    return {trader.meter: (430, 0) if side == "buy" else (0, 390) for trader, side in sides(town)}


def book_of(town: Town) -> list[BookEntry]:
    """The orders in the slot's book; none was left out."""
    prefix = BOOK_PAGES.key(AREA, slot_part(SLOT))
    pages = [
        BOOK_PAGES.decode(value) for key, value in town.view.rows.items() if key.startswith(prefix)
    ]
    assert not any(page.left_out for page in pages)
    return [entry for page in pages for entry in page.entries]


def unfolded(town: Town) -> int:
    """How many entries wait to be folded."""
    prefix = ENTRIES.key("")
    return sum(1 for key in town.view.rows if key.startswith(prefix))


@pytest.mark.parametrize("cut", [0, 25], ids=["whole", "cut"])
def test_rule_1_5_slot_at_every_small_bound_at_once_ends(
    small: SlotSizes, monkeypatch: pytest.MonkeyPatch, cut: int
) -> None:
    """Each bound refuses what is beyond it, and what is within them all has the sizes derived."""
    town = Town(0, rules=msgspec.structs.replace(RULES, shortfall_penalty=PENALTY), slots=3)
    fill_terms(town)
    fill_meters(town)
    fill_book(town)
    if cut:
        cut_after(monkeypatch, cut)

    town.close_gate(SLOT)
    clearing = town.clear(SLOT)
    assert not unfolded(town)
    town.read_meters(SLOT, measured(town))
    settlement = town.settle(SLOT)
    settled = unfolded(town)
    town.fold()

    end = ending(town)
    entries = book_of(town)
    assert len(entries) == small.orders
    assert sum(len(entry.steps) for entry in entries) == small.steps
    assert small.steps // 2 <= len(end.trades) <= small.trades
    assert len(end.meters) == SMALL_METERS
    assert end.sums.settled_wh == 390 * SMALL_METERS // 2
    assert SMALL_METERS < settled <= small.entries
    if cut:
        assert min(clearing, settlement) > 9

    correct_all(town)
    assert unfolded(town) <= small.entries
    town.fold()

    assert ending(town).sums.settled_wh == 370 * SMALL_METERS // 2
    totals = msgspec.json.decode(town.submit("sum_accounts", SumArguments(AREA)), type=Totals)
    assert (totals.money_nano, totals.reserved_nano) == (0, 0)
    assert not unfolded(town)


def correct_all(town: Town) -> None:
    """Let the DSO validate 20 Wh less for every seller, and correct the slot."""
    for trader, side in sides(town):
        if side == "sell":
            town.run_on(trader.meter, 0, -20)
    boundary = SLOT + SLOT_S
    leaves = [town.leaf(trader.meter, boundary) for trader in town.traders]
    arguments, transient = town.validated(boundary, leaves)
    town.submit("record_validated_readings", arguments, DSO, transient=transient)
    assert town.correct(SLOT)


def test_rule_1_5_a_run_of_the_largest_slot_reads_no_more_rows_than_a_transaction_may() -> None:
    """Matching reads all pages of the book, and releasing cover all pages of trades."""
    book_pages = -(-LARGEST.orders // CHUNK_ORDERS)
    trade_pages = -(-LARGEST.trades // PAGE_ROWS)
    assert max(book_pages, trade_pages) < 10**6  # the digits of a page in its key

    assert (book_pages + trade_pages + 2 * ZONES_MAX) * 10 <= READS_MAX * 8


@pytest.mark.exhaustive
@pytest.mark.parametrize("meters", [METERS_MAX])
def test_rule_1_5_largest_slot_ends(meters: int) -> None:
    """Every meter of the greatest area has all orders that it may have, at the longest names.

    One order of each trader is matched and three of the 400 fee rows hold, since each trade is
    posted in lines for each fee.
    """
    town = Town(0, fees=many_fees(), slots=3)
    for number in range(ZONES_MAX - 1 - len(ZONES)):
        zone = ZoneArguments(AREA, f"zone-{number}", ROOT, 7)
        town.submit("register_zone", zone, DSO, admin=True)
    settle_in(town, [largest_household(number) for number in range(meters)])
    town.close_gate(SLOT)

    town.clear(SLOT)
    town.settle(SLOT)
    for number in range(0, meters, 100):
        put_register(town, meter_number(number), SLOT + SLOT_S, 1, 1)
    assert town.correct(SLOT)
    town.fold()

    within_room(town)
    end = ending(town)
    assert len(book_of(town)) == meters * ORDERS_PER_ROW_MAX == meters * STEPS_PER_ROW_MAX
    assert len(end.trades) == meters // 2
    assert len(end.meters) == meters


def many_fees() -> list[FeeRow]:
    """As many fee rows as there may be; all but three are for another grid level."""
    return [
        FeeRow(f"kind{number:03d}", f"p{number:03d}", 10, 190_000, to_hour=24 if number < 3 else 0)
        for number in range(ROWS_MAX)
    ]


def largest_household(number: int) -> Household:
    """A household with every order that it may have, one of which is matched."""
    side: Side = "buy" if (number >> 1) % 2 else "sell"
    away = -1 if side == "buy" else 1
    orders = [
        order(number, side, [(100_000 + away * 1_000 * place, 1)], name=f"{place:064d}")
        for place in range(ORDERS_PER_ROW_MAX)
    ]
    taken = (3, 0) if side == "buy" else (0, 3)
    return Household(orders=orders, balance_nano=10**9, import_wh=taken[0], export_wh=taken[1])
