"""The page of transactions, from the contract's own table."""

from __future__ import annotations

import re
from typing import Any, get_type_hints

import msgspec

from chaincode.area.intents import (
    HOLD_TYP,
    JOIN_TYP,
    PAYOUT_TYP,
    Hold,
    Join,
    Payout,
)
from chaincode.auctions.mechanisms import MECHANISMS
from chaincode.consortium.acts import ACT_TYP, Act
from chaincode.contract import EVERYBODY, TRANSACTIONS, TransactionRow
from chaincode.metering.reports import REPORT_TYP, TRANSIENT_LEAVES, Leaf, Report
from chaincode.metering.supply import SUPPLY_TYP, SupplyConsent
from chaincode.orders.sheets import AMEND_TYP, CANCEL_TYP, SHEET_TYP, Amend, Cancel, Sheet
from chaincode.settlement.disputes import DISPUTE_TYP, DisputeAct
from commonwatt.docs_generator.structs import (
    TYPES_LEGEND,
    fields_table,
    has_fields,
    structs_in,
    summary,
)

ROLES = {"dso": "DSO", "retailer": "retailer", "oracle": "oracle operator"}
SIGNED: tuple[tuple[str, type[msgspec.Struct], str], ...] = (
    (SHEET_TYP, Sheet, "place_orders"),
    (AMEND_TYP, Amend, "amend_orders"),
    (CANCEL_TYP, Cancel, "cancel_orders"),
    (JOIN_TYP, Join, "register_participant"),
    (HOLD_TYP, Hold, "register_certified_meter"),
    (PAYOUT_TYP, Payout, "debit_client"),
    (ACT_TYP, Act, "record_act"),
    (SUPPLY_TYP, SupplyConsent, "accept_supply"),
    (DISPUTE_TYP, DisputeAct, "dispute_trade"),
    (REPORT_TYP, Report, "record_readings"),
)

HEAD = """\
# Transactions

Every transaction of the contract: its arguments with their bounds, who may call it, and what it answers.
`make docs` writes this page from the contract's table. The [glossary](../concepts/glossary.md) explains the
words, and [refusals](refusals.md) have a page of their own.

A **write** changes state; a refused write changes nothing. A **query** reads, and every member may call it.
The contract first checks the name, the arguments and the caller; it refuses unknown fields.

Energy is in Wh, power in W, prices in micro-currency per kWh, money in nano-currency, times in seconds
UTC.

"""


def transactions_page() -> str:
    """Return the page as Markdown."""
    writes = [transaction for transaction in TRANSACTIONS if transaction.writes]
    queries = [transaction for transaction in TRANSACTIONS if not transaction.writes]
    parts = [HEAD + TYPES_LEGEND, _overview(writes, queries), "## Writes"]
    parts += [_section(transaction) for transaction in writes]
    parts.append("## Queries")
    parts += [_section(transaction) for transaction in queries]
    parts.append(_signed())
    parts.append(_mechanisms())
    parts.append("## Structures\n\nWhat arguments, answers and signed payloads are made of.")
    parts += [_structure(struct) for struct in _structures()]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def _overview(writes: list[TransactionRow], queries: list[TransactionRow]) -> str:
    lines = ["| transaction | who may call | what it does |", "|---|---|---|"]
    for transaction in (*writes, *queries):
        first = re.split(r"(?<=[.?])\s", summary(transaction.handler))[0]
        name = transaction.name
        lines.append(f"| [`{name}`](#{name}) | {_callers(transaction)} | {first} |")
    return "\n".join(lines)


def _section(transaction: TransactionRow) -> str:
    kind = "Write" if transaction.writes else "Query"
    answer = _answer_of(transaction)
    said = [f"### `{transaction.name}`", summary(transaction.handler)]
    said.append(
        f"{kind} by: {_callers(transaction)}. Answers [{answer.__name__}]({_link(answer)})."
    )
    if transaction.name == "record_readings":
        said.append(
            f"Transient data `{TRANSIENT_LEAVES}`: canonical JSON, a list of 1 to 1,000 "
            f"[Leaf]({_link(Leaf)}), sorted by meter. It never enters a block."
        )
    if has_fields(transaction.arguments):
        said.append(summary(transaction.arguments))
        said.append(fields_table(transaction.arguments))
    return "\n\n".join(said)


def _callers(transaction: TransactionRow) -> str:
    if not transaction.callers:
        return "DSO that the arguments name (administrator)"
    if transaction.callers == EVERYBODY:
        return "every member"
    *others, last = [ROLES[role] for role in transaction.callers]
    roles = f"{', '.join(others)} or {last}" if others else last
    return f"{roles} (administrator)" if transaction.admin else roles


def _answer_of(transaction: TransactionRow) -> type[msgspec.Struct]:
    return get_type_hints(transaction.handler)["return"]


def _link(struct: type[msgspec.Struct]) -> str:
    return f"#{struct.__name__.lower()}"


def _signed() -> str:
    lines = [
        "## Signed payloads",
        (
            "A token is a compact JWS ([identity](../concepts/identity.md)) whose header carries `typ` and "
            "whose payload is the canonical JSON of one of these. The signer is the DID whose key signed it."
        ),
        "| `typ` | payload | carried by |\n|---|---|---|\n"
        + "\n".join(
            f"| `{typ}` | [{struct.__name__}]({_link(struct)}) | [`{name}`](#{name}) |"
            for typ, struct, name in SIGNED
        ),
    ]
    return "\n\n".join(lines)


def _mechanisms() -> str:
    lines = [
        "## Mechanisms",
        "The table from which market rules, `commonwatt auction` and this list follow.",
        "| name | one book for each | when | in market rules | what it does |\n|---|---|---|---|---|\n"
        + "\n".join(
            f"| `{row.name}` | {row.scope} | {row.timing.replace('_', ' ')} | "
            f"{'yes' if row.for_areas else 'no'} | {row.docs} |"
            for row in MECHANISMS.values()
        ),
    ]
    return "\n\n".join(lines)


def _structures() -> list[type[msgspec.Struct]]:
    """Return every struct that is not described under its transaction already, by name."""
    top = [transaction.arguments for transaction in TRANSACTIONS]
    others: list[Any] = [_answer_of(transaction) for transaction in TRANSACTIONS]
    others += [struct for _, struct, _ in SIGNED]
    others += [hint for each in top for hint in get_type_hints(each, include_extras=True).values()]
    found = {struct.__name__: struct for kind in (*others, Leaf) for struct in structs_in(kind)}
    return [found[name] for name in sorted(found)]


def _structure(struct: type[msgspec.Struct]) -> str:
    return f"### {struct.__name__}\n\n{summary(struct)}\n\n{fields_table(struct)}"
