"""Random slots: the contract's functions against the slow reference, and what must always hold."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from chaincode.accounts.posting import kind_of
from chaincode.area.fees import FeeRow, Relation, check_rows, highest_cover, matching, relation_of
from chaincode.area.vat import (
    Vat,
)
from chaincode.clearing.cover import (
    cover_nano,
)
from chaincode.settlement.postings import (
    Billing,
    Party,
    SettledTrade,
    cancellation_postings,
    penalty_postings,
    residual_postings,
    surplus_postings,
    totals,
    trade_postings,
)
from tests.chaincode.settlement.case import (
    Case,
    PartyIn,
    ReadingIn,
    Result,
    TradeIn,
    present,
    settle_case,
)
from tests.chaincode.settlement.reference import explained_nano, settle_slowly

RETAILERS = ("r0", "r1", "r2")
HOUSEHOLDS = ("a", "b", "c", "d")
# A retailer's own plant or load trades too: then some legs would be to oneself.
METERS = (*HOUSEHOLDS, "r0")
YEAR_2026 = 1_767_225_600

prices = st.one_of(
    st.integers(-500_000, 4_000_000), st.sampled_from([-1, 0, 1, 100_000]), st.integers(-9, 9)
)
energies = st.one_of(st.integers(0, 12), st.integers(0, 6000), st.integers(0, 10**9))
rates_ppm = st.sampled_from([0, 1, 70_000, 190_000, 200_000, 500_000, 999_999, 1_000_000])
vats = st.builds(
    Vat, status=st.sampled_from(["private", "small_business", "taxable"]), rate_ppm=rates_ppm
)
relations = st.builds(relation_of, st.integers(3, 7))

fee_rows = st.builds(
    FeeRow,
    kind=st.sampled_from(["grid", "loss", "levy"]),
    payee=st.sampled_from(["dso", "state", "r1"]),
    supplier=st.sampled_from([None, "dso", "r1"]),
    relation=st.sampled_from([None, "local", "regional", "beyond", "residual"]),
    grid_level=st.sampled_from([None, 6, 7]),
    from_hour=st.integers(0, 24),
    to_hour=st.integers(0, 24),
    rate=st.one_of(st.integers(0, 100_000), st.integers(0, 9)),
    vat_ppm=rates_ppm,
)


def without_overlap(rows: Iterable[FeeRow]) -> tuple[FeeRow, ...]:
    """The rows that may stand together, the earlier one kept."""
    kept: list[FeeRow] = []
    for row in rows:
        if check_rows([*kept, row]) is None:
            kept.append(row)
    return tuple(kept)


fee_tables = st.lists(fee_rows, max_size=8).map(without_overlap)


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """A slot with up to five meters, three retailers, eight trades and any table of fees."""
    parties = {name: PartyIn(vat=draw(vats)) for name in RETAILERS}
    readings: dict[str, ReadingIn] = {}
    for meter in METERS:
        parties[meter] = PartyIn(
            retailer="r0" if meter == "r0" else draw(st.sampled_from(RETAILERS)),
            offtaker=draw(st.sampled_from([None, "r1", "trader"])),
            residual_import=draw(prices),
            residual_export=draw(prices),
            grid_level=draw(st.sampled_from([None, 5, 6, 7])),
            vat=draw(vats),
        )
        if draw(st.booleans()):
            generation = draw(st.one_of(st.none(), energies))
            readings[meter] = ReadingIn(draw(energies), draw(energies), generation)
    trades = tuple(
        TradeIn(
            id=f"t{index}",
            seller=draw(st.sampled_from(METERS)),
            buyer=draw(st.sampled_from(METERS)),
            quantity=draw(energies),
            buy_price=draw(prices),
            sell_price=draw(prices),
            relation=draw(relations),
            tariff=draw(st.integers(0, 120_000)),
        )
        for index in range(draw(st.integers(0, 8)))
    )
    return Case(
        slot=YEAR_2026 + 900 * draw(st.integers(0, 35_039)),
        parties=parties,
        readings=readings,
        trades=trades,
        fees=draw(fee_tables),
        time_zone=draw(st.sampled_from(["UTC", "Europe/Vienna"])),
        reverse_charge=draw(st.booleans()),
        shortfall_penalty=draw(st.sampled_from([0, 1, 80_000, 10_000_000])),
    )


def by_place(amounts: Iterable[tuple[str, str, str, int]]) -> dict[tuple[str, str, str], int]:
    """Amounts summed per account, kind and trade; empty places left out."""
    sums: dict[tuple[str, str, str], int] = {}
    for account, kind, trade, nano in amounts:
        place = (account, kind, trade)
        sums[place] = sums.get(place, 0) + nano
    return {place: nano for place, nano in sums.items() if nano}


@settings(max_examples=400, deadline=None)
@given(cases())
def test_any_slot_settles_as_the_slow_reference_says(case: Case) -> None:
    fast, slow = settle_case(case), settle_slowly(case)

    assert fast.settled == slow.settled
    assert fast.residual_import == present(slow.residual_import)
    assert fast.surplus == present(slow.surplus)
    assert fast.minted == present(slow.minted)
    assert fast.retired == present(slow.retired)
    lines = ((p.account, p.kind, p.trade, p.amount_nano) for p in fast.postings)
    assert by_place(lines) == by_place(slow.lines)


@settings(max_examples=200, deadline=None)
@given(cases())
def test_every_amount_follows_from_its_explanation(case: Case) -> None:
    for posting in settle_case(case).postings:
        explained = explained_nano(posting)

        assert posting.amount_nano in (explained, -explained), posting
        assert kind_of(posting.kind).section


@settings(max_examples=200, deadline=None)
@given(cases(), st.integers(1, 4))
def test_a_slot_in_pages_settles_as_the_slot_at_once(case: Case, page: int) -> None:
    assert settle_case(case, page=page) == settle_case(case)


@settings(max_examples=300, deadline=None)
@given(cases())
def test_energy_money_and_certificates_are_conserved(case: Case) -> None:
    result = settle_case(case)

    assert result.sum == 0
    for meter in METERS:
        reading = case.readings.get(meter, ReadingIn())
        bought_wh = sum(result.settled[t.id] for t in case.trades if t.buyer == meter)
        sold_wh = sum(result.settled[t.id] for t in case.trades if t.seller == meter)
        assert bought_wh + result.residual_import.get(meter, 0) == reading.import_
        assert sold_wh + result.surplus.get(meter, 0) == reading.export
    minted_wh, retired_wh = sum(result.minted.values()), sum(result.retired.values())
    assert 0 <= retired_wh <= minted_wh
    assert all(0 <= result.settled[t.id] <= t.quantity for t in case.trades)
    assert_retired_within_what_each_plant_minted(case, result)


@settings(max_examples=300, deadline=None)
@given(cases())
def test_a_penalty_leaves_everything_else_of_a_slot_as_it_is(case: Case) -> None:
    """What a seller pays on undelivered Wh goes to its buyer, and moves no Wh and no other line."""
    without = settle_case(msgspec.structs.replace(case, shortfall_penalty=0))

    result = settle_case(case)

    penalties = [posting for posting in result.postings if posting.kind == "penalty"]
    others = tuple(posting for posting in result.postings if posting.kind != "penalty")
    assert others == without.postings
    assert sum(posting.amount_nano for posting in penalties) == 0
    trades = {trade.id: trade for trade in case.trades}
    for posting in penalties:
        trade, wh = trades[posting.trade], posting.explanation.quantity_wh
        assert 0 < wh <= trade.quantity - result.settled[trade.id]
        paid = posting.account == trade.seller
        assert posting.amount_nano == (-wh if paid else wh) * case.shortfall_penalty


def assert_retired_within_what_each_plant_minted(case: Case, result: Result) -> None:
    """A buyer retires all it was delivered, unless its sellers' plants minted less."""
    for meter in METERS:
        sold_wh = sum(result.settled[t.id] for t in case.trades if t.seller == meter)
        if sold_wh > result.minted.get(meter, 0):
            return
    assert sum(result.retired.values()) == sum(result.settled.values())


