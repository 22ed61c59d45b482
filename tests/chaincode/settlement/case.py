"""Reads a settlement case in the rules' JSON format and settles it with the contract's functions.

What is read: `as_delivered`, `trade_order`, `through_retailer`. A key of another rule is refused, so
that no case passes by being ignored.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from typing import Literal
from zoneinfo import ZoneInfo

import msgspec

from chaincode.accounts.posting import Posting
from chaincode.area.fees import FeeRow, Relation, check_rows, fees_of_slot
from chaincode.area.vat import (
    Vat,
)
from chaincode.settlement.delivery import (
    Generation,
    Obligation,
    certify,
    deliver_in_order,
    retire_in_order,
    undelivered_in_order,
)
from chaincode.settlement.postings import (
    Billing,
    Party,
    SettledTrade,
    penalty_postings,
    residual_postings,
    surplus_postings,
    totals,
    trade_postings,
)


class TradeIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A matched trade of the case; `tariff` is the sum of its path's edge tariffs."""

    id: str
    seller: str
    buyer: str
    quantity: int
    buy_price: int
    sell_price: int
    relation: Relation = "local"
    tariff: int = 0


class ReadingIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A meter's registers in Wh; without a generation meter `generation` is None."""

    export: int = 0
    # `import` is a word of the language
    import_: int = msgspec.field(default=0, name="import")
    generation: int | None = None


class PartyIn(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A meter's, or a retailer's, side of the money."""

    retailer: str | None = None
    offtaker: str | None = None
    residual_import: int = 0
    residual_export: int = 0
    grid_level: int | None = None
    vat: Vat = Vat()


class Case(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One slot to settle."""

    slot: int
    parties: dict[str, PartyIn]
    readings: dict[str, ReadingIn]
    trades: tuple[TradeIn, ...] = ()
    fees: tuple[FeeRow, ...] = ()
    time_zone: str = "UTC"
    firmness: Literal["as_delivered"] = "as_delivered"
    distribution: Literal["trade_order"] = "trade_order"
    contract_model: Literal["through_retailer"] = "through_retailer"
    reverse_charge: bool = False
    shortfall_penalty: int = 0


class Result(msgspec.Struct, frozen=True):
    """What a case ends in; empty places are left out, as the format compares them."""

    settled: dict[str, int]
    residual_import: dict[str, int]
    surplus: dict[str, int]
    minted: dict[str, int]
    retired: dict[str, int]
    postings: tuple[Posting, ...]
    totals: dict[str, int]

    @property
    def sum(self) -> int:
        """The sum of all totals."""
        return sum(self.totals.values())


def read_case(text: bytes | str) -> Case:
    """The case in a JSON text; unknown keys are refused."""
    return msgspec.json.decode(text, type=Case)


def local_hour_of(case: Case) -> int:
    """The hour of the local day at the case's slot, from the time-zone database."""
    return datetime.fromtimestamp(case.slot, UTC).astimezone(ZoneInfo(case.time_zone)).hour


def meters_of(case: Case) -> list[str]:
    """Every meter with a reading or a trade, by id."""
    named = {meter for trade in case.trades for meter in (trade.seller, trade.buyer)}
    return sorted(named | set(case.readings))


def settle_case(case: Case, *, page: int | None = None) -> Result:
    """Settle a case, walking its trades in pages of `page` (None: all at once)."""
    assert check_rows(case.fees) is None
    meters = meters_of(case)
    reading = {meter: case.readings.get(meter, ReadingIn()) for meter in meters}
    export_wh = {meter: reading[meter].export for meter in meters}
    import_wh = {meter: reading[meter].import_ for meter in meters}
    minted = certify(Generation(m, reading[m].export, reading[m].generation) for m in meters)
    parties = {meter: _party(case, meter) for meter in meters}
    billing = Billing(
        {name: party.vat for name, party in case.parties.items()}, case.reverse_charge
    )
    fees = fees_of_slot(case.fees, local_hour=local_hour_of(case))

    live_wh = dict(minted)
    settled: dict[str, int] = {}
    retired: dict[str, int] = {}
    postings: list[Posting] = []
    for trades in _pages(case.trades, page):
        contracts = [Obligation(t.id, t.seller, t.buyer, t.quantity) for t in trades]
        delivered = deliver_in_order(contracts, export_wh, import_wh)
        used = retire_in_order(contracts, delivered, live_wh)
        lacking = undelivered_in_order(contracts, delivered, import_wh)
        for trade, wh, retired_wh, lacking_wh in zip(trades, delivered, used, lacking, strict=True):
            settled[trade.id] = wh
            retired[trade.buyer] = retired.get(trade.buyer, 0) + retired_wh
            postings += trade_postings(
                SettledTrade(trade.id, wh, trade.buy_price, trade.sell_price, trade.tariff),
                seller=parties[trade.seller],
                buyer=parties[trade.buyer],
                fees=fees[trade.relation, parties[trade.buyer].grid_level],
                billing=billing,
            )
            postings += penalty_postings(
                trade.id,
                seller=trade.seller,
                buyer=trade.buyer,
                undelivered_wh=lacking_wh,
                penalty=case.shortfall_penalty,
            )
    for meter in meters:
        party = parties[meter]
        rows = fees["residual", party.grid_level]
        postings += residual_postings(party, import_wh[meter], fees=rows, billing=billing)
        postings += surplus_postings(party, export_wh[meter])
    return Result(
        settled=settled,
        residual_import=present(import_wh),
        surplus=present(export_wh),
        minted=minted,
        retired=present(retired),
        postings=tuple(postings),
        totals=present(totals(postings)),
    )


def present(amounts: Mapping[str, int]) -> dict[str, int]:
    """The amounts that are not zero."""
    return {name: amount for name, amount in amounts.items() if amount}


def _party(case: Case, meter: str) -> Party:
    party = case.parties[meter]
    assert party.retailer is not None, f"meter {meter} has no retailer"
    return Party(
        account=meter,
        retailer=party.retailer,
        offtaker=party.offtaker or party.retailer,
        residual_import=party.residual_import,
        residual_export=party.residual_export,
        grid_level=party.grid_level,
        vat=party.vat,
        surplus_vat=party.vat,
    )


def _pages(trades: tuple[TradeIn, ...], page: int | None) -> Iterator[tuple[TradeIn, ...]]:
    size = page or max(1, len(trades))
    for start in range(0, len(trades), size):
        yield trades[start : start + size]
