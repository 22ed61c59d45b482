"""Markets begin as copies of one that was founded: what a copy has, and that copies are apart."""

from __future__ import annotations

from tests.contract.stage.cast import Engine, Rules
from tests.contract.stage.market import Market, Opener


def admit(market: Market) -> None:
    """Admit S and B by transactions of their own and let S offer."""
    market.trader("S")
    market.trader("B")
    market.place("""
        who  id  side  price   wh
        S    s   sell  100000  500
        """)


def test_copy_has_every_row_of_a_market_founded_under_another_name(
    engine: Engine, open_market: Opener
) -> None:
    _, copy = open_market(prepare=admit), open_market(prepare=admit)
    founded = Market(engine, Rules())
    try:
        admit(founded)

        assert copy.all_rows() == founded.all_rows()
        assert copy.states("S") == founded.states("S") == {"s": "LISTED"}
        founded.check_end()
    finally:
        founded.close()


def test_what_a_scenario_does_is_not_in_the_next_copy(open_market: Opener) -> None:
    first = open_market(prepare=admit)
    begun = first.all_rows()
    first.cancel("S", "s")
    first.place("""
        who  id  side  price   wh
        B    b   buy   100000  500
        """)
    first.clear()

    second = open_market(prepare=admit)

    assert second.all_rows() == begun
    assert second.account("S").worth_nano == first.account("S").worth_nano
    second.clear()


def test_leap_ends_as_the_same_transactions_do_one_by_one(open_market: Opener) -> None:
    far, near = open_market(), open_market()

    far.leap(admit)
    admit(near)

    assert far.all_rows() == near.all_rows()
    far.clear()
    near.clear()
    assert far.state_hash() == near.state_hash()
