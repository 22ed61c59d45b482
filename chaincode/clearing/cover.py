"""Cover: what an order reserves of its trader's account while it may still match."""

from __future__ import annotations

from typing import Literal

from chaincode.errors import Broken
from chaincode.units import Energy, Price, price_rate_up


def cover_nano(
    *, side: Literal["buy", "sell"], limit: int, quantity_wh: int, fees: int, vat_ppm: int
) -> int:
    """What an order must reserve, in nano; never negative.

    Buy: limit x quantity with the highest fees (micro/kWh, from `fees.highest_cover`) and VAT on
    the limit at `vat_ppm`, the highest rate of anybody who can supply this account (its
    retailer's; for a retailer's own meter, any seller's). VAT is rounded up per kWh, so the cover
    holds for any number of trades at prices not above the limit; a negative limit brings no VAT
    into it, as its supplier may add none. Sell: |limit| x quantity at a negative limit, else
    nothing.
    """
    if quantity_wh < 0:
        raise Broken(f"{quantity_wh} Wh cannot be covered")
    energy = Energy(quantity_wh)
    if side == "sell":
        return max(0, (energy * Price(-limit)).nano)
    price = Price(limit) + Price(fees) + price_rate_up(Price(max(0, limit)), vat_ppm)
    return max(0, (energy * price).nano)
