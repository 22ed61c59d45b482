"""The same facts in any order of runs, folds, corrections and payments end in the same accounts."""

from __future__ import annotations

from random import Random

import msgspec
import pytest

from chaincode.accounts.balances import ACCOUNTS, Account
from chaincode.accounts.claims import CLAIM_SUMS
from chaincode.area.zones import AreaName
from chaincode.errors import Refused
from chaincode.slots.gate import SlotArguments
from tests.chaincode.crowd import cut_after, put_register
from tests.chaincode.town import AREA, DSO, ORACLE, RETAILERS, RULES, SLOT, SLOT_S, Town

SLOTS = [SLOT + number * SLOT_S for number in range(4)]
MEMBERS = (DSO, *RETAILERS, ORACLE)
RULES_NOW = msgspec.structs.replace(RULES, report_deadline_s=0)


class Ending(msgspec.Struct, frozen=True):
    """What accounts hold in the end."""

    accounts: dict[str, Account]
    claims: dict[str, int]


class Facts(msgspec.Struct, frozen=True):
    """What happens, whatever the order: registers at each slot's end by trader, and payments in.

    Registers at the start of the first slot show 0 Wh. Those that come later are at most as high
    as the first ones and not below the first ones a slot earlier, so they rise in any mixture.
    """

    first: list[list[tuple[int, int]]]
    later: list[list[tuple[int, int]]]
    credits_nano: list[int]


def some_facts(random: Random) -> Facts:
    """Households that mostly take more than they can pay."""

    shown = [(0, 0)] * 4
    first: list[list[tuple[int, int]]] = []
    later: list[list[tuple[int, int]]] = []
    for _ in SLOTS:
        moved = [(random.choice((0, 100, 900)), random.choice((0, 400))) for _ in shown]
        less = [(random.choice((0, i // 2, i)), random.choice((0, e))) for i, e in moved]
        shown = [(a + i, b + e) for (a, b), (i, e) in zip(shown, moved, strict=True)]
        first.append(shown)
        later.append([(a - i, b - e) for (a, b), (i, e) in zip(shown, less, strict=True)])
    return Facts(first, later, [random.choice((1, 10**7, 10**8)) for _ in range(8)])


def lived(facts: Facts, random: Random) -> Ending:
    """Let the facts happen in a random order, each run cut into many transactions."""
    town = Town(4, rules=RULES_NOW, deposit_nano=0, slots=8)
    for slot in SLOTS:
        town.close_gate(slot)
    town.at(SLOTS[-1] + SLOT_S)
    due: dict[int, list[str]] = {slot: ["clear", "settle", "report", "correct"] for slot in SLOTS}
    paid_in = list(enumerate(facts.credits_nano))
    random.shuffle(paid_in)
    show(town, SLOT, [(0, 0)] * len(town.traders))
    for slot, shown in zip(SLOTS, facts.first, strict=True):
        show(town, slot + SLOT_S, shown)
    while any(due.values()) or paid_in:
        if paid_in and random.random() < 0.3:
            number, nano = paid_in.pop()
            trader = town.traders[number % 4]
            payment = town.payment(trader, nano, f"c{number}")
            town.submit("credit_client", payment, trader.retailer)
        if random.random() < 0.3:
            attempt(town, "fold_accounts", AreaName(AREA), random)
        waiting = [slot for slot, acts in due.items() if acts]
        if not waiting:
            continue
        slot = random.choice(waiting)
        act = due[slot][0]
        if act == "report":
            show(town, slot + SLOT_S, facts.later[SLOTS.index(slot)])
            due[slot].pop(0)
            following = (
                slot + SLOT_S
            )  # its energy has changed too, also for a run that is on its way
            if following in due and "report" not in due[following]:
                due[following].append("correct")
            continue
        answer = attempt(town, f"{act}_slot", SlotArguments(AREA, slot), random)
        done = {"clear": "CLEARED", "settle": "SETTLED", "correct": "SETTLED"}[act]
        if answer == done:
            due[slot].pop(0)
    town.close_gate(SLOTS[-1] + SLOT_S)
    town.clear(SLOTS[-1] + SLOT_S)
    town.fold()
    return ending(town)


def show(town: Town, boundary: int, shown: list[tuple[int, int]]) -> None:
    """Let the traders' registers at a boundary show these Wh of import and export."""
    for trader, (import_wh, export_wh) in zip(town.traders, shown, strict=True):
        put_register(town, trader.meter, boundary, import_wh, export_wh)


def attempt(town: Town, name: str, arguments: msgspec.Struct, random: Random) -> str:
    """Let a random member take a step, which may not be due; the phase when a run has ended."""
    try:
        data = town.submit(name, arguments, random.choice(MEMBERS))
    except Refused as refused:
        lawful = ("CLEARING_OUT_OF_ORDER", "NOTHING_TO_FOLD", "NOTHING_TO_CORRECT")
        if refused.code not in lawful:
            raise
        return "SETTLED" if refused.code == "NOTHING_TO_CORRECT" else ""
    answer = msgspec.json.decode(data)
    return "" if answer.get("step") else answer.get("phase", "")


def ending(town: Town) -> Ending:
    """The accounts and what clients owe, all folded."""
    accounts = {
        key: ACCOUNTS.decode(value)
        for key, value in town.view.range(ACCOUNTS.key(AREA, ""), ACCOUNTS.key(AREA + "0"))
    }
    sums = {
        key: CLAIM_SUMS.decode(value).amount_nano
        for key, value in town.view.range(CLAIM_SUMS.key(AREA, ""), CLAIM_SUMS.key(AREA + "0"))
    }
    return Ending({key: row for key, row in accounts.items() if row != Account()}, sums)


@pytest.mark.parametrize("part", range(10))
def test_rule_1_6_the_same_facts_in_a_thousand_interleavings_end_alike(
    part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Ten sets of facts, each in a hundred orders; clients' claims, balances and certificates."""
    facts = some_facts(Random(part))  # noqa: S311 facts of a test, no secret
    ends: list[Ending] = []
    cut_after(monkeypatch, 2)
    for seed in range(100):
        ends.append(lived(facts, Random(seed)))  # noqa: S311 an order of a test, no secret
        assert ends[-1] == ends[0], seed

    end = ends[0]
    assert sum(account.balance_nano for account in end.accounts.values()) == 0
    owed = sum(account.claims_nano for account in end.accounts.values())
    assert owed == sum(end.claims.values())
    clients = [account for key, account in end.accounts.items() if "did:key" in key]
    assert all(not (account.balance_nano and account.claims_nano) for account in clients)
    assert all(account.balance_nano >= 0 for account in clients)
