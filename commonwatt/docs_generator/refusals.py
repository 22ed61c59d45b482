"""The page of refusals, from the contract's own table."""

from __future__ import annotations

import re

from chaincode.errors import REFUSALS, Refusal

HEAD = """\
# Refusals

This page lists every code with which the contract refuses a request, its sentence, and what to do.
`make docs` writes it from the contract's table. Transactions are on the page of
[transactions](transactions.md), the bounds of market rules on that of
[configuration](../configuration.md).

A refused transaction has changed nothing. Codes are grouped by subject, roughly in the order in which
a request is examined: of several faults the contract names one, and the next one after that is
repaired. A word in braces stands for the value that was refused or for its bound. **Repeatable**
means that the same request may succeed later without a change. In a batch of sheets each sheet is
refused or accepted by itself, and the answer holds its code.

Codes of the identity floor, which appear inside the reason of `SHEET_UNREADABLE` and `DID_UNUSABLE`,
are on the page of [identity](../concepts/identity.md).
"""

_PLACE = re.compile(r"\{(\w+)(?:!r)?\}")


def refusals_page() -> str:
    """The page as Markdown."""
    return "\n".join([HEAD, *(_section(refusal) for refusal in REFUSALS)])


def _section(refusal: Refusal) -> str:
    sentence = _PLACE.sub(r"{\1}", refusal.sentence)
    again = "Repeatable. " if refusal.repeatable else ""
    return f"## `{refusal.code}`\n\n> {sentence}\n\n{again}{refusal.remedy}\n"
