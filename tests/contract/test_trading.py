"""From the order book to trades: one price per zone, ties, steps, cover, expiry."""

from __future__ import annotations

from hashlib import sha256

import pytest

from tests.contract.stage.cast import EAST, MILLION, R2, SLOT, WEST, did_of, lines_of, market_rules
from tests.contract.stage.market import Market, Opener


def drawn(seed: str, name: str, client_id: str) -> int:
    """The tie-breaking time of an order, from the words of the rule."""
    parts = (bytes.fromhex(seed), did_of(name).encode(), client_id.encode())
    message = b"".join(len(part).to_bytes(4, "big") + part for part in parts)
    return int.from_bytes(sha256(message).digest()[:8], "big") >> 1


def test_all_buyers_pay_and_all_sellers_get_one_price(market: Market) -> None:
    market.traders("S1", "S2", "B1", "B2")
    market.place("""
        who  id  side  price   wh
        S1   s   sell  100000  1000
        S2   s   sell  140000  1000
        B1   b   buy   200000  700
        B2   b   buy   160000  700
        """)

    market.clear()

    assert market.traded() == lines_of("""
        buy   sell  wh   price
        B1/b  S1/s  700  140000
        B2/b  S1/s  300  140000
        B2/b  S2/s  400  140000
        """)
    (zone,) = market.slot().zones
    assert (zone.zone, zone.volume_wh, zone.price_range) == (EAST, 1400, (140_000, 140_000))
    assert zone.welfare_nano == 700 * 200_000 + 700 * 160_000 - 1000 * 100_000 - 400 * 140_000


@pytest.mark.parametrize(
    ("price_rule", "price"), [("seller", 100_000), ("midpoint", 150_000), ("buyer", 200_001)]
)
def test_price_rule_picks_the_price_out_of_the_range(
    open_market: Opener, price_rule: str, price: int
) -> None:
    market = open_market(market_rules(price_rule=price_rule))
    market.traders("S", "B")
    market.place("""
        who  id  side  price   wh
        S    s   sell  100000  500
        B    b   buy   200001  500
        """)

    market.clear()

    assert market.traded() == [f"B/b S/s 500 {price}"]


def test_tie_is_broken_by_the_draw_of_the_gates_seed(market: Market) -> None:
    sellers = [f"S{number}" for number in range(6)]
    market.traders(*sellers, "B")
    rows = [f"{name} tie sell 100000 100" for name in sellers]
    market.place("\n".join(["who id side price wh", *rows, "B b buy 200000 250"]))

    market.clear()

    row = market.slot().row
    assert row is not None
    assert row.withheld == []
    seed = row.seed or ""
    first, second, third, *_ = sorted(sellers, key=lambda name: drawn(seed, name, "tie"))
    assert market.traded() == [
        f"B/b {first}/tie 100 100000",
        f"B/b {second}/tie 100 100000",
        f"B/b {third}/tie 50 100000",
    ]


def test_order_that_fits_in_part_is_filled_in_part(market: Market) -> None:
    market.traders("S", "B")
    market.place("""
        who  id  side  price   wh
        S    s   sell  100000  5000
        B    b   buy   120000  3000
        """)

    market.clear()

    assert market.traded() == ["B/b S/s 3000 100000"]
    (order,) = market.orders("S")
    assert (order.matched_wh, order.state) == (3000, "MATCHED")


def test_each_step_of_an_order_trades_on_its_own(market: Market) -> None:
    market.traders("S", "B")
    market.place("""
        who  id  side  price   wh
        S    s   sell   90000  400
        S    s   sell  150000  400
        S    s   sell  210000  400
        B    b   buy   200000  500
        B    b   buy   140000  500
        """)

    market.clear()

    assert market.traded() == lines_of("""
        buy     sell   wh   price
        B/b#1   S/s#1  400  150000
        B/b#1   S/s#2  100  150000
        """)
    assert market.orders("S")[0].matched_wh == 500


def test_two_zones_clear_by_themselves(market: Market) -> None:
    market.traders("S1", "B1")
    market.trader("S2", zone=WEST, retailer=R2)
    market.trader("B2", zone=WEST)
    market.place("""
        who  id  side  price   wh
        S1   s   sell   80000  500
        B1   b   buy   100000  500
        S2   s   sell  200000  300
        B2   b   buy   300000  300
        """)

    market.clear()

    assert market.traded() == lines_of("""
        buy   sell  wh   price
        B1/b  S1/s  500   90000
        B2/b  S2/s  300  250000
        """)
    assert [zone.zone for zone in market.slot().zones] == [EAST, WEST]
    assert [view.trade.path for view in market.trades()] == [[EAST], [WEST]]


def test_seller_in_one_zone_never_meets_a_buyer_in_another(market: Market) -> None:
    market.trader("S")
    market.trader("B", zone=WEST)
    market.place("""
        who  id  side  price   wh
        S    s   sell   80000  500
        B    b   buy   300000  500
        """)

    market.clear()

    assert market.traded() == []
    assert market.states("S") == {"s": "EXPIRED"}


def test_slot_without_orders_clears_to_nothing(market: Market) -> None:
    market.clear()

    view = market.slot()
    assert (view.phase, view.zones, market.trades()) == ("CLEARED", [], [])


