"""The rules of settlement, sentence by sentence, slow and in exact fractions.

Shares no rule with the contract's code, only the shape of a posting: it reads the same case and keeps books as a list of
(account, kind, trade, amount) in nano-currency. Each quoted sentence is followed by its step.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import NamedTuple
from zoneinfo import ZoneInfo

from chaincode.accounts.posting import Posting
from tests.chaincode.settlement.case import Case, PartyIn, ReadingIn, TradeIn


class Line(NamedTuple):
    """An amount that an account receives (below zero: pays)."""

    account: str
    kind: str
    trade: str
    nano: int


class Supply(NamedTuple):
    """Who gives Wh to whom at which price."""

    supplier: str
    customer: str
    wh: int
    price: int


class Books(NamedTuple):
    """What the reference finds."""

    settled: dict[str, int]
    residual_import: dict[str, int]
    surplus: dict[str, int]
    minted: dict[str, int]
    retired: dict[str, int]
    lines: list[Line]


def settle_slowly(case: Case) -> Books:
    """Settle a case from the rules' sentences."""
    settled = _delivered(case)
    meters = list(case.parties)
    residual: dict[str, int] = {}
    surplus: dict[str, int] = {}
    lines: list[Line] = []
    for meter in meters:
        bought = sum(settled[t.id] for t in case.trades if t.buyer == meter)
        sold = sum(settled[t.id] for t in case.trades if t.seller == meter)
        # The rule: "Remaining import comes from the buyer's retailer at its residual_import price;
        # remaining export goes to the seller's offtaker at residual_export."
        residual[meter] = _reading(case, meter).import_ - bought
        surplus[meter] = _reading(case, meter).export - sold
    for trade in case.trades:
        lines += _trade_lines(case, trade, settled[trade.id])
        lines += _penalty(case, trade, settled)
    for meter in meters:
        party = case.parties[meter]
        if residual[meter]:
            assert party.retailer is not None
            supply = Supply(party.retailer, meter, residual[meter], party.residual_import)
            lines += _supply(case, supply, "residual")
            lines += _fees(case, meter, residual[meter], "residual")
        if surplus[meter]:
            offtaker = party.offtaker or party.retailer
            assert offtaker is not None
            supply = Supply(meter, offtaker, surplus[meter], party.residual_export)
            lines += _supply(case, supply, "surplus")
    minted, retired = _certificates(case, settled)
    return Books(settled, residual, surplus, minted, retired, lines)


def applies(row_hours: tuple[int, int], hour: int) -> bool:
    """Whether a band holds at an hour, by walking the clock from its start to its end.

    "from_hour <= local hour < to_hour (absent 0 and 24; from > to passes midnight)".
    """
    start, end = row_hours
    if start == end:
        return False
    at = start
    while True:
        if at % 24 == hour and at != 24:
            return True
        at = 0 if at == 24 and start > end else at + 1
        if at == end or at > 24:
            return False


def _delivered(case: Case) -> dict[str, int]:
    """ "walk the slot's trades in match sequence; settled = min(contract, seller's remaining
    export, buyer's remaining import)" """
    settled: dict[str, int] = {}
    for index, trade in enumerate(case.trades):
        before = case.trades[:index]
        exported = sum(settled[t.id] for t in before if t.seller == trade.seller)
        imported = sum(settled[t.id] for t in before if t.buyer == trade.buyer)
        settled[trade.id] = min(
            trade.quantity,
            _reading(case, trade.seller).export - exported,
            _reading(case, trade.buyer).import_ - imported,
        )
    return settled


def _trade_lines(case: Case, trade: TradeIn, wh: int) -> list[Line]:
    if wh == 0:
        return []
    seller, buyer = case.parties[trade.seller], case.parties[trade.buyer]
    assert seller.retailer is not None
    assert buyer.retailer is not None
    lines: list[Line] = []
    # The rule: "seller -> its retailer at sell_price"
    supply = Supply(trade.seller, seller.retailer, wh, trade.sell_price)
    lines += _supply(case, supply, "energy", trade=trade.id)
    # The rule: "seller's retailer -> buyer's retailer at sell_price, when they differ (no VAT
    # where reverse_charge is set)"
    supply = Supply(seller.retailer, buyer.retailer, wh, trade.sell_price)
    lines += _supply(case, supply, "energy", trade=trade.id, untaxed=case.reverse_charge)
    # The rule: "buyer's retailer -> buyer at buy_price"
    supply = Supply(buyer.retailer, trade.buyer, wh, trade.buy_price)
    lines += _supply(case, supply, "energy", trade=trade.id)
    # The rule: "the buyer's retailer pays Wh x (buy_price - sell_price) into spread"
    spread = wh * (trade.buy_price - trade.sell_price)
    lines += _move(buyer.retailer, "spread", spread, "spread", trade.id)
    return lines + _fees(case, trade.buyer, wh, trade.relation, trade=trade)


