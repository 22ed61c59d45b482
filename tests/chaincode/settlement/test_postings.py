"""Single legs, fees and covers, each posting drawn as a line: account, amount, kind, explanation."""

from __future__ import annotations

from collections.abc import Iterable

import msgspec
import pytest

from chaincode.accounts.posting import Explanation, Posting
from chaincode.area.fees import FeeRow
from chaincode.area.vat import (
    Vat,
)
from chaincode.clearing.cover import (
    cover_nano,
)
from chaincode.errors import Broken
from chaincode.settlement.postings import (
    Billing,
    Party,
    SettledTrade,
    cancellation_postings,
    residual_postings,
    surplus_postings,
    totals,
    trade_postings,
)
from tests.chaincode.wording import in_english

SELLER = Party("s", "rs", "rs", 250_000, 60_000, 7)
TAXED_SELLER = Party("s", "rs", "rs", 250_000, 60_000, 7, vat=Vat("taxable", 100_000))
BUYER = Party("b", "rb", "rb", 250_000, 60_000, 7)
TAXED = Billing({"rs": Vat("taxable", 200_000), "rb": Vat("taxable", 190_000)})
PRICED = Explanation("priced")
PLAIN = Billing({"rs": Vat(), "rb": Vat(), "o": Vat()})


def drawn(postings: Iterable[Posting]) -> str:
    """Postings as a table."""
    return "\n".join(
        f"{p.account:8}{p.amount_nano:>10}  {p.kind:10}{in_english(p)}" for p in postings
    )


def table(text: str) -> str:
    """A table drawn in a test, without its indentation."""
    return "\n".join(line.strip() for line in text.strip().splitlines())


def sold(
    trade: SettledTrade,
    billing: Billing,
    *,
    fees: Iterable[FeeRow] = (),
    seller: Party | None = None,
) -> list[Posting]:
    """The postings of a trade between two parties; the seller adds VAT if the retailers do."""
    seller = seller or (SELLER if billing is PLAIN else TAXED_SELLER)
    return trade_postings(trade, seller=seller, buyer=BUYER, fees=list(fees), billing=billing)


def test_a_trade_through_two_retailers_bills_each_leg_with_its_suppliers_vat() -> None:
    trade = SettledTrade("t1", 10, 1200, 1000)

    assert drawn(sold(trade, TAXED)) == table(
        """
        s            10000  energy    10 Wh x 1000
        rs          -10000  energy    10 Wh x 1000
        vat:s         1000  vat       VAT at 100000 ppm on 10000
        rs           -1000  vat       VAT at 100000 ppm on 10000
        rs           10000  energy    10 Wh x 1000
        rb          -10000  energy    10 Wh x 1000
        vat:rs        2000  vat       VAT at 200000 ppm on 10000
        rb           -2000  vat       VAT at 200000 ppm on 10000
        rb           12000  energy    10 Wh x 1200
        b           -12000  energy    10 Wh x 1200
        vat:rb        2280  vat       VAT at 190000 ppm on 12000
        b            -2280  vat       VAT at 190000 ppm on 12000
        rb           -2000  spread    10 Wh x (1200 - 1000)
        spread        2000  spread    10 Wh x (1200 - 1000)
        """
    )


def test_reverse_charge_takes_the_vat_from_the_leg_between_the_retailers_only() -> None:
    trade = SettledTrade("t1", 10, 1000, 1000)
    reverse = Billing(TAXED.vat, reverse_charge=True)

    with_vat = totals(sold(trade, TAXED))
    without = totals(sold(trade, reverse))

    assert with_vat["vat:rs"] == 2000
    assert "vat:rs" not in without
    assert (without["vat:s"], without["vat:rb"]) == (1000, 1900)
    assert without["rb"] == with_vat["rb"] + 2000


def test_one_retailer_of_both_sides_has_no_leg_with_itself() -> None:
    buyer = Party("b", "rs", "rs", 0, 0, 7)

    postings = trade_postings(
        SettledTrade("t1", 10, 1000, 1000), seller=SELLER, buyer=buyer, fees=[], billing=PLAIN
    )

    assert [p.account for p in postings] == ["s", "rs", "rs", "b"]
    assert totals(postings) == {"s": 10_000, "rs": 0, "b": -10_000}


