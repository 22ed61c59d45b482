"""Whose money moves for settled Wh: legs, VAT, fees, spread, residual, surplus, cover.

Rules of settlement: "Who bills whom" (`through_retailer`), "VAT", "Grid fees" (how a matching
row is posted) and "Money, rounding" (cover). Which Wh are delivered is decided in `delivery.py`,
which fee rows apply in `fees.py`. Other contract models are other lists of legs, and whatever
else moves money is a posting of its own kind. Pure functions of one trade or one meter: a slot is
posted in pages of any size.

Every function gives postings that sum to zero; an amount above zero is received.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

import msgspec

from chaincode.accounts.posting import (
    Posting,
)
from chaincode.area.fees import KIND_CANCEL, FeeRow
from chaincode.area.vat import (
    Vat,
)
from chaincode.errors import Broken
from chaincode.units import Energy, Money, Price, rate_half_away

SPREAD = "spread"  # account that the ledger splits along the clearing record
VAT_PREFIX = "vat:"  # account of the VAT that a supplier owes
KIND_GRID = "grid"  # the fee whose distance-dependent part edge tariffs collect


class Party(msgspec.Struct, frozen=True, gc=False):
    """A meter's side of the money in a slot.

    Accounts of its holder, of its retailer and of who takes its surplus (the retailer where no
    other is named); the prices in micro/kWh of energy from the retailer beyond the trades and of
    energy given to the offtaker; its grid level (None: none known).
    """

    account: str
    retailer: str
    offtaker: str
    residual_import: int
    residual_export: int
    grid_level: int | None = None


class Billing(msgspec.Struct, frozen=True):
    """How an area bills: VAT by account, and whether retailers bill each other without it.

    `vat` holds every account that supplies energy: holders of meters and retailers.
    """

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
    """One supply: who gives the Wh, who gets them, at which price, with which VAT (0: none)."""

    supplier: str
    customer: str
    price: int
    vat_ppm: int


def legs_through_retailer(
    trade: SettledTrade, *, seller: Party, buyer: Party, billing: Billing
) -> list[Leg]:
    """The supplies of a trade, in the order the energy passes from seller to buyer.

    Seller to its retailer and on to the buyer's retailer at the sell price, from there to the
    buyer at the buy price. A leg to oneself is none.
    """
    holder, first, last, consumer = seller.account, seller.retailer, buyer.retailer, buyer.account
    legs: list[Leg] = []
    if holder != first:
        legs.append(Leg(holder, first, trade.sell_price, _vat_ppm(billing, holder)))
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
    Nothing settled posts nothing.
    """
    postings: list[Posting] = []
    if not trade.settled_wh:
        return postings
    energy = _energy(trade.settled_wh)
    for leg in legs_through_retailer(trade, seller=seller, buyer=buyer, billing=billing):
        _post_supply(postings, leg, energy, "energy", trade.id)
    if trade.buy_price != trade.sell_price:
        spread = Price(trade.buy_price) - Price(trade.sell_price)
        explain = f"{energy.wh} Wh x ({trade.buy_price} - {trade.sell_price})"
        nano = (energy * spread).nano
        postings.append(Posting(buyer.retailer, -nano, "spread", trade.id, explain))
        postings.append(Posting(SPREAD, nano, "spread", trade.id, explain))
    for row in fees:
        in_price = min(row.rate, trade.tariff) if row.kind == KIND_GRID else 0
        _post_fee(postings, buyer.account, row, energy, trade.id, in_price=in_price)
    return postings


def residual_postings(
    party: Party, residual_wh: int, *, fees: Sequence[FeeRow], billing: Billing
) -> list[Posting]:
    """The postings of import that no trade delivered: the retailer supplies it.

    `fees` are the rows that match the relation `residual`.
    """
    postings: list[Posting] = []
    if not residual_wh:
        return postings
    energy = _energy(residual_wh)
    if party.retailer != party.account:
        vat_ppm = _vat_ppm(billing, party.retailer)
        leg = Leg(party.retailer, party.account, party.residual_import, vat_ppm)
        _post_supply(postings, leg, energy, "residual", "")
    for row in fees:
        _post_fee(postings, party.account, row, energy, "", in_price=0)
    return postings


