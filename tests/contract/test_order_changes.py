"""Orders before the gate: amended, cancelled, sent again, judged one by one in their batch."""

from __future__ import annotations

from tests.contract.stage.cast import DSO, MILLION, R2, SLOT, SLOT_S, WEST, lines_of, market_rules
from tests.contract.stage.market import Market, Opener
from tests.contract.stage.tokens import order_of

FEE = 20_000  # micro/kWh
NEXT = SLOT + SLOT_S


def test_amended_order_trades_at_its_new_steps(market: Market) -> None:
    market.traders("S", "B")
    market.place("""
        who  id  side  price   wh
        S    s   sell  100000  1000
        B    b   buy    90000  1000
        """)

    assert market.amend("B", "b", 1, [(130_000, 600), (110_000, 700)]) == "AMENDED"
    market.clear()

    assert market.traded() == lines_of("""
        buy    sell  wh   price
        B/b#1  S/s   600  110000
        B/b#2  S/s   400  110000
        """)


def test_fee_is_due_on_what_an_amendment_gives_up_and_not_on_what_it_adds(
    open_market: Opener,
) -> None:
    market = open_market(market_rules(cancel_fee=FEE))
    market.trader("B")
    market.clear(SLOT)  # folds what was paid in
    orders = """
        who  id  side  price   wh
        B    b   buy   100000  1000
        """
    market.place(orders, slot=NEXT)

    for revision, wh in ((1, 1500), (2, 1100), (3, 1200)):
        assert market.amend("B", "b", revision, [(100_000, wh)], slot=NEXT) == "AMENDED"

    (view,) = market.orders("B", NEXT)
    assert (view.order.withdrawn_wh, view.order.fee_nano) == (400, 400 * FEE)
    assert view.order.revision == 3


def test_cancellation_fee_is_posted_to_the_dso_when_the_slot_settles(open_market: Opener) -> None:
    market = open_market(market_rules(cancel_fee=FEE))
    market.traders("S", "B")
    market.clear(SLOT)  # folds what was paid in
    orders = """
        who  id  side  price   wh
        S    s   sell  100000  1000
        S    t   sell  100000  500
        B    b   buy   120000  800
        """
    market.place(orders, slot=NEXT)

    assert market.cancel("S", "t", slot=NEXT) == "CANCELLED"
    assert market.amend("B", "b", 1, [(120_000, 600)], slot=NEXT) == "AMENDED"
    assert market.states("S", NEXT) == {"s": "LISTED", "t": "CANCELLED"}
    market.clear(NEXT)
    assert market.account("S").account.reserved_nano == 500 * FEE
    assert market.totals().money_nano == 0
    market.report("meter import export\nS 0 600\nB 600 0", NEXT)
    market.settle(NEXT)

    assert market.posted(NEXT, kind="fee:cancel") == {
        "S": -500 * FEE,
        "B": -200 * FEE,
        DSO: 700 * FEE,
    }
    assert not any(posting.kind == "vat:cancel" for posting in market.postings(NEXT))
    assert market.states("S", NEXT) == {"s": "SETTLED", "t": "CANCELLED"}
    assert market.account("S").account.reserved_nano == 0


def test_cancelled_order_does_not_trade_and_its_capacity_is_free_again(market: Market) -> None:
    market.traders("S", "B")
    market.place("""
        who  id  side  price   wh
        S    s   sell  100000  10000
        B    b   buy   120000  500
        """)
    second = market.tokens.sheet("S", [order_of("t", "sell", [(110_000, 10_000)])])
    assert market.codes([second]) == ["CAPACITY_EXCEEDED"]

    assert market.cancel("S", "s") == "CANCELLED"
    assert market.codes([second]) == ["PLACED"]
    market.clear()

    assert market.traded() == ["B/b S/t 500 110000"]


def test_sheet_sent_again_answers_exists_whatever_has_happened_since(market: Market) -> None:
    market.traders("S", "B")
    tokens = market.place("""
        who  id  side  price   wh
        S    s   sell  100000  500
        S    t   sell  100000  500
        S    u   sell  100000  500
        B    b   buy   120000  500
        """)

    def again() -> list[str]:
        before = market.state_hash()
        codes = market.codes(tokens)
        assert market.state_hash() == before
        return codes

    assert again() == ["EXISTS"] * 4
    market.cancel("S", "t")
    market.amend("S", "u", 1, [(90_000, 400)])
    assert again() == ["EXISTS"] * 4
    market.act("lock", "S", 1)
    assert again() == ["EXISTS"] * 4
    market.act("unlock", "S", 2)
    market.clear()
    assert again() == ["EXISTS"] * 4
    market.report("""
        meter  import  export
        S      0       500
        B      500     0
        """)
    market.settle()
    assert again() == ["EXISTS"] * 4
    assert market.states("S")["t"] == "CANCELLED"


