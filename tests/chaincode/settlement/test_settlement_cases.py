"""Worked cases with known answers: delivery in order, fees with VAT, the format's own example."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.chaincode.settlement.case import Case, read_case, settle_case
from tests.chaincode.settlement.reference import settle_slowly
from tests.chaincode.wording import in_english

M = 1_000_000  # nano: the cases give amounts in thousandths of a currency unit
VIENNA_MIDNIGHT = 1_797_721_200  # 2026-12-20 00:00 in Vienna


def case_of(text: dict[str, Any]) -> Case:
    """A case from its JSON form, with a slot in UTC where it names none."""
    return read_case(json.dumps({"slot": VIENNA_MIDNIGHT, **text}))


def trade(trade_id: str, seller: str, buyer: str, quantity: int, price: int, **more: Any) -> Any:
    """A trade whose two prices are equal."""
    prices = {"buy_price": price, "sell_price": price}
    return {
        "id": trade_id,
        "seller": seller,
        "buyer": buyer,
        "quantity": quantity,
        **prices,
        **more,
    }


HOUSEHOLD = {"retailer": "R", "residual_import": 250_000, "residual_export": 60_000}

SHORT = {
    "trades": [trade("t1", "S", "B1", 5000, 100_000), trade("t2", "S", "B2", 4000, 120_000)],
    "readings": {"S": {"export": 8000}, "B1": {"import": 6000}, "B2": {"import": 4500}},
    "parties": {"S": HOUSEHOLD, "B1": HOUSEHOLD, "B2": HOUSEHOLD, "R": {}},
}

TAXED = {"vat": {"status": "taxable", "rate_ppm": 200_000}}
DSO_FEE = {"payee": "DSO", "supplier": "DSO", "vat_ppm": 200_000}
FEES = {
    "trades": [
        trade("t1", "S1", "B", 1000, 120_000, relation="local"),
        trade("t2", "S2", "B", 800, 130_000, relation="regional"),
    ],
    "readings": {"S1": {"export": 1000}, "S2": {"export": 800}, "B": {"import": 3000}},
    "parties": {"S1": HOUSEHOLD, "S2": HOUSEHOLD, "B": HOUSEHOLD, "R": TAXED},
    "fees": [
        {"kind": "grid", **DSO_FEE, "relation": "local", "rate": 34_400},
        {"kind": "grid", **DSO_FEE, "relation": "regional", "rate": 57_600},
        {"kind": "grid", **DSO_FEE, "relation": "residual", "rate": 80_000},
        {"kind": "loss", **DSO_FEE, "rate": 5000},
        {"kind": "levy", **DSO_FEE, "payee": "levy", "relation": "residual", "rate": 10_000},
    ],
}

FORMAT_EXAMPLE = """
{"slot": 1797724800, "time_zone": "Europe/Vienna", "firmness": "as_delivered",
 "distribution": "trade_order", "contract_model": "through_retailer", "reverse_charge": false,
 "trades": [{"id": "t1", "seller": "s", "buyer": "b", "quantity": 5000, "buy_price": 100000,
             "sell_price": 100000, "relation": "local", "tariff": 0}],
 "readings": {"s": {"export": 8000, "import": 0}, "b": {"export": 0, "import": 6000}},
 "parties": {"s": {"retailer": "r", "offtaker": "r", "residual_import": 250000,
                   "residual_export": 60000, "grid_level": 7,
                   "vat": {"status": "private", "rate_ppm": 0}},
             "b": {"retailer": "r", "residual_import": 250000, "grid_level": 7},
             "r": {"vat": {"status": "taxable", "rate_ppm": 200000}}},
 "fees": [{"kind": "grid", "payee": "dso", "supplier": "dso", "relation": "local",
           "grid_level": 7, "from_hour": 0, "to_hour": 24, "rate": 34400, "vat_ppm": 200000}]}