LEVEL, HOUR = 7, 13
BUYER = Party("buyer", "rb", "rb", 250_000, 60_000, LEVEL)
SELLER = Party("seller", "rs", "rs", 250_000, 60_000, LEVEL)


@st.composite
def fills(draw: st.DrawFn, limit: int, side: str) -> list[tuple[SettledTrade, Relation]]:
    """Trades of one order at prices not worse than its limit, whatever the other side's are."""
    found: list[tuple[SettledTrade, Relation]] = []
    better = st.one_of(st.just(0), st.just(1), st.integers(0, 4_500_000))
    for index in range(draw(st.integers(1, 6))):
        own = limit - draw(better) if side == "buy" else limit + draw(better)
        other = draw(prices)
        buy, sell = (own, other) if side == "buy" else (other, own)
        tariff = draw(st.integers(0, 50_000))
        trade = SettledTrade(f"t{index}", draw(energies), buy, sell, tariff)
        found.append((trade, draw(relations)))
    return found


@settings(max_examples=400, deadline=None)
@given(st.data(), fee_tables, st.tuples(vats, vats), prices, st.sampled_from([0, 1, 1000]))
def test_the_cover_of_a_purchase_is_never_less_than_it_costs(
    data: st.DataObject,
    rows: tuple[FeeRow, ...],
    statuses: tuple[Vat, Vat],
    limit: int,
    spare_wh: int,
) -> None:
    vat, other = statuses
    matched = data.draw(fills(limit, "buy"))
    billing = Billing({"rs": other, "rb": vat})
    seller = msgspec.structs.replace(SELLER, vat=other)
    quantity_wh = sum(trade.settled_wh for trade, _ in matched) + spare_wh
    fees = highest_cover(rows, grid_level=LEVEL, local_hour=HOUR)
    vat_ppm = vat.rate_ppm if vat.status == "taxable" else 0

    cover = cover_nano(
        side="buy",
        limit=limit,
        quantity_wh=quantity_wh,
        fees=fees,
        vat_ppm=vat_ppm,
        shortfall_penalty=0,
    )

    cost = 0
    for trade, relation in matched:
        applying = matching(rows, relation=relation, grid_level=LEVEL, local_hour=HOUR)
        posted = trade_postings(trade, seller=seller, buyer=BUYER, fees=applying, billing=billing)
        cost -= totals(posted).get("buyer", 0)
    assert cover >= max(0, cost)


