"""Delivery in match sequence and certificates, on cases small enough to see through."""

from __future__ import annotations

import itertools

import pytest

from chaincode.errors import Broken
from chaincode.settlement.delivery import (
    Generation,
    Obligation,
    certify,
    deliver_in_order,
    retire_in_order,
    undelivered_in_order,
)


def test_every_small_slot_of_three_contracts_delivers_all_that_the_order_allows() -> None:
    """Aim: no contract is left short while both its sides have energy, none gets more than is left.

    Method: every seller, buyer and quantity of three contracts between two sellers and two
    buyers, over every reading of 0 to 2 Wh.
    """
    ends = list(itertools.product("st", "bc"))
    for pairs in itertools.product(ends, repeat=3):
        for quantities in itertools.product((1, 2), repeat=3):
            contracts = [
                Obligation(f"t{i}", seller, buyer, quantity)
                for i, ((seller, buyer), quantity) in enumerate(zip(pairs, quantities, strict=True))
            ]
            for s, t, b, c in itertools.product(range(3), (0, 2), (1, 2), range(3)):
                export_wh, import_wh = {"s": s, "t": t}, {"b": b, "c": c}
                settled = deliver_in_order(contracts, export_wh, import_wh)

                exported, imported = {"s": s, "t": t}, {"b": b, "c": c}
                for contract, wh in zip(contracts, settled, strict=True):
                    short = contract.quantity_wh - wh
                    exported[contract.seller] -= wh
                    imported[contract.buyer] -= wh
                    empty = not exported[contract.seller] or not imported[contract.buyer]
                    assert wh >= 0
                    assert short == 0 or (short > 0 and empty)
                assert (exported, imported) == (export_wh, import_wh)
                assert min(*exported.values(), *imported.values()) >= 0
                lacking = undelivered_in_order(contracts, settled, import_wh)
                assert lacking == undelivered_by_the_rule(contracts, settled, {"b": b, "c": c})


def undelivered_by_the_rule(
    contracts: list[Obligation], settled: list[int], import_wh: dict[str, int]
) -> list[int]:
    """min(contract, buyer's remaining import) - settled, walked forwards."""
    found: list[int] = []
    for contract, wh in zip(contracts, settled, strict=True):
        found.append(min(contract.quantity_wh, import_wh[contract.buyer]) - wh)
        import_wh[contract.buyer] -= wh
    return found


def test_a_meter_without_a_reading_is_broken_and_never_taken_as_zero() -> None:
    contract = Obligation("t1", "s", "b", 10)

    with pytest.raises(Broken, match="meter s owes or is owed energy and has no reading"):
        deliver_in_order([contract], {}, {"b": 5})
    with pytest.raises(Broken, match="meter b owes or is owed energy and has no reading"):
        deliver_in_order([contract], {"s": 5}, {})


@pytest.mark.parametrize(("quantity", "export", "import_"), [(-1, 5, 5), (5, -1, 5), (5, 5, -1)])
def test_energy_below_zero_is_broken(quantity: int, export: int, import_: int) -> None:
    with pytest.raises(Broken, match="would deliver -1 Wh"):
        deliver_in_order([Obligation("t1", "s", "b", quantity)], {"s": export}, {"b": import_})


def test_certificates_are_minted_on_the_lesser_of_export_and_generation() -> None:
    minted = certify(
        [
            Generation("plain", 8000),
            Generation("battery", 8000, generation_wh=5000),
            Generation("home", 3000, generation_wh=9000),
            Generation("claimed", 4000, certified=False),
            Generation("dark", 0, generation_wh=0),
        ]
    )

    assert minted == {"plain": 8000, "battery": 5000, "home": 3000}


def test_generation_below_zero_is_broken() -> None:
    with pytest.raises(Broken, match="would mint -2 Wh"):
        certify([Generation("s", 5, generation_wh=-2)])


def test_certificates_are_retired_in_match_order_until_the_seller_has_none() -> None:
    contracts = [Obligation(f"t{i}", "s", buyer, 4000) for i, buyer in enumerate("bcb")]
    live_wh = {"s": 5000, "other": 100}

    retired = retire_in_order(contracts, [4000, 3000, 500], live_wh)

    assert retired == [4000, 1000, 0]
    assert live_wh == {"s": 0, "other": 100}


def test_a_seller_without_certificates_lets_its_buyer_retire_none() -> None:
    live_wh: dict[str, int] = {}

    assert retire_in_order([Obligation("t1", "s", "b", 10)], [10], live_wh) == [0]
    assert live_wh == {}
