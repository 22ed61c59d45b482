"""Every refusal: its code, its sentence, what to do about it, and whether a retry may succeed.

A handler raises `GATE_CLOSED(slot=…, area=…)`; the sentence is written only here. The modules
follow the order in which a request is examined: the caller, what is registered, the signature, then
the subject of the request. The contract suite fixes which of two faults a transaction names. The
code of a refusal that is no longer used stays reserved.

`Refused` means that a caller's input is invalid. `Broken` means that an invariant of this program
does not hold; it stops the transaction without any answer. Callers import all refusals from here.
"""

from __future__ import annotations

from chaincode.errors import access, registry, reporting, running, trading
from chaincode.errors.access import *  # noqa: F403 one table, split into modules by subject
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
"""The table by code, for clients that show what to do about a refusal."""
