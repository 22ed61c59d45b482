"""One participant's orders of one slot: the contract against a model of a few dicts."""

from __future__ import annotations

from typing import Literal

from hypothesis import given, settings
from hypothesis import strategies as st

from chaincode.accounts.balances import ACCOUNTS, Account
from chaincode.area.rules import MarketRules
from chaincode.orders.order_batch import ORDERS, OrderRow
from chaincode.orders.sheets import SheetOrder, Step
from chaincode.state import slot_part
from identity.canonical import encode
from tests.chaincode.orders.order_model import Orders
from tests.chaincode.town import AREA, SLOT, SLOT_S, Town

BAND = (-3, 5)
FEE = 7
CAPACITY_WH = 6
OPENS_S = 3_600
RULES = MarketRules(
    time_zone="UTC", offsets=[(0, 0)], opens_s=OPENS_S, price_band=BAND, cancel_fee=FEE
)

Act = tuple[Literal["place", "amend", "cancel"], str, str, list[SheetOrder], int, list[Step]]

ids = st.sampled_from("abcde")
steps = st.lists(
    st.tuples(st.integers(BAND[0] - 1, BAND[1] + 1), st.integers(0, 4)), min_size=0, max_size=3
)
orders = st.builds(
    SheetOrder,
    id=ids,
    side=st.sampled_from(["buy", "sell"]),
    slot=st.just(SLOT),
    steps=st.one_of(steps, st.lists(st.tuples(st.sampled_from(BAND), st.just(1)), min_size=1)),
    expires_s=st.sampled_from([None, SLOT]),
)
acts = st.tuples(
    st.sampled_from(["place", "place", "amend", "cancel"]),
    st.sampled_from(["m000", "second"]),
    ids,
    st.lists(orders, min_size=1, max_size=3),
    st.integers(0, 3),
    steps,
)


def carry_out(town: Town, model: Orders, acted: list[Act]) -> tuple[list[str], list[str]]:
    """The codes of the contract and of the model; acts of a kind that follow go in one batch."""
    trader = town.traders[0]
    got: list[str] = []
    wanted: list[str] = []
    batches: list[tuple[str, list[str]]] = []
    for kind, meter, name, sheet, revision, changed in acted:
        if kind == "place":
            token = town.sheet(trader, sheet, meter=meter)
            wanted.append(model.place(meter, trader.zone, sheet))
        elif kind == "amend":
            token = town.amend_token(trader, SLOT, name, revision, changed)
            wanted.append(model.amend(name, revision, changed))
        else:
            token = town.cancel_token(trader, SLOT, name)
            wanted.append(model.cancel(name))
        if not batches or batches[-1][0] != f"{kind}_orders":
            batches.append((f"{kind}_orders", []))
        batches[-1][1].append(token)
    for transaction, tokens in batches:
        got += [answer.code for answer in town.send(transaction, tokens)]
    return got, wanted


@settings(max_examples=300)
@given(acted=st.lists(acts, min_size=1, max_size=14))
def test_a_row_of_orders_is_what_the_rules_make_of_it(acted: list[Act]) -> None:
    watts = CAPACITY_WH * 4  # over a quarter of an hour
    town = Town(1, rules=RULES, import_w=watts, export_w=watts, slots=1)
    town.certify(town.traders[0], meter="second")
    town.at(SLOT - OPENS_S + 60)
    money = encode(Account(balance_nano=10**12))  # enough for every fee, as if it were folded
    town.view.rows[ACCOUNTS.key(AREA, town.traders[0].did)] = money
    model = Orders(capacity_wh=CAPACITY_WH, band=BAND, fee=FEE)

    got, wanted = carry_out(town, model, acted)

    assert got == wanted
    value = town.view.rows.get(ORDERS.key(AREA, slot_part(SLOT), town.traders[0].did))
    row = OrderRow(orders=[]) if value is None else ORDERS.decode(value)
    assert (row.orders, row.withdrawn) == (model.rows(), model.withdrawn)


def test_a_row_takes_fifty_orders_and_no_more() -> None:
    town = Town(1, slots=1)
    model = Orders(capacity_wh=1_000, band=town.rules.price_band, fee=town.rules.cancel_fee)
    sheets = [[SheetOrder(f"o{number}", "buy", SLOT, [(number, 1)])] for number in range(51)]

    got, wanted = carry_out(town, model, [("place", "m000", "", sheet, 0, []) for sheet in sheets])

    assert got == wanted
    assert got[49:] == ["PLACED", "ORDERS_TOO_MANY"]


def test_sheets_of_too_many_orders_refuse_no_other_sheet() -> None:
    """Hundreds of orders without steps, each for a slot of its own, cost a batch no reads."""
    town = Town(16, slots=1)
    good = town.sheet(town.traders[0], [SheetOrder("good", "buy", SLOT, [(1, 1)])])
    far = [
        [SheetOrder("a", "buy", SLOT + (800 * trader.number + k) * SLOT_S, []) for k in range(800)]
        for trader in town.traders[1:]
    ]
    bad = [town.sheet(t, orders) for t, orders in zip(town.traders[1:], far, strict=True)]

    codes = [answer.code for answer in town.send("place_orders", [good, *bad])]

    assert codes == ["PLACED", *["ORDERS_COUNT"] * 15]


def test_an_order_without_steps_counts_as_one_of_the_batch() -> None:
    town = Town(11, slots=1)
    sheets = [
        town.sheet(t, [SheetOrder("a", "buy", SLOT + k * SLOT_S, []) for k in range(200)])
        for t in town.traders
    ]

    codes = [answer.code for answer in town.send("place_orders", sheets)]

    assert codes == [*["STEPS_COUNT"] * 10, "BATCH_FULL"]
