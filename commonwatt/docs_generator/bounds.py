"""The page of greatest sizes, from the constants that the contract enforces."""

from __future__ import annotations

from typing import NamedTuple

from chaincode.area.fees import ROWS_MAX
from chaincode.area.rules import AHEAD_MAX
from chaincode.area.seed_chains import SEED_MEMBERS_MAX
from chaincode.area.tariffs import SCHEDULE_MAX
from chaincode.area.zones import ZONE_DEPTH_MAX, ZONES_MAX
from chaincode.consortium.organisations import ORGANISATIONS_MAX
from chaincode.consortium.participants import LOCKED_MAX
from chaincode.context import BYTES_MAX, READS_MAX, WRITES_MAX
from chaincode.documents.intake import BATCH_STEPS_MAX, BATCH_TOKENS_MAX
from chaincode.errors import (
    BATCH_FULL,
    BYTES_TOO_MANY,
    EXCHANGES_TOO_MANY,
    FEE_ROW,
    LEAVES_COUNT,
    LOCKED_TOO_MANY,
    METERS_TOO_MANY,
    ORACLE_NODES_COUNT,
    ORDERS_COUNT,
    ORDERS_TOO_MANY,
    READS_TOO_MANY,
    RULES_AHEAD,
    SEED_MEMBERS_TOO_MANY,
    SLOT_STEPS_TOO_MANY,
    STEPS_COUNT,
    WRITES_TOO_MANY,
    ZONES_TOO_DEEP,
    ZONES_TOO_MANY,
    Refusal,
)
from chaincode.metering.exchanges import EXCHANGES_MAX
from chaincode.metering.meter_counts import GROUP_METERS_MAX, GROUPS, METERS_MAX
from chaincode.metering.oracles import NODES_MAX
from chaincode.metering.reports import LEAVES_MAX
from chaincode.orders.order_batch import ORDERS_PER_ROW_MAX, STEPS_MAX, STEPS_PER_ROW_MAX
from chaincode.orders.sheets import ORDERS_PER_SHEET_MAX
from chaincode.slots.folding import ENTRY_POINTS
from chaincode.slots.runs import POINTS


class Bound(NamedTuple):
    """A greatest size, and the refusal of what is beyond it; None where the type says it."""

    what: str
    limit: int
    refusal: Refusal | None


AREA = (
    Bound("organisations with which a channel begins", ORGANISATIONS_MAX, None),
    Bound("zones of an area, the root included", ZONES_MAX, ZONES_TOO_MANY),
    Bound("levels of an area's tree, the root included", ZONE_DEPTH_MAX, ZONES_TOO_DEEP),
    Bound("meters of an area, retired meters included", METERS_MAX, METERS_TOO_MANY),
    Bound("fee rows of an area at one time", ROWS_MAX, FEE_ROW),
    Bound("members in the draw of an area", SEED_MEMBERS_MAX, SEED_MEMBERS_TOO_MANY),
    Bound("oracle nodes of an area", NODES_MAX, ORACLE_NODES_COUNT),
    Bound("participants locked at once", LOCKED_MAX, LOCKED_TOO_MANY),
    Bound("versions of market rules that are still to begin", AHEAD_MAX, RULES_AHEAD),
    Bound("slots of one price schedule", SCHEDULE_MAX, None),
    Bound("exchanges of one meter that are not final", EXCHANGES_MAX, EXCHANGES_TOO_MANY),
)
SLOT = (
    Bound("orders of one participant in a slot", ORDERS_PER_ROW_MAX, ORDERS_TOO_MANY),
    Bound("steps of one order", STEPS_MAX, STEPS_COUNT),
    Bound(
        "steps of one participant's open orders in a slot", STEPS_PER_ROW_MAX, SLOT_STEPS_TOO_MANY
    ),
    Bound("orders of one sheet", ORDERS_PER_SHEET_MAX, ORDERS_COUNT),
    Bound("tokens that a batch takes", BATCH_TOKENS_MAX, BATCH_FULL),
    Bound("steps that a batch takes", BATCH_STEPS_MAX, BATCH_FULL),
    Bound("meters of one report", LEAVES_MAX, LEAVES_COUNT),
)
TRANSACTION = (
    Bound("bytes of arguments, transient data and writes", BYTES_MAX, BYTES_TOO_MANY),
    Bound("keys written", WRITES_MAX, WRITES_TOO_MANY),
    Bound("rows read", READS_MAX, READS_TOO_MANY),
)

