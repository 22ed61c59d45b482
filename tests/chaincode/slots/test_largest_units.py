"""The largest lawful units fit into a transaction with room to spare (doors 2, 3, 22)."""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import pytest

from chaincode.accounts.entries import ENTRIES, Entry, correction_cause, epoch_part
from chaincode.accounts.posting import (
    RESIDUAL,
    SURPLUS,
    VAT,
    Explanation,
    Posting,
    fee_kind,
    fee_vat_kind,
)
from chaincode.area.fees import ACCOUNT_MAX, KIND_MAX, ROWS_MAX
from chaincode.area.tariffs import PRICE_MAX
from chaincode.area.zones import PATH_MAX, ZONE_DEPTH_MAX, AreaName, ZoneArguments
from chaincode.clearing.run import TRADES, TradePage
from chaincode.orders.order_batch import StoredOrder
from chaincode.settlement.correction import cause_name, page_points
from chaincode.settlement.postings import VAT_PREFIX
from chaincode.settlement.settled_slot import (
    FEE_LINE_BYTES,
    LINE_BYTES,
    SUM_BYTES,
    unit_points,
)
from chaincode.slots.gate import SlotArguments
from chaincode.slots.runs import PAGE_ROWS, POINTS
from chaincode.state import Side
from chaincode.units import INT64_SAFE
from identity.canonical import encode
from tests.chaincode.crowd import (
    Household,
    all_postings,
    ending,
    meter_number,
    order,
    put_reading,
    put_register,
    settle_in,
    within_room,
)
from tests.chaincode.town import AREA, DSO, ROOT, SLOT, SLOT_S, ZONES, Town

TRADES_MAX = 9_999_999  # of a slot, far more than its meters place orders
PER_SLOT_WH_MAX = 10**12  # far more than a certified power gives in a slot
LONG = "n" * 57  # with a number behind it a name of 64 characters


def street(count: int) -> list[Household]:
    """Households with the longest names that all trade with each other."""
    households: list[Household] = []
    for number in range(count):
        side: Side = "buy" if (number >> 1) % 2 else "sell"
        orders: list[StoredOrder] = [
            order(number, side, [(100_000, 50)], name="o" * 64, meter=LONG)
        ]
        import_wh, export_wh = (60, 0) if side == "buy" else (0, 70)
        households.append(
            Household(orders=orders, balance_nano=10**9, import_wh=import_wh, export_wh=export_wh)
        )
    return households


def trade_and_settle(count: int) -> Town:
    """Clear, settle, correct and fold a slot in which every meter trades."""
    town = Town(0, slots=3)
    settle_in(town, street(count), meter=LONG)
    town.close_gate(SLOT)
    town.clear(SLOT)
    town.at(SLOT + SLOT_S)
    transactions = town.settle(SLOT)
    assert transactions <= count  # more would mean that the run hardly moves
    put_register(town, meter_number(0, name=LONG), SLOT + SLOT_S, 0, 10)
    town.run("correct_slot", SLOT, "SETTLED")
    town.fold()
    return town


def test_lines_and_entries_of_a_slot_are_no_longer_than_their_points_say() -> None:
    """The longest names that a line or an entry of a settlement or a correction can bear."""
    client, member = "did:key:z" + "1" * 64, "n" * 64
    payee, kind = "p" * ACCOUNT_MAX, "\U0001d538" * KIND_MAX  # of four bytes each
    nano, wh = -(INT64_SAFE - 1), PER_SLOT_WH_MAX

    def longest(accounts: Sequence[str], kinds: Sequence[str]) -> int:
        """The bytes of the longest line with one of these accounts and kinds, and its comma."""
        told = (
            (Explanation("priced", wh, -PRICE_MAX, -PRICE_MAX), ""),
            (Explanation("taxed", 0, 1_000_000, 0, nano), ""),
            (Explanation("cancelled", wh, 0, 0, nano), ""),
            (Explanation("corrected", 0, 0, 0, nano), cause_name(999_999)),
        )
        lines = [
            Posting(account, nano, named, explanation, f"{TRADES_MAX}", cause)
            for account in accounts
            for named in kinds
            for explanation, cause in told
        ]
        return 1 + max(len(encode(line)) for line in lines)

    of_fees = fee_kind(kind), fee_vat_kind(kind)
    assert longest([client, VAT_PREFIX + member], [RESIDUAL, SURPLUS, VAT]) <= LINE_BYTES
    assert longest([client, VAT_PREFIX + payee], of_fees) <= FEE_LINE_BYTES
    amounts = Entry(money_nano=nano, reserved_nano=nano, minted_wh=wh, live_wh=wh, retired_wh=wh)
    keys = [
        ENTRIES.key("a" * 64, epoch_part(1), owner, correction_cause(SLOT, 999_999), member)
        for owner in (VAT_PREFIX + payee, client)
    ]
    assert max(len(key) + len(encode(amounts)) for key in keys) <= SUM_BYTES


