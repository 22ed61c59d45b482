"""Faults that are put into the contract on purpose; the machine must find each of them.

Each opens one door and says in which words the machine complains about it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import msgspec
import pytest

from chaincode.accounts.balances import Account
from chaincode.accounts.claims import Claims
from chaincode.accounts.entries import Unfolded
from chaincode.area.zones import Area
from chaincode.consortium.participants import locked_traders
from chaincode.context import Context
from chaincode.contract import TRANSACTIONS, TransactionRow
from chaincode.metering.plausible import Neighbours
from chaincode.metering.registers import Weigh
from chaincode.orders.order_batch import OrderBatch, RowKey
from chaincode.slots.draw import gate_seed, seed_states
from chaincode.slots.gate import Gate, Slot, get_gate

Patch = pytest.MonkeyPatch


def padding_is_taken(patch: Patch) -> str:
    """A transaction takes transient data that nobody reads."""
    rows = {row.name: row for row in TRANSACTIONS}

    def named(name: str) -> TransactionRow:
        return rows[name]._replace(transient=(*rows[name].transient, "padding"))

    patch.setattr("chaincode.contract._named", named)
    return "a padded step is taken"


def terms_are_never_frozen(patch: Patch) -> str:
    """Fees, prices and VAT may be posted for a slot that is open."""

    def require_nothing(context: Context, area: Area, from_slot: int) -> None:
        assert from_slot % area.slot_s == 0 or context

    patch.setattr("chaincode.area.tariffs.require_unopened", require_nothing)
    return "changes a slot that has opened"


def orders_come_after_the_gate(patch: Patch) -> str:
    """Neither the time of the gate is looked at nor until when a sheet may be carried."""

    def anything(*_: object, **__: object) -> None:
        """Refuse nothing."""

    patch.setattr("chaincode.orders.checks.check_gate", anything)
    patch.setattr("chaincode.orders.handlers.require_timely", anything)
    return "an order is placed too late|an order that may be placed: False, is PLACED"


def a_cancelled_sheet_comes_back(patch: Patch) -> str:
    """The id of an order that was cancelled before it came is not used up."""

    def withdrawn(self: OrderBatch, key: RowKey) -> list[str]:
        assert self
        assert key
        return []

    patch.setattr(OrderBatch, "withdrawn", withdrawn)
    return "a cancelled sheet is placed|an id is used up twice"


def clearing_uses_the_pauses_of_now(patch: Patch) -> str:
    """A zone that is paused in the middle of a clearing drops out of it."""

    def area_now(area: Area, gate: Gate) -> Area:
        assert gate
        return area

    patch.setattr("chaincode.clearing.run.area_at_gate", area_now)
    return " is "


def clearing_uses_the_locks_of_now(patch: Patch) -> str:
    """A trader that is locked after the gate drops out of the book."""

    def locked_now(context: Context, act: int, dids: Iterable[str]) -> frozenset[str]:
        assert act >= 0
        return locked_traders(context).intersection(dids)

    patch.setattr("chaincode.clearing.order_book.locked_at", locked_now)
    return " is "


def seeds_are_not_awaited(patch: Patch) -> str:
    """A slot is cleared although a seed member may still reveal."""

    def hasty(context: Context, area: str, start: int, slot: Slot) -> Slot:
        states = seed_states(context, area, start, get_gate(context, area, start))
        withheld = [state.member for state in states if state.seed is None]
        return msgspec.structs.replace(slot, seed=gate_seed(states), withheld=withheld)

    patch.setattr("chaincode.clearing.run.draw", hasty)
    return "cleared while a seed is awaited"


def a_check_never_ends(patch: Patch) -> str:
    """A transaction has no room for a page of readings, so a settlement commits and stands still."""
    patch.setattr("chaincode.settlement.run.READ_ROWS", 10**9)
    return "carried out and has changed nothing|has not ended after"


def a_gap_is_counted_in_each_slot(patch: Patch) -> str:
    """The energy of a gap is given to each of its slots."""

    def all_of_it(slot: int, total_wh: int, slots: range, weigh: Weigh) -> int:
        assert slot in slots
        assert weigh
        return total_wh

    patch.setattr("chaincode.metering.registers.share_of", all_of_it)
    return "m00"


def no_correction_is_announced(patch: Patch) -> str:
    """A report says of no slot that it is due a correction."""

    def span(self: Neighbours, meters: Iterable[str]) -> tuple[int, int | None]:
        assert self
        assert meters
        return 2**40, None

    patch.setattr(Neighbours, "span", span)
    return "m00"


def a_claim_is_forgotten(patch: Patch) -> str:
    """Folding leaves a client below zero, and nobody pays for it or holds a claim."""

    def strike(self: Claims, client: str, *, cause: str, retailer: str, nano: int) -> None:
        assert self.postings is not None
        assert client
        assert cause
        assert retailer
        assert nano

    patch.setattr(Claims, "strike", strike)
    return "is below zero"


def claims_are_not_repaid(patch: Patch) -> str:
    """A client keeps its money while others wait for theirs."""

    def is_due(self: Claims, client: str) -> bool:
        assert self.postings is not None
        return not client

    patch.setattr(Claims, "is_due", is_due)
    return "owes and has"


def a_payout_counts_what_is_reserved(patch: Patch) -> str:
    """What covers trades, what is owed and what is spent already may be paid out."""

    def free_nano(account: Account, waiting: Unfolded) -> int:
        assert waiting
        return account.balance_nano

    patch.setattr("chaincode.accounts.payments.free_nano", free_nano)
    return "more is paid out than is free"


FAULTS: Sequence[Callable[[Patch], str]] = (
    padding_is_taken,
    terms_are_never_frozen,
    orders_come_after_the_gate,
    a_cancelled_sheet_comes_back,
    clearing_uses_the_pauses_of_now,
    clearing_uses_the_locks_of_now,
    seeds_are_not_awaited,
    a_check_never_ends,
    a_gap_is_counted_in_each_slot,
    no_correction_is_announced,
    a_claim_is_forgotten,
    claims_are_not_repaid,
    a_payout_counts_what_is_reserved,
)