def _penalty(case: Case, trade: TradeIn, settled: dict[str, int]) -> list[Line]:
    """ "only where the rule sets `shortfall_penalty`, micro/kWh: the seller pays the buyer on
    min(contract, buyer's remaining import) - settled" """
    before = case.trades[: case.trades.index(trade)]
    imported = sum(settled[t.id] for t in before if t.buyer == trade.buyer)
    remaining = _reading(case, trade.buyer).import_ - imported
    lacking = min(trade.quantity, remaining) - settled[trade.id]
    # The rule: "The outside leg, spread and penalties have none", of VAT.
    nano = lacking * case.shortfall_penalty
    return _move(trade.seller, trade.buyer, nano, "penalty", trade.id) if nano else []


def _supply(
    case: Case, supply: Supply, kind: str, *, trade: str = "", untaxed: bool = False
) -> list[Line]:
    supplier, customer = supply.supplier, supply.customer
    amount = supply.wh * supply.price
    # The rule: "A leg to oneself is not posted."
    if supplier == customer:
        return []
    lines = _move(customer, supplier, amount, kind, trade)
    vat = case.parties[supplier].vat
    # The rule: "Only a taxable supplier adds VAT, at its own rate_ppm, on Wh x the leg's price, signed like
    # it and rounded per leg; the customer pays it from its own account into vat:<supplier>"
    if vat.status == "taxable" and not untaxed:
        due = half_away(amount * Fraction(vat.rate_ppm, 10**6))
        lines += _move(customer, f"vat:{supplier}", due, "vat", trade)
    return lines


def _fees(
    case: Case, meter: str, wh: int, relation: str, *, trade: TradeIn | None = None
) -> list[Line]:
    lines: list[Line] = []
    party: PartyIn = case.parties[meter]
    for row in case.fees:
        # The rule: "It applies if relation and grid level match (absent: any) and the hour is in its band."
        if row.relation is not None and row.relation != relation:
            continue
        if row.grid_level is not None and row.grid_level != party.grid_level:
            continue
        if not applies((row.from_hour, row.to_hour), _hour(case)):
            continue
        rate = Fraction(row.rate)
        # The rule: "a grid fee on a trade posts Wh x max(0, rate - the path's edge tariffs)"
        if row.kind == "grid" and trade is not None:
            rate = max(Fraction(0), rate - trade.tariff)
        trade_id = "" if trade is None else trade.id
        lines += _move(meter, row.payee, half_away(wh * rate), f"fee:{row.kind}", trade_id)
        # The rule: "its VAT goes to vat:<supplier> (supplier absent: the payee)"
        due = half_away(wh * rate * Fraction(row.vat_ppm, 10**6))
        supplier = row.payee if row.supplier is None else row.supplier
        lines += _move(meter, f"vat:{supplier}", due, f"vat:{row.kind}", trade_id)
    return lines


def _certificates(case: Case, settled: dict[str, int]) -> tuple[dict[str, int], dict[str, int]]:
    # The rule: "on min(export, certified generation) Wh (without a generation meter: export)"
    minted: dict[str, int] = {}
    for meter in case.parties:
        reading = _reading(case, meter)
        generated = reading.export if reading.generation is None else reading.generation
        minted[meter] = min(reading.export, generated)
    # The rule: "Retired by the consumer on the settled Wh, at most what the seller minted." In match order.
    retired: dict[str, int] = {}
    used: dict[str, int] = {}
    for trade in case.trades:
        left = minted[trade.seller] - used.get(trade.seller, 0)
        wh = min(settled[trade.id], left)
        used[trade.seller] = used.get(trade.seller, 0) + wh
        retired[trade.buyer] = retired.get(trade.buyer, 0) + wh
    return minted, retired


def _move(payer: str, receiver: str, nano: int, kind: str, trade: str) -> list[Line]:
    return [Line(receiver, kind, trade, nano), Line(payer, kind, trade, -nano)]


def _reading(case: Case, meter: str) -> ReadingIn:
    return case.readings.get(meter, ReadingIn())


def _hour(case: Case) -> int:
    start = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=case.slot)
    return int(start.astimezone(ZoneInfo(case.time_zone)).strftime("%H"))


def explained_nano(posting: Posting, before_nano: int = 0) -> int:
    """The amount of a line from its explanation alone, as its receiver gets it.

    `before_nano` is what a corrected line found posted; its own amount is what it adds to that.
    """
    told = posting.explanation
    match told.rule:
        case "priced":
            return told.quantity_wh * (told.rate - told.in_price)
        case "taxed":
            return half_away(Fraction(told.base_nano * told.rate, 10**6))
        case "cancelled" | "carried" | "repaid":
            return told.base_nano
        case "corrected":
            assert told.base_nano == before_nano
            return posting.amount_nano


def half_away(amount: Fraction) -> int:
    """The nearest whole number, halves away from zero."""
    whole = int(abs(amount) + Fraction(1, 2))
    return whole if amount >= 0 else -whole
