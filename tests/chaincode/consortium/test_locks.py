"""The row of locked participants, which every batch of orders reads, does not grow for ever."""

from __future__ import annotations

from chaincode.consortium.participants import LOCKED_MAX, LOCKS, Locks
from identity.canonical import encode
from tests.chaincode.town import Town


def test_one_lock_more_than_the_row_holds_is_refused() -> None:
    town = Town(2, slots=1)
    first, second = town.traders
    others = [f"did:key:z{number:05d}" for number in range(LOCKED_MAX - 1)]
    town.view.rows[LOCKS.key()] = encode(Locks(act=0, locked=others))

    town.submit("record_act", town.lock_token(first, 1, lock=True))

    assert town.refused("record_act", town.lock_token(second, 2, lock=True)) == "LOCKED_TOO_MANY"
    town.submit("record_act", town.lock_token(first, 2, lock=False))
    town.submit("record_act", town.lock_token(second, 3, lock=True))