"""


def test_short_seller_delivers_in_trade_order_and_the_retailer_the_rest() -> None:
    result = settle_case(case_of(SHORT))

    assert result.settled == {"t1": 5000, "t2": 3000}
    assert result.residual_import == {"B1": 1000, "B2": 1500}
    assert result.surplus == {}
    assert result.minted == {"S": 8000}
    assert result.retired == {"B1": 5000, "B2": 3000}
    assert result.totals == {"S": 860 * M, "B1": -750 * M, "B2": -735 * M, "R": 625 * M}
    assert result.sum == 0


def test_fees_and_vat_go_to_their_payees_and_suppliers() -> None:
    result = settle_case(case_of(FEES))

    assert result.settled == {"t1": 1000, "t2": 800}
    assert result.residual_import == {"B": 1200}
    assert result.totals == {
        "B": -872_976_000,
        "S1": 120 * M,
        "S2": 104 * M,
        "R": 300 * M,
        "vat:R": 104_800_000,
        "DSO": 191_480_000,
        "levy": 12 * M,
        "vat:DSO": 40_696_000,
    }
    assert result.sum == 0
    by_kind = {
        kind: sum(p.amount_nano for p in result.postings if p.kind == kind and p.account != "B")
        for kind in ("fee:grid", "fee:loss", "fee:levy")
    }
    assert by_kind == {"fee:grid": 176_480_000, "fee:loss": 15 * M, "fee:levy": 12 * M}


def test_the_example_of_the_format_comes_out_as_printed() -> None:
    result = settle_case(read_case(FORMAT_EXAMPLE))

    assert result.settled == {"t1": 5000}
    assert result.residual_import == {"b": 1000}
    assert result.surplus == {"s": 3000}
    assert result.minted == {"s": 8000}
    assert result.retired == {"b": 5000}
    assert result.totals == {
        "b": -1_106_400_000,
        "s": 680 * M,
        "r": 70 * M,
        "vat:r": 150 * M,
        "dso": 172 * M,
        "vat:dso": 34_400_000,
    }
    printed = [p for p in result.postings if (p.account, p.kind) == ("b", "energy")]
    assert [(p.amount_nano, p.trade, in_english(p)) for p in printed] == [
        (-500_000_000, "t1", "5000 Wh x 100000")
    ]


@pytest.mark.parametrize(
    ("export", "imports", "lacking"),
    [
        (9000, (6000, 4500), {}),  # all delivered
        (8999, (6000, 4500), {"t2": 1}),
        (8000, (6000, 4500), {"t2": 1000}),
        (8000, (6000, 3500), {"t2": 500}),  # the buyer could use 3,500 only, and got 3,000
        (8000, (6000, 3001), {"t2": 1}),
        (8000, (6000, 3000), {}),  # the buyer could use no more
        (8000, (6000, 0), {}),
        (4999, (6000, 4500), {"t1": 1, "t2": 4000}),
        (0, (6000, 4500), {"t1": 5000, "t2": 4000}),  # nothing delivered
        (0, (1, 0), {"t1": 1}),
        (0, (0, 0), {}),
    ],
)
def test_seller_pays_a_penalty_on_what_its_buyer_could_use_and_did_not_get(
    export: int, imports: tuple[int, int], lacking: dict[str, int]
) -> None:
    first, second = imports
    readings = {"S": {"export": export}, "B1": {"import": first}, "B2": {"import": second}}
    case = case_of({**SHORT, "readings": readings, "shortfall_penalty": 80_000})

    result = settle_case(case)

    penalties = [posting for posting in result.postings if posting.kind == "penalty"]
    buyers = {"t1": "B1", "t2": "B2"}
    assert [(p.account, p.amount_nano, p.trade) for p in penalties] == [
        line
        for trade_id, wh in lacking.items()
        for line in (
            ("S", -80_000 * wh, trade_id),
            (buyers[trade_id], 80_000 * wh, trade_id),
        )
    ]
    assert {in_english(p) for p in penalties} == {f"{wh} Wh x 80000" for wh in lacking.values()}
    assert result.sum == 0


def test_penalty_is_on_what_trades_before_have_left_of_the_buyers_import() -> None:
    """B imports 6,000 Wh and gets 2,000 in t1, so 4,000 of the 5,000 Wh of t2 could be used."""
    case = {
        **SHORT,
        "trades": [trade("t1", "S", "B1", 2000, 0), trade("t2", "S2", "B1", 5000, 0)],
        "readings": {"S": {"export": 2000}, "S2": {"export": 1500}, "B1": {"import": 6000}},
        "parties": {"S": HOUSEHOLD, "S2": HOUSEHOLD, "B1": HOUSEHOLD, "R": {}},
        "shortfall_penalty": 1,
    }

    penalties = [p for p in settle_case(case_of(case)).postings if p.kind == "penalty"]

    assert [(p.account, p.amount_nano) for p in penalties] == [("S2", -2500), ("B1", 2500)]


def test_trades_of_five_and_four_share_eight_injected_in_order() -> None:
    case = {
        **SHORT,
        "trades": [trade("t1", "S", "B1", 5000, 0), trade("t2", "S", "B2", 4000, 0)],
    }

    assert settle_case(case_of(case)).settled == {"t1": 5000, "t2": 3000}


@pytest.mark.parametrize("text", [SHORT, FEES], ids=["short", "fees"])
def test_the_slow_reference_knows_the_same_answers(text: dict[str, Any]) -> None:
    case = case_of(text)

    fast, slow = settle_case(case), settle_slowly(case)

    totals: dict[str, int] = {}
    for line in slow.lines:
        totals[line.account] = totals.get(line.account, 0) + line.nano
    assert {a: t for a, t in totals.items() if t} == fast.totals
    assert slow.settled == fast.settled


def test_a_slot_at_night_takes_the_night_rate_of_the_areas_own_clock() -> None:
    rows = [
        {"kind": "grid", "payee": "DSO", "rate": 10, "from_hour": 22, "to_hour": 6},
        {"kind": "grid", "payee": "DSO", "rate": 30, "from_hour": 6, "to_hour": 22},
    ]
    case = {**SHORT, "trades": [], "readings": {"B1": {"import": 1000}}, "fees": rows}
    six = {**case, "slot": VIENNA_MIDNIGHT + 6 * 3600}  # 06:00 in Vienna, 05:00 in UTC

    in_utc = settle_case(case_of({**six, "time_zone": "UTC"}))
    in_vienna = settle_case(case_of({**six, "time_zone": "Europe/Vienna"}))

    assert in_utc.totals["DSO"] == 1000 * 10
    assert in_vienna.totals["DSO"] == 1000 * 30


def test_both_two_oclock_hours_of_a_long_day_are_in_the_same_band() -> None:
    rows = [{"kind": "grid", "payee": "DSO", "rate": 7, "from_hour": 2, "to_hour": 3}]
    case = {
        **SHORT,
        "trades": [],
        "readings": {"B1": {"import": 1000}},
        "fees": rows,
        "time_zone": "Europe/Vienna",
    }
    first, second = 1_792_887_300, 1_792_890_900  # 2026-10-25 00:15Z and 01:15Z, both 02:15

    charged = [settle_case(case_of({**case, "slot": slot})).totals for slot in (first, second)]

    assert [totals["DSO"] for totals in charged] == [7000, 7000]
