"""Signs the households' sheets for each slot: what they sell and buy in the demonstration.

A home knows its profile up to a forecast error. It names limits between the price that its retailer
pays for surplus and the price that the retailer takes for residual supply, so trading is better than
both. All draws depend only on slot and home, so a sheet that is made again is the same sheet, and
the ledger answers `EXISTS`.
"""

from __future__ import annotations

from chaincode.orders.sheets import SHEET_TYP, Sheet, SheetOrder, Step
from chaincode.state import Side
from chaincode.units import Power
from commonwatt.demonstration.cast import (
    AREA,
    GATE_LEAD_S,
    RESIDUALS,
    SLOT_S,
    Cast,
    Home,
    export_w,
    import_w,
)
from commonwatt.demonstration.profiles import Week, household_energy
from identity.canonical import encode
from identity.jws import sign_compact

FORECAST_ERROR_PERCENT = 15
LOCAL_SAVING = 50_000  # micro/kWh by which fees on residual import are higher than on a local trade
TWO_STEPS_FROM_WH = 300  # a larger quantity is offered in two steps


def sign_sheet(home: Home, orders: list[SheetOrder], *, channel: str, contract: str) -> str:
    """Sign a home's sheet of `orders` at its meter, valid until the gate of the last slot."""
    sheet = Sheet(
        area=AREA,
        channel=channel,
        contract=contract,
        meter=home.meter,
        orders=orders,
        v=1,
        valid_until_s=max(order.slot for order in orders) - GATE_LEAD_S,
        zone=home.zone,
    )
    return sign_compact(home.key, SHEET_TYP, encode(sheet))


def make_orders(cast: Cast, week: Week, home: Home, slot: int) -> list[SheetOrder]:
    """Return a home's orders for a slot, in whole lots; empty if it expects less than a lot."""
    energy = household_energy(week, home.profile, slot)
    side: Side = "buy" if energy.import_wh else "sell"
    expected_wh = energy.import_wh or energy.export_wh
    percent = 100 + cast.draw.between(
        -FORECAST_ERROR_PERCENT, FORECAST_ERROR_PERCENT, "forecast", slot, home.number
    )
    power_w = import_w(home) if side == "buy" else export_w(home)
    quantity_wh = min(expected_wh * percent // 100, Power(power_w).over(SLOT_S).wh)
    quantity_wh -= quantity_wh % cast.lot_wh
    if quantity_wh < 1:
        return []
    return [
        SheetOrder(
            id=f"{side}-1", side=side, slot=slot, steps=_steps(cast, home, slot, side, quantity_wh)
        )
    ]


def _steps(cast: Cast, home: Home, slot: int, side: Side, quantity_wh: int) -> list[Step]:
    prices = RESIDUALS[home.retailer]
    limit = cast.draw.between(
        prices.export_price, prices.import_price + LOCAL_SAVING, "limit", slot, home.number
    )
    first_wh = quantity_wh // (2 * cast.lot_wh) * cast.lot_wh
    if quantity_wh < TWO_STEPS_FROM_WH or not first_wh:
        return [(limit, quantity_wh)]
    worse = 20_000 if side == "sell" else -20_000
    return [(limit, first_wh), (limit + worse, quantity_wh - first_wh)]