ACCOUNTS_OF_METER = 5  # its holder, its retailer, its offtaker, and the VAT of the first two
ACCOUNTS_OF_FEE_ROW = 2  # its payee, and the VAT of its supplier
ACCOUNTS_OF_AREA = 2  # the spread, and the DSO that gets cancellation fees
FOLDED = POINTS // ENTRY_POINTS  # entries of one transaction
FOLD_PASSES = 2  # where an owner's entries take more than one transaction, they are read twice


class SlotSizes(NamedTuple):
    """The greatest numbers of a slot, which follow from what admission and placing refuse."""

    orders: int
    steps: int
    trades: int
    entries: int


def slot_sizes(*, meters: int, fee_rows: int, orders_each: int, steps_each: int) -> SlotSizes:
    """Return the greatest numbers of a slot with so many meters and fee rows.

    Only who holds a meter of the area in the slot may have open orders in it, and a meter has one
    holder. Each trade uses up a step on one side at least. The entries are those that the slot's
    settlement, or one correction, appends.
    """
    steps = meters * steps_each
    return SlotSizes(
        orders=meters * orders_each,
        steps=steps,
        trades=max(0, steps - 1),
        entries=meters * ACCOUNTS_OF_METER + fee_rows * ACCOUNTS_OF_FEE_ROW + ACCOUNTS_OF_AREA,
    )


LARGEST = slot_sizes(
    meters=METERS_MAX,
    fee_rows=ROWS_MAX,
    orders_each=ORDERS_PER_ROW_MAX,
    steps_each=STEPS_PER_ROW_MAX,
)

HEAD = """\
# Bounds

The greatest sizes that the contract takes, and the refusal of what is beyond them. Use this page to see whether
an area fits. `make docs` writes it from the contract's constants.

A run (clearing, folding, settlement, correction) is cut into transactions by constants, so that a transaction
with the largest lawful units stays within the limits of a transaction. So the size of a slot decides only how
many transactions the slot takes.
"""

TAIL = f"""\
## What follows from them

**Participants.** A channel may have any number of participants. In a slot only those can trade that hold a meter
of the area in that slot, and a meter has one holder. So a slot has at most {METERS_MAX:,} traders.

**Orders.** Each of these traders has at most {ORDERS_PER_ROW_MAX} orders, and {STEPS_PER_ROW_MAX} steps in its open
ones. So a slot has at most {LARGEST.orders:,} orders, {LARGEST.steps:,} steps and {LARGEST.trades:,} trades. Each
trader fills its own row only: nobody can take the places of others, and no counter makes the orders of a slot
conflict. A member that clears such a book keeps it in memory as a whole.

**Meters.** One counter of an area's meters would make any two registrations conflict. So meters are counted in
{GROUPS} groups, by the first byte of the SHA-256 of their names, and each group takes {GROUP_METERS_MAX} meters.
With names of no special kind the first group is full when an area has about three quarters of its meters; a meter
with another name then falls into another group.

**Entries.** A settlement or a correction appends at most one entry for each owner and answering retailer. These are
at most {ACCOUNTS_OF_METER} for each meter, {ACCOUNTS_OF_FEE_ROW} for each fee row and {ACCOUNTS_OF_AREA} for the area:
{LARGEST.entries:,} entries. A payment appends 2, and a fee for cancelling 1. A transaction folds at least
{FOLDED // FOLD_PASSES:,} entries, so the entries of such a slot are folded in at most
{-(-LARGEST.entries * FOLD_PASSES // FOLDED):,} transactions, and one transaction folds what
{FOLDED // FOLD_PASSES // 2:,} payments have appended. How many entries an epoch has is bounded by the transactions
that were sent while it was open: nobody can append by payments faster than another member folds.
"""


def bounds_page() -> str:
    """Return the page as Markdown."""
    parts = [
        HEAD,
        _section("An area", AREA),
        _section("A slot", SLOT),
        _section("A transaction", TRANSACTION),
        TAIL,
    ]
    return "\n".join(parts)


def _section(title: str, bounds: tuple[Bound, ...]) -> str:
    rows = [f"| {one.what} | {one.limit:,} | {_refusal(one.refusal)} |" for one in bounds]
    return "\n".join([f"## {title}\n", "| what | at most | refusal |", "|---|---|---|", *rows, ""])


def _refusal(refusal: Refusal | None) -> str:
    code = "ARGUMENTS_INVALID" if refusal is None else refusal.code
    return f"[`{code}`](refusals.md#{code.lower()})"
