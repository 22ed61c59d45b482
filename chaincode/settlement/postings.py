"""The postings for settled Wh: legs, VAT, fees, spread, residual, surplus, cover.

Rules of settlement: "Who bills whom" (`through_retailer`), "VAT", "Grid fees" (how a matching
row is posted) and "Money, rounding" (cover). `delivery.py` decides which Wh are delivered, and
`fees.py` which fee rows apply. Another contract model is another list of legs, and anything else
that moves money is another kind of posting. The functions are pure and take one trade or one meter,
so a slot can be posted in pages of any size.

The postings that a function returns sum to zero; an amount above zero is received.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from chaincode.accounts.posting import (
    ENERGY,
    PENALTY,
    RESIDUAL,
    SPREAD,
    SURPLUS,
    VAT,
    Explanation,
    Posting,
    fee_kind,
    fee_vat_kind,
)
from chaincode.area.fees import KIND_CANCEL, FeeRow
from chaincode.area.vat import (
    Vat,
)
from chaincode.errors import Broken

SPREAD_ACCOUNT = "spread"  # the account that the ledger splits along the clearing record
VAT_PREFIX = "vat:"  # begins the name of the account for the VAT that a supplier owes
KIND_GRID = "grid"  # the fee whose distance-dependent part is collected by edge tariffs


class Party(msgspec.Struct, frozen=True, gc=False):
    """The accounts, prices and grid level of a meter in a slot.

    The accounts are those of the meter's holder, of its retailer and of the offtaker, which takes
    the surplus (the retailer, unless another party is named). The prices in micro/kWh are for
    energy that the retailer supplies beyond the trades and for energy given to the offtaker. `vat`
    is what the holder adds when the retailer buys from it, and `surplus_vat` when the offtaker does.
    The grid level is None if it is not known.
    """

    account: str
    retailer: str
    offtaker: str
    residual_import: int
    residual_export: int
    grid_level: int | None = None
    vat: Vat = Vat()
    surplus_vat: Vat = Vat()


class Billing(msgspec.Struct, frozen=True):
    """How an area bills: VAT by retailer, and whether retailers bill each other without VAT."""

    vat: Mapping[str, Vat]
    reverse_charge: bool = False


class SettledTrade(msgspec.Struct, frozen=True, gc=False):
    """The settled Wh of a trade, its prices, and the sum of its path's edge tariffs (micro/kWh)."""

    id: str
    settled_wh: int
    buy_price: int
    sell_price: int
    tariff: int = 0


class Leg(NamedTuple):
    """One supply: its supplier, its receiver, its price, and its VAT rate (0: no VAT)."""

    supplier: str
    customer: str
    price: int
    vat_ppm: int


def legs_through_retailer(
    trade: SettledTrade, *, seller: Party, buyer: Party, billing: Billing
) -> list[Leg]:
    """The supplies of a trade, in the order in which the energy passes from seller to buyer.

    The energy passes from the seller to its retailer and to the buyer's retailer at the sell price,
    and from there to the buyer at the buy price. A leg whose ends are the same account is left out.
    """
    holder, first, last, consumer = seller.account, seller.retailer, buyer.retailer, buyer.account
    legs: list[Leg] = []
    if holder != first:
        legs.append(Leg(holder, first, trade.sell_price, seller.vat.taxed_ppm))
    if first != last:
        vat_ppm = 0 if billing.reverse_charge else _vat_ppm(billing, first)
        legs.append(Leg(first, last, trade.sell_price, vat_ppm))
    if last != consumer:
        legs.append(Leg(last, consumer, trade.buy_price, _vat_ppm(billing, last)))
    return legs


def trade_postings(
    trade: SettledTrade,
    *,
    seller: Party,
    buyer: Party,
    fees: Sequence[FeeRow],
    billing: Billing,
) -> list[Posting]:
    """The postings of a trade: its legs with VAT, the spread, and the buyer's fees.

    `fees` are the rows that match the trade's relation, the buyer's grid level and the hour.
    A trade with 0 settled Wh has no postings.
    """
    postings: list[Posting] = []
    if not trade.settled_wh:
        return postings
    wh = _settled_wh(trade.settled_wh)
    for leg in legs_through_retailer(trade, seller=seller, buyer=buyer, billing=billing):
        _post_supply(postings, leg, wh, ENERGY, trade.id)
    if trade.buy_price != trade.sell_price:
        spread = Explanation(
            "priced", quantity_wh=wh, rate=trade.buy_price, in_price=trade.sell_price
        )
        nano = spread.amount_nano
        postings.append(Posting(buyer.retailer, -nano, SPREAD, spread, trade.id))
        postings.append(Posting(SPREAD_ACCOUNT, nano, SPREAD, spread, trade.id))
    for row in fees:
        in_price = min(row.rate, trade.tariff) if row.kind == KIND_GRID else 0
        _post_fee(postings, buyer.account, row, wh, trade.id, in_price=in_price)
    return postings


def penalty_postings(
    trade: str, *, seller: str, buyer: str, undelivered_wh: int, penalty: int
) -> list[Posting]:
    """What a seller's account pays its buyer's on Wh of a trade that it did not deliver.

    `penalty` is in micro/kWh. It is damages and no supply, so it bears no VAT, and none is posted to
    oneself.
    """
    if not undelivered_wh or not penalty or seller == buyer:
        return []
    told = Explanation("priced", quantity_wh=_settled_wh(undelivered_wh), rate=penalty)
    nano = told.amount_nano
    return [
        Posting(seller, -nano, PENALTY, told, trade),
        Posting(buyer, nano, PENALTY, told, trade),
    ]


