"""Door 8: versions of terms without end; the next one is taken, and an old one costs nothing."""

from __future__ import annotations

from chaincode.area.capacities import CapacityArguments
from chaincode.area.fees import FeeRow
from chaincode.area.tariffs import FeesArguments, ResidualArguments, ResidualPrices
from chaincode.metering.supply import ClientVatArguments
from tests.contract.stage.cast import AREA, DSO, EAST, R1, SLOT, SLOT_S
from tests.contract.stage.market import Market

VERSIONS = 210  # the first contract refused the 201st for ever
FEE_VERSIONS = 60  # it reached 4 MB with the 54th of these
FULL = [
    FeeRow(f"k{number:03d}{'x' * 28}", "p" * 100, 1, supplier="s" * 100) for number in range(400)
]


def post_many(market: Market) -> None:
    for number in range(VERSIONS):
        slot = SLOT + number * SLOT_S
        prices = [ResidualPrices(import_price=250_000 + number, export_price=60_000)]
        market.submit("set_residual_prices", ResidualArguments(AREA, slot, prices), R1, admin=True)
        market.submit("set_client_vat", ClientVatArguments("B", slot, "taxable", number), R1)
        market.submit("set_zone_capacity", CapacityArguments(EAST, number, 1, slot, "plan"))


def post_fees(market: Market) -> None:
    for number in range(1, FEE_VERSIONS):
        fees = FeesArguments(AREA, SLOT + (2 + number) * SLOT_S, FULL)
        market.submit("set_fees", fees, admin=True)


def test_the_next_price_vat_status_and_capacity_after_two_hundred_are_taken(
    market: Market,
) -> None:
    market.traders("S", "B")
    market.leap(post_many)

    slot = SLOT + VERSIONS * SLOT_S
    prices = [ResidualPrices(import_price=1, export_price=1)]
    market.submit("set_residual_prices", ResidualArguments(AREA, slot, prices), R1, admin=True)
    market.submit("set_client_vat", ClientVatArguments("B", slot, "private", 0), R1)
    market.submit("set_zone_capacity", CapacityArguments(EAST, None, None, slot, "plan"))

    for number in range(2):
        slot = SLOT + number * SLOT_S
        market.clear(slot)
        market.report("meter import export\n B 100 0", slot)
        market.settle(slot)
    assert market.posted(SLOT) == {"B": -25_000_000, R1: 25_000_000}
    assert market.posted(SLOT + SLOT_S) == {"B": -25_000_100, R1: 25_000_100}


def test_sixty_versions_of_four_hundred_fee_rows_fit(market: Market) -> None:
    market.trader("B")
    market.leap(post_fees)
    grid = FeesArguments(AREA, SLOT + SLOT_S, [FeeRow("grid", DSO, 1_000)])
    market.submit("set_fees", grid, admin=True)

    market.clear()
    market.report("meter import export\n B 100 0")
    market.settle()
    assert market.posted() == {"B": -25_000_000, R1: 25_000_000}


def test_rule_4_3_one_version_gives_the_prices_of_a_hundred_slots(market: Market) -> None:
    market.trader("B")
    prices = [ResidualPrices(import_price=1_000 * n, export_price=0) for n in range(1, 101)]
    market.submit("set_residual_prices", ResidualArguments(AREA, SLOT, prices), R1, admin=True)

    for number in range(3):
        slot = SLOT + number * SLOT_S
        market.clear(slot)
        market.report("meter import export\n B 100 0", slot)
        market.settle(slot)
        assert market.posted(slot)["B"] == -100_000 * (number + 1)
