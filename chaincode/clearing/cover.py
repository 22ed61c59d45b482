"""Cover: what an order reserves in its trader's account while the order may still match."""

from __future__ import annotations

from typing import Literal

from chaincode.errors import Broken
from chaincode.units import Energy, Price, price_rate_up


def cover_nano(
    *,
    side: Literal["buy", "sell"],
    limit: int,
    quantity_wh: int,
    fees: int,
    vat_ppm: int,
    shortfall_penalty: int,
) -> int:
    """The amount that an order must reserve, in nano; never negative.

    Buy: limit x quantity with the highest fees (micro/kWh, from `fees.highest_cover`) and VAT on
    the limit at `vat_ppm`, the highest rate of any party that can supply this account (the rate of
    its retailer; for a retailer's own meter, the rate of any seller). VAT is rounded up per kWh, so
    the cover is enough for any number of trades at prices not above the limit. The cover of a
    negative limit includes no VAT, because the supplier may add no VAT. Sell: |limit| x quantity at
    a negative limit, and `shortfall_penalty` (micro/kWh) x quantity at any.
    """
    if quantity_wh < 0:
        raise Broken(f"{quantity_wh} Wh cannot be covered")
    energy = Energy(quantity_wh)
    if side == "sell":
        return (energy * (Price(max(0, -limit)) + Price(shortfall_penalty))).nano
    price = Price(limit) + Price(fees) + price_rate_up(Price(max(0, limit)), vat_ppm)
    return max(0, (energy * price).nano)