def residual_postings(
    party: Party, residual_wh: int, *, fees: Sequence[FeeRow], billing: Billing
) -> list[Posting]:
    """The postings of import that no trade delivered; the retailer supplies this energy.

    `fees` are the rows that match the relation `residual`.
    """
    postings: list[Posting] = []
    if not residual_wh:
        return postings
    wh = _settled_wh(residual_wh)
    if party.retailer != party.account:
        vat_ppm = _vat_ppm(billing, party.retailer)
        leg = Leg(party.retailer, party.account, party.residual_import, vat_ppm)
        _post_supply(postings, leg, wh, RESIDUAL, "")
    for row in fees:
        _post_fee(postings, party.account, row, wh, "", in_price=0)
    return postings


def surplus_postings(party: Party, surplus_wh: int) -> list[Posting]:
    """The postings of export that no trade took; the offtaker buys this energy."""
    postings: list[Posting] = []
    if surplus_wh and party.offtaker != party.account:
        vat_ppm = party.surplus_vat.taxed_ppm
        leg = Leg(party.account, party.offtaker, party.residual_export, vat_ppm)
        _post_supply(postings, leg, _settled_wh(surplus_wh), SURPLUS, "")
    return postings


def cancellation_postings(
    account: str, *, dso: str, cancelled_wh: int, fee_nano: int
) -> list[Posting]:
    """The fee on cancelled Wh, which the DSO gets without VAT.

    `fee_nano` was fixed when the order was cancelled, by the area's rule at that moment.
    """
    if fee_nano < 0:
        raise Broken(f"a cancellation fee of {fee_nano} nano")
    if not fee_nano:
        return []
    kind = fee_kind(KIND_CANCEL)
    told = Explanation("cancelled", quantity_wh=cancelled_wh, base_nano=fee_nano)
    return [
        Posting(account, -fee_nano, kind, told),
        Posting(dso, fee_nano, kind, told),
    ]


def differences(
    before: Sequence[Posting], after: Sequence[Posting], *, cause: str
) -> list[Posting]:
    """The postings that turn the posted `before` into `after`.

    There is one line per (account, kind, trade) whose amount changes. Each line is a difference of
    rounded amounts, so that any sequence of corrections to the same `after` gives the same sums.
    """
    sums: dict[tuple[str, str, str], list[int]] = {}
    for column, postings in enumerate((before, after)):
        for posting in postings:
            line = sums.setdefault((posting.account, posting.kind, posting.trade), [0, 0])
            line[column] += posting.amount_nano
    return [
        Posting(account, new - old, kind, Explanation("corrected", base_nano=old), trade, cause)
        for (account, kind, trade), (old, new) in sums.items()
        if new != old
    ]


def totals(postings: Iterable[Posting]) -> dict[str, int]:
    """The sum of the amounts per account, in order of first appearance.

    Raises `Broken` if the postings do not sum to zero.
    """
    sums: dict[str, int] = {}
    for posting in postings:
        sums[posting.account] = sums.get(posting.account, 0) + posting.amount_nano
    rest = sum(sums.values())
    if rest:
        raise Broken(f"postings sum to {rest} nano")
    return sums


def _settled_wh(wh: int) -> int:
    if wh < 0:
        raise Broken(f"{wh} Wh cannot be settled")
    return wh


def _vat_ppm(billing: Billing, supplier: str) -> int:
    vat = billing.vat.get(supplier)
    if vat is None:
        raise Broken(f"supplier {supplier} has no VAT status")
    return vat.taxed_ppm


def _post_supply(postings: list[Posting], leg: Leg, wh: int, kind: str, trade: str) -> None:
    told = Explanation("priced", wh, leg.price)
    nano = told.amount_nano
    postings.append(Posting(leg.supplier, nano, kind, told, trade))
    postings.append(Posting(leg.customer, -nano, kind, told, trade))
    if leg.vat_ppm:
        _post_vat(postings, leg, nano, VAT, trade)


def _post_fee(
    postings: list[Posting],
    payer: str,
    row: FeeRow,
    wh: int,
    trade: str,
    *,
    in_price: int,
) -> None:
    told = Explanation("priced", wh, row.rate, in_price)
    nano, kind = told.amount_nano, fee_kind(row.kind)
    postings.append(Posting(row.payee, nano, kind, told, trade))
    postings.append(Posting(payer, -nano, kind, told, trade))
    if row.vat_ppm:
        leg = Leg(row.supplier or row.payee, payer, row.rate - in_price, row.vat_ppm)
        _post_vat(postings, leg, nano, fee_vat_kind(row.kind), trade)


def _post_vat(postings: list[Posting], leg: Leg, base_nano: int, kind: str, trade: str) -> None:
    told = Explanation("taxed", 0, leg.vat_ppm, 0, base_nano)
    nano = told.amount_nano
    if not nano:
        return
    postings.append(Posting(VAT_PREFIX + leg.supplier, nano, kind, told, trade))
    postings.append(Posting(leg.customer, -nano, kind, told, trade))