def test_slot_of_meters_with_the_longest_names_is_settled_and_corrected() -> None:
    """Door 3, small: what the run carries grows with the meters, in rows of their own."""
    town = trade_and_settle(1_500)

    within_room(town)
    end = ending(town)
    assert len(end.trades) == 750
    assert {trade.settled_wh for trade in end.trades} >= {50}
    assert sum(posting.amount_nano for posting in all_postings(town)) == 0


@pytest.mark.exhaustive
def test_slot_of_27000_meters_with_the_longest_names_ends() -> None:
    """Door 3: every transaction committed without progress, for ever."""
    town = trade_and_settle(27_000)

    within_room(town)
    assert len(ending(town).meters) == 27_000


def test_last_report_comes_between_two_transactions_that_look_for_readings() -> None:
    """Door 2: the check takes two transactions, and the report comes between them."""
    count = 1_500
    households = [
        Household(import_wh=10 if number < count - 1 else None) for number in range(count)
    ]
    town = Town(0, slots=2)
    settle_in(town, households)
    town.close_gate(SLOT)
    town.clear(SLOT)
    town.at(SLOT + SLOT_S)

    answer = town.step("settle_slot", SLOT)
    assert (answer.phase, answer.step) == ("CLEARED", "READINGS")
    assert town.refused("settle_slot", SlotArguments(AREA, SLOT)) == "READINGS_MISSING"
    put_reading(town, meter_number(count - 1), 10, 0)
    town.settle(SLOT)

    within_room(town)
    assert ending(town).sums.estimated == 0
    assert ending(town).sums.residual_wh == 10 * count


def test_thousand_zones_without_trades_and_1989_credits_clear() -> None:
    """Door 22: 5,001 keys were refused at each try, until other credits shifted the cut."""
    town = Town(0, slots=2)
    zones = [ROOT, *ZONES, *(f"{LONG}-{number:06d}" for number in range(1_000 - 1 - len(ZONES)))]
    for zone in zones[3:]:
        town.submit("register_zone", ZoneArguments(AREA, zone, ROOT, 7), DSO, admin=True)
    households: list[Household] = []
    for number, zone in enumerate(zones):
        sale = msgspec.structs.replace(order(number, "sell", [(100_000, 50)]), zone=zone)
        households.append(Household(orders=[sale], credits_nano=[1_000], zone=zone))
    households.extend(Household(credits_nano=[1_000]) for _ in range(989))
    settle_in(town, households)
    town.close_gate(SLOT)

    town.clear(SLOT)

    within_room(town)
    assert len(ending_zones(town)) == 1_000
    assert town.refused("fold_accounts", AreaName(AREA)) == "NOTHING_TO_FOLD"


def test_trades_on_the_longest_paths_are_settled_and_corrected() -> None:
    """A page of trades names all zones on their paths, and settling rewrites it each time.

    A mechanism that clears whole trees gives such paths; here they are written into the pages.
    """
    town = Town(0, slots=3)
    settle_in(town, street(1_200), meter=LONG)
    town.close_gate(SLOT)
    town.clear(SLOT)
    path = [f"{LONG}-{number:06d}" for number in range(PATH_MAX)]
    for key in [key for key in town.view.rows if key.startswith(TRADES.key(AREA))]:
        page = TRADES.decode(town.view.rows[key])
        trades = [msgspec.structs.replace(trade, path=path) for trade in page.trades]
        town.view.rows[key] = encode(TradePage(trades=trades))

    town.at(SLOT + SLOT_S)
    town.settle(SLOT)
    put_register(town, meter_number(0, name=LONG), SLOT + SLOT_S, 0, 10)
    town.run("correct_slot", SLOT, "SETTLED")

    within_room(town)
    assert [trade.path for trade in ending(town).trades] == [path] * 600
    assert len(ending(town).meters) == 1_200
    largest_page = list(ending(town).trades) * 2
    most_points = page_points(largest_page[:PAGE_ROWS]) + unit_points(ROWS_MAX)
    assert most_points <= POINTS  # so a correction settles at least one trade of such a page


def test_a_tree_takes_zones_down_to_its_greatest_depth() -> None:
    town = Town(0, slots=1)
    parent = ROOT
    for level in range(2, ZONE_DEPTH_MAX + 1):
        zone = ZoneArguments(AREA, f"level-{level}", parent, 7)
        town.submit("register_zone", zone, DSO, admin=True)
        parent = zone.zone

    deeper = ZoneArguments(AREA, "deeper", parent, 7)
    assert town.refused("register_zone", deeper, DSO, admin=True) == "ZONES_TOO_DEEP"
    beside = ZoneArguments(AREA, "beside", f"level-{ZONE_DEPTH_MAX - 1}", 7)
    town.submit("register_zone", beside, DSO, admin=True)


def ending_zones(town: Town) -> list[str]:
    """The zones that have a record of the clearing."""
    return [key for key in town.view.rows if key.startswith("43/")]
