"""The closed sets of words in the schema."""

from __future__ import annotations

from enum import Enum

import strawberry


@strawberry.enum(description="What somebody who is signed in is.")
class Role(Enum):
    """What somebody who is signed in is."""

    HOUSEHOLD = "HOUSEHOLD"
    RETAILER = "RETAILER"
    DSO = "DSO"
    OPERATOR = "OPERATOR"
    REGULATOR = "REGULATOR"


@strawberry.enum(description="How far a slot is.")
class SlotPhase(Enum):
    """How far a slot is; one that has settled is CORRECTING while newer readings are settled."""

    OPEN = "OPEN"
    CLOSED = "CLOSED"
    CLEARING = "CLEARING"
    CLEARED = "CLEARED"
    SETTLING = "SETTLING"
    SETTLED = "SETTLED"
    CORRECTING = "CORRECTING"


@strawberry.enum(description="Who wants the energy: BUY, or gives it: SELL.")
class Side(Enum):
    """The side of an order."""

    BUY = "BUY"
    SELL = "SELL"


@strawberry.enum(description="How far an order or a trade is.")
class OrderState(Enum):
    """How far an order or a trade is."""

    LISTED = "LISTED"
    MATCHED = "MATCHED"
    EXECUTING = "EXECUTING"
    SETTLED = "SETTLED"
    DISPUTED = "DISPUTED"
    EXPIRED = "EXPIRED"
    CANCELLED = "CANCELLED"


@strawberry.enum(description="Where a reading comes from.")
class Quality(Enum):
    """Where a reading comes from."""

    MEASURED = "MEASURED"
    ESTIMATED = "ESTIMATED"
    SUBSTITUTED = "SUBSTITUTED"
    EDITED = "EDITED"
