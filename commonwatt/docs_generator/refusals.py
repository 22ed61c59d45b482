"""The page of refusals, from the contract's own table."""

from __future__ import annotations

import re

from chaincode.errors import REFUSALS, Refusal

HEAD = """\
# Refusals

Every code with which the contract refuses a request, its sentence, and what to do. `make docs` writes this
page from the contract's table.

A refused transaction changes nothing. The codes are sorted by subject, roughly in the order in which the
contract checks a request. If a request has several faults, the contract names one; when that is repaired, it
names the next. A word in braces stands for the refused value or for its bound. **Repeatable** means that the
same request may succeed later without a change. In a batch of sheets each sheet is accepted or refused on its
own, and the answer holds its code.

The reasons of `SHEET_UNREADABLE` and `DID_UNUSABLE` contain codes of their own; the page about
[identity](../concepts/identity.md) lists them.
"""

_PLACE = re.compile(r"\{(\w+)(?:!r)?\}")


def refusals_page() -> str:
    """Return the page as Markdown."""
    return "\n".join([HEAD, *(_section(refusal) for refusal in REFUSALS)])


def _section(refusal: Refusal) -> str:
    sentence = _PLACE.sub(r"{\1}", refusal.sentence)
    again = "Repeatable. " if refusal.repeatable else ""
    return f"## `{refusal.code}`\n\n> {sentence}\n\n{again}{refusal.remedy}\n"
