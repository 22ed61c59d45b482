"""Every refusal: its code, its sentence, what to do about it, whether it may succeed later.

A handler raises `GATE_CLOSED(slot=…, area=…)`; the sentence is worded here alone. The modules follow
a request through its examination: who calls, what is registered, the signature, then what the
request is about. Which of two faults a transaction names is pinned by its ladder in the contract
suite. A code once retired stays reserved.

`Refused` is a stranger's bad input; `Broken` is a broken invariant of our own and stops the
transaction without an answer that could be mistaken for one. Callers import all of them from here.
"""

from __future__ import annotations

from chaincode.errors import access, registry, reporting, running, trading
from chaincode.errors.access import *  # noqa: F403 the table is one, in modules by subject
from chaincode.errors.refusal import Broken as Broken
from chaincode.errors.refusal import Refusal
from chaincode.errors.refusal import Refused as Refused
from chaincode.errors.registry import *  # noqa: F403 as above
from chaincode.errors.reporting import *  # noqa: F403 as above
from chaincode.errors.running import *  # noqa: F403 as above
from chaincode.errors.trading import *  # noqa: F403 as above

REFUSALS: tuple[Refusal, ...] = tuple(
    value
    for module in (access, registry, trading, running, reporting)
    for value in vars(module).values()
    if isinstance(value, Refusal)
)
"""The whole table in the order in which a request is examined."""

BY_CODE = {refusal.code: refusal for refusal in REFUSALS}
"""The table by code, for readers that show what to do about a refusal."""
