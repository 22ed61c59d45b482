"""Folding and claims: who answers, what is repaid first, and where folding may be cut."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from chaincode.accounts.balances import ACCOUNTS, FOLDINGS, Account
from chaincode.accounts.claims import CLAIMS
from chaincode.accounts.entries import ENTRIES, EPOCHS, EPOCHS_BEHIND_MAX, Entry, Epoch, epoch_part
from chaincode.accounts.statements import SumArguments, Totals
from chaincode.slots import folding
from chaincode.slots.runs import POINTS
from chaincode.state import slot_part
from identity.canonical import encode
from tests.chaincode.crowd import did_number
from tests.chaincode.money_model import Money
from tests.chaincode.town import AREA, RETAILERS, SLOT, SLOT_S, Town

CLIENT, OTHER = did_number(1), did_number(2)
R0, R1 = RETAILERS


class Fact(msgspec.Struct, frozen=True):
    """What a cause adds to a client in an epoch; its retailer gets or gives the same."""

    epoch: int
    cause: int
    client: str
    retailer: str
    nano: int


def cause_of(number: int) -> str:
    """The cause of a settlement; a smaller number is an earlier slot."""
    return f"{slot_part(SLOT + number * SLOT_S)}~0"


def town_with(facts: list[Fact]) -> tuple[Town, Money]:
    """A town whose closed epochs hold these facts, and the model with the same."""
    town, money = Town(0, slots=1), Money()
    for epoch in sorted({fact.epoch for fact in facts}):
        money.open = epoch
        for fact in (fact for fact in facts if fact.epoch == epoch):
            cause = cause_of(fact.cause)
            money.note(fact.client, cause, fact.retailer, money=fact.nano)
            money.note(fact.retailer, cause, money=-fact.nano)
    for place, noted in money.noted.items():
        names = (AREA, epoch_part(place.epoch), place.owner, place.cause, place.retailer)
        town.view.rows[ENTRIES.key(*names)] = encode(Entry(money_nano=noted.money))
    town.view.rows[EPOCHS.key(AREA)] = encode(Epoch(open=9))
    return town, money


def compare(town: Town, money: Money) -> None:
    """The town's accounts and claims are those of the model."""
    for owner in (CLIENT, OTHER, R0, R1):
        value = town.view.rows.get(ACCOUNTS.key(AREA, owner))
        account = Account() if value is None else ACCOUNTS.decode(value)
        assert (account.balance_nano, account.claims_nano) == (
            money.balance[owner],
            money.owes(owner),
        )
    prefix = CLAIMS.key(AREA, "")
    found = {
        key[len(prefix) :]: CLAIMS.decode(value).amount_nano
        for key, value in town.view.range(prefix, prefix[:-1] + "0")
    }
    assert found == {
        f"{client}/{cause}/{retailer}": nano
        for client, held in money.claims.items()
        for (cause, retailer), nano in held.items()
    }


facts = st.lists(
    st.builds(
        Fact,
        st.integers(0, 3),
        st.integers(0, 5),
        st.sampled_from([CLIENT, OTHER]),
        st.sampled_from([R0, R1]),
        st.integers(-9, 9).filter(bool),
    ),
    max_size=20,
)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(facts=facts, units=st.integers(1, 7))
def test_rule_2_5_folding_ends_as_the_model_says_wherever_it_is_cut(
    facts: list[Fact], units: int
) -> None:
    """Rules 2.5 and 3.1; after every transaction the money sums to zero."""
    town, money = town_with(facts)
    money.fold(8)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folding, "ENTRY_POINTS", POINTS // units)
        while town.view.rows.get(FOLDINGS.key(AREA)) is None or has_more(town):
            if town.fold_once() is None:
                break
            answer = town.submit("sum_accounts", SumArguments(AREA))
            assert msgspec.json.decode(answer, type=Totals).money_nano == 0

    compare(town, money)
    assert not [key for key in town.view.rows if key.startswith(ENTRIES.key(AREA, ""))]


def has_more(town: Town) -> bool:
    """Whether entries are left, or an owner in the middle of which folding stands."""
    row = FOLDINGS.decode(town.view.rows[FOLDINGS.key(AREA)])
    left = [key for key in town.view.rows if key.startswith(ENTRIES.key(AREA, ""))]
    return bool(left) or row.large is not None


def test_rule_3_1_latest_causes_answer_first_each_for_what_it_took() -> None:
    town, _ = town_with(
        [Fact(0, 0, CLIENT, R0, 30), Fact(0, 1, CLIENT, R0, -50), Fact(0, 2, CLIENT, R1, -15)]
    )

    town.fold()

    claims = {key.split("/")[3:][1]: value for key, value in rows(town)}
    assert claims == {R1: 15, R0: 20}


def test_rule_3_1_oldest_cause_is_repaid_first() -> None:
    town, _ = town_with(
        [Fact(0, 2, CLIENT, R1, -15), Fact(1, 1, CLIENT, R0, -20), Fact(2, 4, CLIENT, R0, 25)]
    )

    town.fold()

    assert [(key.split("/")[4], value) for key, value in rows(town)] == [(R1, 10)]
    assert town.account(CLIENT).claims_nano == 10


def rows(town: Town) -> list[tuple[str, int]]:
    """The claims by their keys."""
    prefix = CLAIMS.key(AREA, "")
    found = town.view.range(prefix, prefix[:-1] + "0")
    return [(key, CLAIMS.decode(value).amount_nano) for key, value in found]


def test_payouts_wait_while_hundreds_of_epochs_are_not_folded() -> None:
    town = Town(1, slots=1)
    town.view.rows[EPOCHS.key(AREA)] = encode(Epoch(open=EPOCHS_BEHIND_MAX + 1))
    trader = town.traders[0]
    payout = town.payout(trader.key, trader.retailer, 1, "out")

    assert town.refused("debit_client", payout, trader.retailer) == "FOLDING_BEHIND"
    town.fold()
    town.submit("debit_client", payout, trader.retailer)


def test_sums_come_in_pages_with_a_running_digest(monkeypatch: pytest.MonkeyPatch) -> None:
    town, _ = town_with([Fact(0, n, CLIENT, R0, -1) for n in range(5)])
    whole = msgspec.json.decode(town.submit("sum_accounts", SumArguments(AREA)), type=Totals)
    monkeypatch.setattr("chaincode.accounts.statements.SUMMED_ROWS", 3)

    totals = msgspec.json.decode(town.submit("sum_accounts", SumArguments(AREA)), type=Totals)
    pages = 1
    while totals.after is not None:
        following = SumArguments(AREA, totals.after, totals.digest)
        page = msgspec.json.decode(town.submit("sum_accounts", following), type=Totals)
        totals, pages = totals.plus(page), pages + 1

    assert (totals, pages > 2) == (whole, True)
