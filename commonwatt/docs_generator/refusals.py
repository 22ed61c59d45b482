"""The page of refusals, from the contract's own table and the advice for each."""

from __future__ import annotations

import re
from collections.abc import Iterable

from chaincode.errors import REFUSALS, Refusal
from commonwatt.docs_generator.remedies import REMEDIES

HEAD = """\
# Refusals

For whoever gets one: every code with which the contract says no, its sentence, and what to do. Written
from the contract's table by `make docs`.

A refused transaction has changed nothing. Codes stand by subject, roughly in the order in which a
request is examined: of several faults one is named, and the next once that is repaired. A word in
braces stands for the value that was refused or for its bound. **Repeatable** means that the same request may succeed later, without being changed. In a batch
of sheets each sheet is refused or taken by itself, and the answer holds its code.

Codes of the identity floor, which stand inside the reason of `SHEET_UNREADABLE` and `DID_UNUSABLE`,
are on the page of [identity](../concepts/identity.md).
"""

_PLACE = re.compile(r"\{(\w+)(?:!r)?\}")


def refusals_page() -> str:
    """The page as Markdown; raises `KeyError` where advice is missing or idle."""
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