def test_orders_take_cover_in_time_order_and_a_smaller_one_still_fits(market: Market) -> None:
    market.trader("S")
    market.trader("B", deposit_nano=100 * MILLION)
    market.place("""
        who  id     side  price   wh
        S    s      sell  100000  3000
        B    big-1  buy   100000  600
        B    big-2  buy   100000  600
        B    small  buy   100000  300
        """)

    market.clear()

    row = market.slot().row
    assert row is not None
    seed = row.seed or ""
    free_nano, taken = 100 * MILLION, set[str]()
    wanted = {"big-1": 600, "big-2": 600, "small": 300}
    for name in sorted(wanted, key=lambda name: drawn(seed, "B", name)):
        if wanted[name] * 100_000 <= free_nano:
            free_nano -= wanted[name] * 100_000
            taken.add(name)
    assert taken in ({"big-1", "small"}, {"big-2", "small"})
    assert {name for name, state in market.states("B").items() if state == "MATCHED"} == taken
    assert market.account("B").account.reserved_nano == 900 * 100_000


def test_only_what_is_matched_stays_covered_at_the_limit(market: Market) -> None:
    market.traders("S", "B")
    market.place("""
        who  id  side  price   wh
        S    s   sell  100000  400
        B    b   buy   160000  1000
        B    c   buy   150000  1000
        """)

    market.clear()

    assert market.traded() == ["B/b S/s 400 160000"]
    assert market.account("B").account.reserved_nano == 400 * 160_000
    assert market.account("S").account.reserved_nano == 0


def test_order_that_expires_by_the_gate_is_left_out(market: Market) -> None:
    market.traders("S", "B1", "B2")
    market.place("""
        who  id  side  price   wh    expires
        S    s   sell  100000  1000  -
        B1   at  buy   120000  500   0
        B2   b4  buy   120000  500   1
        """)
    assert market.states("B1") == {"at": "LISTED"}

    market.clear()

    assert market.traded() == []
    assert market.states("B1") == {"at": "EXPIRED"}
    assert market.states("B2") == {"b4": "EXPIRED"}


def test_order_that_outlives_the_gate_trades(market: Market) -> None:
    market.traders("S", "B")
    market.place("""
        who  id  side  price   wh   expires
        S    s   sell  100000  500  -1
        B    b   buy   120000  500  -1
        """)

    market.clear()

    assert market.traded() == ["B/b S/s 500 110000"]


def test_sale_at_a_negative_limit_needs_cover(market: Market) -> None:
    market.trader("rich", deposit_nano=50 * MILLION)
    market.trader("poor", deposit_nano=49 * MILLION)
    market.trader("B")
    market.place("""
        who   id  side  price    wh
        rich  s   sell  -100000  500
        poor  s   sell  -100000  500
        B     b   buy   -100000  2000
        """)

    market.clear()

    assert market.traded() == ["B/b rich/s 500 -100000"]
    assert market.account("rich").account.reserved_nano == 50 * MILLION
    assert market.states("poor") == {"s": "EXPIRED"}
    assert market.account("B").account.reserved_nano == 0


def test_energy_sold_at_a_negative_price_is_paid_for_by_its_seller(market: Market) -> None:
    market.traders("S", "B")
    market.place("""
        who  id  side  price    wh
        S    s   sell  -100000  500
        B    b   buy   -100000  500
        """)
    market.clear()
    market.report("""
        meter  import  export
        S      0       500
        B      500     0
        """)

    market.settle()

    assert market.posted() == {"S": -50 * MILLION, "R1": 0, "B": 50 * MILLION}
    assert market.account("S").account.reserved_nano == 0
    assert market.slot(SLOT).phase == "SETTLED"


def test_book_stays_within_what_a_clearing_can_count(open_market: Opener) -> None:
    """Total Wh x width of the band stays below 2^62; the order beyond it is left out.

    184 orders of 25 MWh a slot fit under a band as wide as rules may set it, two more do not.
    """
    wh, per_trader = 25_000_000, 31

    def offer_all(market: Market) -> None:
        meters = {
            name: [name, *(f"{name}-{place}" for place in range(1, per_trader))]
            for name in [f"S{number}" for number in range(6)]
        }
        for name, (_, *more) in meters.items():
            market.trader(name, power_w=100_000_000, deposit_nano=0)
            market.meters(*more, holder=name, power_w=100_000_000)
        for name, own in meters.items():
            rows = [f"{name} s{place} sell 5 {wh} {meter}" for place, meter in enumerate(own)]
            market.place("\n".join(["who id side price wh meter", *rows]))

    market = open_market(market_rules(price_band=(0, 1_000_000_000)))
    market.leap(offer_all)

    market.clear()

    row = market.slot().row
    assert row is not None
    assert row.quantity_wh == [0, 184 * wh, 0]  # of root, east and west
    assert 184 * wh * 1_000_000_000 < 2**62 <= 185 * wh * 1_000_000_000


def test_order_beyond_the_bound_of_a_clearing_is_left_out_and_says_so(
    open_market: Opener,
) -> None:
    # Aim: total quantity x band width stays below 2^62. The widest band leaves 4.6 GWh to a zone;
    # meters of 100 MW may ask for 25 MWh a slot each, at a limit of 0, which needs no cover.
    names = [f"B{number:03d}" for number in range(186)]

    def ask_for_all(market: Market) -> None:
        market.traders(*names, power_w=100_000_000, deposit_nano=0)
        for start in range(0, len(names), 31):
            some = names[start : start + 31]
            rows = "\n".join(f"{name} b buy 0 25000000" for name in some)
            market.place(f"who id side price wh\n{rows}")

    market = open_market(market_rules(price_band=(-500_000_000, 500_000_000)))
    market.leap(ask_for_all)

    market.clear()

    left_out = [view.left_out for name in names for view in market.orders(name)]
    taken = left_out.count("")
    assert left_out.count("BOUND") == len(names) - taken
    assert taken * 25_000_000 * 10**9 < 2**62 <= (taken + 1) * 25_000_000 * 10**9
