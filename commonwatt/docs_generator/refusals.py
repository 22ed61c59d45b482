"""The page of refusals, from the contract's own table and the advice for each."""

from __future__ import annotations

import re
from collections.abc import Iterable

from chaincode.errors import REFUSALS, Refusal
from commonwatt.docs_generator.remedies import REMEDIES

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
    """The page as Markdown; raises `KeyError` if a code lacks advice or advice lacks a code."""
    _require_advice(refusal.code for refusal in REFUSALS)
    return "\n".join([HEAD, *(_section(refusal) for refusal in REFUSALS)])


def _section(refusal: Refusal) -> str:
    sentence = _PLACE.sub(r"{\1}", refusal.sentence)
    again = "Repeatable. " if refusal.repeatable else ""
    return f"## `{refusal.code}`\n\n> {sentence}\n\n{again}{REMEDIES[refusal.code]}\n"


def _require_advice(codes: Iterable[str]) -> None:
    known = dict.fromkeys(codes)
    idle = [code for code in REMEDIES if code not in known]
    missing = [code for code in known if code not in REMEDIES]
    if idle or missing:
        raise KeyError(f"refusals without advice: {missing}; advice without refusal: {idle}")