def test_a_retailers_own_meters_have_no_leg_with_themselves_but_pay_the_spread() -> None:
    plant, load = Party("rs", "rs", "rs", 0, 0, 7), Party("rb", "rb", "rb", 0, 0, 7)

    postings = trade_postings(
        SettledTrade("t1", 10, 1200, 1000), seller=plant, buyer=load, fees=[], billing=PLAIN
    )

    assert [(p.account, p.kind) for p in postings] == [
        ("rs", "energy"),
        ("rb", "energy"),
        ("rb", "spread"),
        ("spread", "spread"),
    ]
    assert totals(postings) == {"rs": 10_000, "rb": -12_000, "spread": 2000}


def test_a_negative_price_turns_money_and_vat_and_keeps_the_supplier() -> None:
    postings = sold(SettledTrade("t1", 10, -1000, -1000), TAXED)

    assert totals(postings) == {
        "s": -10_000,
        "rs": 1000,  # what it saves in VAT on what it bought
        "vat:s": -1000,
        "rb": 2000,
        "vat:rs": -2000,
        "b": 11_900,
        "vat:rb": -1900,
    }


@pytest.mark.parametrize("status", ["private", "small_business"])
def test_only_a_taxable_supplier_adds_vat_whatever_its_rate(status: str) -> None:
    vat = Vat(status, 200_000)  # pyright: ignore[reportArgumentType] parametrised from the closed list
    billing = Billing(dict.fromkeys(("rs", "rb"), vat))
    seller = msgspec.structs.replace(SELLER, vat=vat)

    postings = sold(SettledTrade("t1", 10, 1000, 1000), billing, seller=seller)

    assert {p.kind for p in postings} == {"energy"}


@pytest.mark.parametrize(
    ("wh", "price", "rate_ppm", "vat"),
    [(1, 1, 500_000, 1), (1, -1, 500_000, -1), (1, 1, 499_999, 0), (1, 3, 500_000, 2)],
)
def test_vat_is_rounded_per_leg_half_away_from_zero(
    wh: int, price: int, rate_ppm: int, vat: int
) -> None:
    seller = msgspec.structs.replace(SELLER, vat=Vat("taxable", rate_ppm))

    postings = sold(SettledTrade("t1", wh, price, price), PLAIN, seller=seller)

    assert totals(postings).get("vat:s", 0) == vat


def test_a_grid_fee_leaves_out_what_edge_tariffs_collected() -> None:
    grid = FeeRow("grid", "dso", 34_400, 200_000)
    loss = FeeRow("loss", "dso", 5000)
    trade = SettledTrade("t1", 10, 0, 0, tariff=10_000)

    postings = [p for p in sold(trade, PLAIN, fees=[grid, loss]) if p.kind != "energy"]

    assert drawn(postings) == table(
        """
        dso         244000  fee:grid  10 Wh x 24400; rate 34400, of which in price 10000
        b          -244000  fee:grid  10 Wh x 24400; rate 34400, of which in price 10000
        vat:dso      48800  vat:grid  VAT at 200000 ppm on 244000
        b           -48800  vat:grid  VAT at 200000 ppm on 244000
        dso          50000  fee:loss  10 Wh x 5000
        b           -50000  fee:loss  10 Wh x 5000
        """
    )


def test_a_grid_fee_is_never_below_nothing_and_still_told() -> None:
    trade = SettledTrade("t1", 10, 0, 0, tariff=50_000)

    postings = sold(trade, PLAIN, fees=[FeeRow("grid", "dso", 34_400, 200_000)])

    told = [(p.account, p.amount_nano, in_english(p)) for p in postings if p.kind == "fee:grid"]
    explain = "10 Wh x 0; rate 34400, of which in price 34400"
    assert told == [("dso", 0, explain), ("b", 0, explain)]
    assert "vat:dso" not in totals(postings)


def test_the_vat_of_a_fee_goes_to_its_supplier_and_without_one_to_the_payee() -> None:
    rows = [FeeRow("levy", "state", 100, 200_000, "dso"), FeeRow("loss", "grid-co", 50, 200_000)]

    sums = totals(residual_postings(BUYER, 10, fees=rows, billing=PLAIN))

    assert (sums["state"], sums["vat:dso"]) == (1000, 200)
    assert (sums["grid-co"], sums["vat:grid-co"]) == (500, 100)
    assert "vat:state" not in sums


def test_residual_supply_pays_the_full_grid_rate_and_its_retailers_vat() -> None:
    fees = [FeeRow("grid", "dso", 80_000, 200_000)]

    assert drawn(residual_postings(BUYER, 2, fees=fees, billing=TAXED)) == table(
        """
        rb          500000  residual  2 Wh x 250000
        b          -500000  residual  2 Wh x 250000
        vat:rb       95000  vat       VAT at 190000 ppm on 500000
        b           -95000  vat       VAT at 190000 ppm on 500000
        dso         160000  fee:grid  2 Wh x 80000
        b          -160000  fee:grid  2 Wh x 80000
        vat:dso      32000  vat:grid  VAT at 200000 ppm on 160000
        b           -32000  vat:grid  VAT at 200000 ppm on 160000
        """
    )