@settings(max_examples=200, deadline=None)
@given(fee_tables, rates_ppm, st.integers(0, 4_000_000), st.integers(1, 10**9))
def test_the_cover_of_a_purchase_is_not_more_than_the_dearest_trade_and_its_roundings(
    rows: tuple[FeeRow, ...], vat_ppm: int, limit: int, wh: int
) -> None:
    billing = Billing({"rs": Vat(), "rb": Vat("taxable", vat_ppm)})
    fees = highest_cover(rows, grid_level=LEVEL, local_hour=HOUR)
    cover = cover_nano(
        side="buy", limit=limit, quantity_wh=wh, fees=fees, vat_ppm=vat_ppm, shortfall_penalty=0
    )

    dearest = 0
    for level in (3, 5, 7):
        applying = matching(rows, relation=relation_of(level), grid_level=LEVEL, local_hour=HOUR)
        trade = SettledTrade("t", wh, limit, limit)
        posted = trade_postings(trade, seller=SELLER, buyer=BUYER, fees=applying, billing=billing)
        dearest = max(dearest, -totals(posted).get("buyer", 0))

    # Each VAT is rounded up by less than one micro/kWh, which is one nano per Wh.
    assert 0 <= cover - dearest <= wh * (1 + len(rows))


@settings(max_examples=200, deadline=None)
@given(st.data(), vats, prices, st.integers(0, 500_000))
def test_the_cover_of_a_sale_is_never_less_than_it_costs(
    data: st.DataObject, vat: Vat, limit: int, penalty: int
) -> None:
    """Of each trade some Wh are delivered, and a penalty is due on others."""
    matched = data.draw(fills(limit, "sell"))
    billing = Billing({"rs": vat, "rb": vat})
    seller = msgspec.structs.replace(SELLER, vat=vat)
    lacking_wh = [data.draw(energies) for _ in matched]
    quantity_wh = sum(trade.settled_wh for trade, _ in matched) + sum(lacking_wh)

    cover = cover_nano(
        side="sell",
        limit=limit,
        quantity_wh=quantity_wh,
        fees=0,
        vat_ppm=0,
        shortfall_penalty=penalty,
    )

    cost = 0
    for (trade, _), wh in zip(matched, lacking_wh, strict=True):
        posted = trade_postings(trade, seller=seller, buyer=BUYER, fees=[], billing=billing)
        posted += penalty_postings(
            trade.id, seller="seller", buyer="buyer", undelivered_wh=wh, penalty=penalty
        )
        cost -= totals(posted).get("seller", 0)
    assert cover >= max(0, cost)


@settings(max_examples=200, deadline=None)
@given(energies, prices, fee_tables, vats)
def test_every_set_of_postings_sums_to_zero(
    wh: int, price: int, rows: tuple[FeeRow, ...], vat: Vat
) -> None:
    billing = Billing({"rb": vat, "rs": vat})
    party = Party("buyer", "rb", "o", price, price, LEVEL, vat=vat, surplus_vat=vat)
    trade = SettledTrade("t", wh, price, price - 7, 3)
    applying = matching(rows, relation="residual", grid_level=LEVEL, local_hour=HOUR)

    sets = (
        trade_postings(trade, seller=SELLER, buyer=party, fees=applying, billing=billing),
        residual_postings(party, wh, fees=applying, billing=billing),
        surplus_postings(party, wh),
        cancellation_postings("buyer", dso="dso", cancelled_wh=wh, fee_nano=abs(price)),
        penalty_postings("t", seller="s", buyer="buyer", undelivered_wh=wh, penalty=abs(price)),
    )

    for postings in sets:
        assert sum(posting.amount_nano for posting in postings) == 0
        assert sum(totals(postings).values()) == 0
