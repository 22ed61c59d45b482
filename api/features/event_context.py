"""What a projection is given to turn one event into rows."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

import msgspec

from api.features.batch import Batch
from api.features.ledger_questions import LedgerQuestions
from api.features.registry import Registry
from api.read_model.database import Database
from ledger_network.port import CommittedEvents


class EventContext(NamedTuple):
    """The event's transaction, the registry, the ledger and tables to query, and the batch."""

    happened: CommittedEvents
    questions: LedgerQuestions
    database: Database
    registry: Registry
    batch: Batch

    @property
    def block(self) -> int:
        """The block of the event."""
        return self.happened.position.block


TellingEvent = Callable[[msgspec.Raw, EventContext], None]
"""Handles an event whose data says everything that changed."""

SlotEvent = Callable[[msgspec.Raw, EventContext], Awaitable[None]]
"""Handles an event that names a slot; the handler reads the rows from the ledger and the tables."""