def test_a_retailer_does_not_supply_itself_but_its_own_load_pays_the_fees() -> None:
    load = Party("rb", "rb", "rb", 250_000, 0, 7)

    postings = residual_postings(load, 2, fees=[FeeRow("grid", "dso", 5)], billing=PLAIN)

    assert totals(postings) == {"dso": 10, "rb": -10}


def test_surplus_is_bought_by_the_offtaker_with_the_producers_vat() -> None:
    party = Party("s", "rs", "o", 0, 60_000, 7, surplus_vat=Vat("taxable", 100_000))

    assert drawn(surplus_postings(party, 3)) == table(
        """
        s           180000  surplus   3 Wh x 60000
        o          -180000  surplus   3 Wh x 60000
        vat:s        18000  vat       VAT at 100000 ppm on 180000
        o           -18000  vat       VAT at 100000 ppm on 180000
        """
    )


def test_an_offtaker_does_not_buy_its_own_surplus() -> None:
    plant = Party("o", "rs", "o", 0, 60_000, 7)

    assert surplus_postings(plant, 3) == []


def test_the_fee_on_cancelled_energy_goes_to_the_dso_without_vat() -> None:
    postings = cancellation_postings("b", dso="dso", cancelled_wh=700, fee_nano=1_400_000)

    assert drawn(postings) == table(
        """
        b         -1400000  fee:cancel700 Wh cancelled
        dso        1400000  fee:cancel700 Wh cancelled
        """
    )
    assert cancellation_postings("b", dso="dso", cancelled_wh=700, fee_nano=0) == []


def test_a_cancellation_fee_below_zero_is_broken() -> None:
    with pytest.raises(Broken, match="a cancellation fee of -1 nano"):
        cancellation_postings("b", dso="dso", cancelled_wh=700, fee_nano=-1)


def test_nothing_settled_posts_nothing() -> None:
    fees = [FeeRow("grid", "dso", 5)]

    assert sold(SettledTrade("t1", 0, 1200, 1000), PLAIN, fees=fees) == []
    assert residual_postings(BUYER, 0, fees=fees, billing=PLAIN) == []
    assert surplus_postings(BUYER, 0) == []


def test_energy_below_zero_is_broken() -> None:
    with pytest.raises(Broken, match="-1 Wh cannot be settled"):
        sold(SettledTrade("t1", -1, 0, 0), PLAIN)


def test_a_supplier_without_a_vat_status_is_broken_and_not_taken_as_private() -> None:
    with pytest.raises(Broken, match="supplier rb has no VAT status"):
        residual_postings(BUYER, 1, fees=[], billing=Billing({}))


def test_postings_that_do_not_sum_to_zero_are_broken() -> None:
    with pytest.raises(Broken, match="postings sum to 3 nano"):
        totals([Posting("a", 5, "energy", PRICED), Posting("b", -2, "energy", PRICED)])


@pytest.mark.parametrize(
    ("side", "limit", "fees", "vat_ppm", "cover"),
    [
        ("buy", 100_000, 0, 0, 500_000_000),
        ("buy", 100_000, 41_280, 200_000, 806_400_000),
        ("buy", 100_001, 0, 200_000, 600_010_000),  # VAT of 20000.2 taken as 20001
        ("buy", -40_000, 41_280, 200_000, 6_400_000),
        ("buy", -50_000, 41_280, 200_000, 0),
        ("sell", 100_000, 41_280, 200_000, 0),
        ("sell", 0, 0, 0, 0),
        ("sell", -3000, 41_280, 200_000, 15_000_000),
    ],
)
@pytest.mark.parametrize("penalty", [0, 7000])
def test_the_cover_of_5000_wh(
    side: str, limit: int, fees: int, vat_ppm: int, cover: int, *, penalty: int
) -> None:
    """A sale reserves the penalty at any limit, on top of the rest; a purchase never."""
    assert side in ("buy", "sell")

    reserved = cover_nano(
        side=side,
        limit=limit,
        quantity_wh=5000,
        fees=fees,
        vat_ppm=vat_ppm,
        shortfall_penalty=penalty,
    )

    if side == "sell":
        cover += 5000 * penalty
    assert reserved == cover
