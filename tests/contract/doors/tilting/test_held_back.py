"""Door 18: a token that somebody holds back, and carries when its trader no longer wants it."""

from __future__ import annotations

import msgspec
import pytest

from chaincode.accounts.payments import PayoutArguments
from chaincode.area.joining import ParticipantArguments
from chaincode.errors import Refused
from chaincode.settlement.disputes import DisputeArguments
from tests.contract.stage.cast import DEPOSIT_NANO, MILLION, R1, R2, SLOT, SLOT_S
from tests.contract.stage.market import Market
from tests.contract.stage.tokens import order_of

NEXT = SLOT + SLOT_S


def sale(market: Market, name: str = "s", *, valid_until_s: int | None = None) -> str:
    """A sheet that its carrier may hold back."""
    order = order_of(name, "sell", [(100_000, 500)])
    return market.tokens.sheet("S", [order], valid_until_s=valid_until_s)


def test_sheet_that_was_held_back_cannot_be_placed_after_its_cancel(market: Market) -> None:
    market.trader("S")
    held_back = sale(market)

    assert market.cancel("S", "s") == "CANCELLED"
    assert market.codes([held_back], member=R2) == ["ID_USED"]

    assert market.cancel("S", "s") == "EXISTS"
    assert market.amend("S", "s", 1, [(100_000, 1)]) == "ORDER_NOT_OPEN"
    assert market.orders("S") == []
    market.clear()
    assert market.traded() == []


def test_cancel_and_sheet_in_one_batch_of_cancels_and_one_of_sheets(market: Market) -> None:
    market.trader("S")
    cancels = [market.tokens.cancel("S", name) for name in ("s", "t", "s")]

    assert market.codes(cancels, name="cancel_orders") == ["CANCELLED", "CANCELLED", "EXISTS"]
    both = [sale(market, "s"), sale(market, "t"), sale(market, "u")]
    assert market.codes(both) == ["ID_USED", "ID_USED", "PLACED"]


def test_rule_8_2_cancel_before_a_slot_opens_holds_back_its_order_too(market: Market) -> None:
    market.trader("S")
    far = SLOT + 2 * 86_400
    order = order_of("s", "sell", [(100_000, 500)], slot=far)
    held_back = market.tokens.sheet("S", [order])
    assert market.codes([held_back]) == ["SLOT_NOT_OPEN"]

    assert market.cancel("S", "s", slot=far) == "CANCELLED"

    market.pass_until(far - 3_600)
    assert market.codes([held_back]) == ["ID_USED"]


def test_early_cancels_count_towards_the_orders_of_their_row(market: Market) -> None:
    market.trader("S")
    cancels = [market.tokens.cancel("S", f"o{number}") for number in range(51)]

    codes = market.codes(cancels, name="cancel_orders")

    assert codes == [*["CANCELLED"] * 50, "ORDERS_TOO_MANY"]
    assert market.codes([sale(market)]) == ["ORDERS_TOO_MANY"]


def test_stranger_cannot_fill_the_ledger_with_cancels(market: Market) -> None:
    before = market.state_hash()

    assert market.cancel("stranger", "s") == "TRADER_UNKNOWN"

    assert market.state_hash() == before


def test_rule_8_1_order_tokens_carried_later_than_they_say_have_expired(market: Market) -> None:
    market.trader("S")
    until_s = market.gate_s() - 600
    assert market.codes([sale(market, "r"), sale(market, "t")]) == ["PLACED", "PLACED"]
    early, late = sale(market, "early", valid_until_s=until_s), sale(market, valid_until_s=until_s)
    amend = market.tokens.amend("S", "r", 1, [(90_000, 400)], valid_until_s=until_s)
    cancel = market.tokens.cancel("S", "t", valid_until_s=until_s)
    unseen = market.tokens.cancel("S", "unseen", valid_until_s=until_s)
    market.pass_until(until_s - 1)
    assert market.codes([early]) == ["PLACED"]
    market.pass_until(until_s)
    before = market.state_hash()

    assert market.codes([late, early]) == ["INTENT_EXPIRED", "EXISTS"]
    assert market.codes([amend], name="amend_orders") == ["INTENT_EXPIRED"]
    assert market.codes([cancel, unseen], name="cancel_orders") == ["INTENT_EXPIRED"] * 2

    assert market.state_hash() == before


def test_rule_8_1_order_token_is_valid_no_longer_than_the_gate_of_its_last_slot(
    market: Market,
) -> None:
    market.trader("S")
    market.open(NEXT)
    gate_s = market.gate_s(NEXT)
    orders = [order_of("s", "sell", [(1, 1)], slot=slot) for slot in (SLOT, NEXT)]

    def code(valid_until_s: int) -> str:
        token = market.tokens.sheet("S", orders, valid_until_s=valid_until_s)
        return market.codes([token])[0]

    assert code(gate_s + 1) == "INTENT_TOO_LONG"
    assert code(gate_s) == "PLACED"


def test_rule_8_1_other_tokens_carried_later_than_they_say_have_expired(market: Market) -> None:
    """The same for what has no gate: joins, pay-outs and disputes."""
    market.traders("S", "B")
    market.place("""
        who  id  side  price   wh
        S    s   sell  100000  500
        B    b   buy   100000  500
        """)
    market.clear()
    until_s = market.clock.now_s + 60
    tokens = market.tokens
    join = ParticipantArguments(tokens.join("new", valid_until_s=until_s))
    payout = PayoutArguments(tokens.payout("S", MILLION, "out", valid_until_s=until_s))
    dispute = DisputeArguments(tokens.dispute("raise", "S", 0, valid_until_s=until_s))
    market.pass_until(until_s)
    before = market.state_hash()

    late: tuple[tuple[str, msgspec.Struct], ...] = (
        ("register_participant", join),
        ("debit_client", payout),
        ("dispute_trade", dispute),
    )
    for name, arguments in late:
        with pytest.raises(Refused, match="INTENT_EXPIRED"):
            market.submit(name, arguments, R1)

    assert market.state_hash() == before


def test_rule_8_3_same_id_with_another_content_is_used_and_never_exists(market: Market) -> None:
    """What counts is what was signed first, also after an amendment and after a cancel."""
    market.trader("S")
    first = sale(market)
    others = [
        market.tokens.sheet("S", [order_of("s", "sell", [(100_000, 499)])]),
        market.tokens.sheet("S", [order_of("s", "buy", [(100_000, 500)])]),
        market.tokens.sheet("S", [order_of("s", "sell", [(90_000, 400)])]),
        market.tokens.sheet("S", [order_of("s", "sell", [(100_000, 500)], expires_s=SLOT)]),
        market.tokens.sheet("S", [order_of("s", "sell", [(100_000, 500)])], zone="west"),
    ]

    def codes() -> list[str]:
        return market.codes([first, *others])

    assert market.codes([first]) == ["PLACED"]
    assert codes() == ["EXISTS", *["ID_USED"] * 5]
    assert market.amend("S", "s", 1, [(90_000, 400)]) == "AMENDED"
    assert codes() == ["EXISTS", *["ID_USED"] * 5]
    assert market.amend("S", "s", 2, [(95_000, 300)]) == "AMENDED"
    assert codes() == ["EXISTS", *["ID_USED"] * 5]
    assert market.cancel("S", "s") == "CANCELLED"
    assert codes() == ["EXISTS", *["ID_USED"] * 5]
    market.clear()
    assert market.account("S").available_nano == DEPOSIT_NANO
