"""What a projection works with when it turns one event into rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from api.features.batch import Batch
from api.features.ledger_questions import LedgerQuestions
from api.features.registry import Registry
from api.read_model.database import Database
from ledger_network.port import Happened


class EventContext(NamedTuple):
    """The transaction that an event is of, what is known, whom to ask, and where rows go."""

    happened: Happened
    questions: LedgerQuestions
    database: Database
    registry: Registry
    batch: Batch

    @property
    def block(self) -> int:
        """The block of the event."""
        return self.happened.position.block


TellingEvent = Callable[[msgspec.Raw, EventContext], None]
"""Takes an event whose data says everything that changed."""

SlotEvent = Callable[[msgspec.Raw, EventContext], Awaitable[None]]
"""Takes an event that names a slot; its rows are asked of the ledger and of the tables."""