def surplus_postings(party: Party, surplus_wh: int, *, billing: Billing) -> list[Posting]:
    """The postings of export that no trade took: the offtaker buys it."""
    postings: list[Posting] = []
    if surplus_wh and party.offtaker != party.account:
        vat_ppm = _vat_ppm(billing, party.account)
        leg = Leg(party.account, party.offtaker, party.residual_export, vat_ppm)
        _post_supply(postings, leg, _energy(surplus_wh), "surplus", "")
    return postings


def cancellation_postings(
    account: str, *, dso: str, cancelled_wh: int, fee_nano: int
) -> list[Posting]:
    """The fee on cancelled Wh, to the DSO, without VAT.

    `fee_nano` was fixed when the order was cancelled, by the area's rule of that moment.
    """
    if fee_nano < 0:
        raise Broken(f"a cancellation fee of {fee_nano} nano")
    if not fee_nano:
        return []
    kind = f"fee:{KIND_CANCEL}"
    explain = f"{cancelled_wh} Wh cancelled"
    return [
        Posting(account, -fee_nano, kind, "", explain),
        Posting(dso, fee_nano, kind, "", explain),
    ]


def differences(
    before: Sequence[Posting], after: Sequence[Posting], *, cause: str
) -> list[Posting]:
    """What to post so that `after` stands where `before` was posted.

    One line per (account, kind, trade) whose amount is another; each is a difference of rounded
    amounts, so that any way to the same `after` ends in the same sums.
    """
    sums: dict[tuple[str, str, str], list[int]] = {}
    for column, postings in enumerate((before, after)):
        for posting in postings:
            line = sums.setdefault((posting.account, posting.kind, posting.trade), [0, 0])
            line[column] += posting.amount_nano
    return [
        Posting(account, new - old, kind, trade, f"{new} instead of {old}", cause)
        for (account, kind, trade), (old, new) in sums.items()
        if new != old
    ]


def totals(postings: Iterable[Posting]) -> dict[str, int]:
    """The sum of the amounts per account, in order of first appearance.

    Postings that do not sum to zero are `Broken`.
    """
    sums: dict[str, int] = {}
    for posting in postings:
        sums[posting.account] = sums.get(posting.account, 0) + posting.amount_nano
    rest = sum(sums.values())
    if rest:
        raise Broken(f"postings sum to {rest} nano")
    return sums


def _energy(wh: int) -> Energy:
    if wh < 0:
        raise Broken(f"{wh} Wh cannot be settled")
    return Energy(wh)


def _vat_ppm(billing: Billing, supplier: str) -> int:
    vat = billing.vat.get(supplier)
    if vat is None:
        raise Broken(f"supplier {supplier} has no VAT status")
    return vat.rate_ppm if vat.status == "taxable" else 0


def _post_supply(postings: list[Posting], leg: Leg, energy: Energy, kind: str, trade: str) -> None:
    amount = energy * Price(leg.price)
    nano = amount.nano
    explain = f"{energy.wh} Wh x {leg.price}"
    postings.append(Posting(leg.supplier, nano, kind, trade, explain))
    postings.append(Posting(leg.customer, -nano, kind, trade, explain))
    if leg.vat_ppm:
        _post_vat(postings, leg, amount, "vat", trade)


def _post_fee(
    postings: list[Posting],
    payer: str,
    row: FeeRow,
    energy: Energy,
    trade: str,
    *,
    in_price: int,
) -> None:
    charged = row.rate - in_price
    amount = energy * Price(charged)
    explain = f"{energy.wh} Wh x {charged}"
    if in_price:
        explain = f"{explain}; rate {row.rate}, of which in price {in_price}"
    nano, kind = amount.nano, f"fee:{row.kind}"
    postings.append(Posting(row.payee, nano, kind, trade, explain))
    postings.append(Posting(payer, -nano, kind, trade, explain))
    if row.vat_ppm:
        leg = Leg(row.supplier or row.payee, payer, charged, row.vat_ppm)
        _post_vat(postings, leg, amount, f"vat:{row.kind}", trade)


def _post_vat(postings: list[Posting], leg: Leg, base: Money, kind: str, trade: str) -> None:
    nano = rate_half_away(base, leg.vat_ppm).nano
    if not nano:
        return
    explain = f"VAT at {leg.vat_ppm} ppm on {base.nano}"
    postings.append(Posting(VAT_PREFIX + leg.supplier, nano, kind, trade, explain))
    postings.append(Posting(leg.customer, -nano, kind, trade, explain))