def test_amendment_and_cancel_sent_again_answer_exists(market: Market) -> None:
    market.trader("S")
    market.place("""
        who  id  side  price   wh
        S    s   sell  100000  500
        """)
    amends = [market.tokens.amend("S", "s", n, [(90_000 + n, 400)]) for n in (1, 2)]
    cancel = market.tokens.cancel("S", "s")

    assert market.codes([amends[1]], name="amend_orders") == ["REVISION_WRONG"]
    assert market.codes([*amends, amends[1]], name="amend_orders") == [
        "AMENDED",
        "AMENDED",
        "EXISTS",
    ]
    assert market.codes([amends[0]], name="amend_orders") == ["AMENDED_ALREADY"]
    assert market.codes([cancel, cancel], name="cancel_orders") == ["CANCELLED", "EXISTS"]
    market.close_gate()
    before = market.state_hash()

    assert market.codes([cancel], name="cancel_orders") == ["EXISTS"]
    assert market.codes([amends[1]], name="amend_orders") == ["EXISTS"]
    assert market.state_hash() == before


def test_bad_sheet_stops_no_other_in_its_batch(market: Market) -> None:
    market.traders("S", "B")
    good = [
        market.tokens.sheet("S", [order_of("s", "sell", [(100_000, 500)])]),
        market.tokens.sheet("B", [order_of("b", "buy", [(120_000, 500)])]),
    ]
    bad = market.tokens.sheet("S", [order_of("t", "sell", [(100_000, 500)])], zone=WEST)

    assert market.codes([good[0], "nonsense", bad, good[1]]) == [
        "PLACED",
        "SHEET_UNREADABLE",
        "ZONE_WRONG",
        "PLACED",
    ]

    assert market.states("S") == {"s": "LISTED"}


def test_sheet_with_one_bad_order_is_refused_as_a_whole(market: Market) -> None:
    market.trader("S")
    good = order_of("s", "sell", [(100_000, 500)])
    bad = order_of("t", "sell", [(100_000, 0)], slot=NEXT)
    market.open(NEXT)

    assert market.codes([market.tokens.sheet("S", [good, bad])]) == ["QUANTITY_BOUNDS"]

    assert market.orders("S") == []


def test_sheet_for_several_slots_rests_in_each(market: Market) -> None:
    market.traders("S", "B")
    sheet = market.tokens.sheet(
        "S",
        [
            order_of("s", "sell", [(100_000, 500)]),
            order_of("s", "sell", [(100_000, 700)], slot=NEXT),
        ],
    )
    market.open(NEXT)
    assert market.codes([sheet]) == ["PLACED"]
    market.place(
        """
        who  id  side  price   wh
        B    b   buy   100000  600
        """,
        slot=NEXT,
    )

    market.clear(SLOT)
    market.clear(NEXT)

    assert market.traded(SLOT) == []
    assert market.traded(NEXT) == ["B/b S/s 600 100000"]


def test_capacity_counts_over_orders_and_each_direction_for_itself(market: Market) -> None:
    market.trader("P", power_w=4000)  # 1,000 Wh a slot either way

    def place(name: str, side: str, price: int, wh: int) -> str:
        order = order_of(name, "buy" if side == "buy" else "sell", [(price, wh)])
        return market.codes([market.tokens.sheet("P", [order])])[0]

    assert place("s1", "sell", 200_000, 600) == "PLACED"
    assert place("s2", "sell", 200_000, 401) == "CAPACITY_EXCEEDED"
    assert place("s3", "sell", 200_000, 400) == "PLACED"
    assert place("b1", "buy", 100_000, 1000) == "PLACED"
    assert market.amend("P", "s1", 1, [(200_000, 601)]) == "CAPACITY_EXCEEDED"


def test_own_orders_never_cross_over_all_meters(market: Market) -> None:
    market.trader("P")
    market.meter("second", holder="P", zone=WEST)
    market.place("""
        who  id  side  price   wh   meter
        P    s   sell  150000  500  P
        P    b   buy   149999  500  second
        """)
    touching = order_of("c", "buy", [(100_000, 10), (150_000, 10)])

    sheet = market.tokens.sheet("P", [touching], meter="second", zone=WEST)

    assert market.codes([sheet]) == ["SELF_CROSSING"]
    assert market.amend("P", "b", 1, [(150_000, 500)]) == "SELF_CROSSING"
    assert market.cancel("P", "s") == "CANCELLED"
    assert market.codes([sheet]) == ["PLACED"]


def test_another_retailer_may_carry_a_sheet_and_cannot_alter_it(market: Market) -> None:
    market.trader("S", deposit_nano=MILLION)
    token = market.tokens.sheet("S", [order_of("s", "sell", [(100_000, 500)])])
    header, payload, signature = token.split(".")
    other = market.tokens.sheet("S", [order_of("s", "sell", [(100_001, 500)])])
    forged = ".".join([header, other.split(".")[1], signature])
    assert payload != other.split(".")[1]

    assert market.codes([forged], member=R2) == ["SIGNATURE_INVALID"]
    assert market.codes([token], member=R2) == ["PLACED"]
    assert market.codes([token]) == ["EXISTS"]
