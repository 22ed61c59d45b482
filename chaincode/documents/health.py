"""Health reports: what an oracle node signs about meters, about itself and about other nodes.

Health reports go to the API and never to the ledger. Their form is defined here because both the
oracle nodes and the API import it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from chaincode.documents.document import (
    ChannelName,
    Document,
)
from chaincode.state import (
    Count,
    Name,
)

HEALTH_TYP = "commonwatt-health+jws"
HEALTH_BYTES_MAX = 131_072
FINDINGS_MAX = 50  # of a report; with any sentences it stays below HEALTH_BYTES_MAX
SENTENCE_CHARACTERS_MAX = 240


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The health of a meter, or of the node with a DID, at a market time in seconds."""

    at_s: Count
    sentence: Annotated[str, msgspec.Meta(max_length=SENTENCE_CHARACTERS_MAX)]
    state: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{1,32}\Z")]
    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class HealthWord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A health report that a node signs; `said_ms` is the node's clock in milliseconds UTC."""

    area: Name
    channel: ChannelName
    contract: ChannelName
    findings: Annotated[list[Finding], msgspec.Meta(max_length=FINDINGS_MAX)]
    said_ms: Count
    v: Literal[1]


HEALTH = Document(HEALTH_TYP, HealthWord, bytes_max=HEALTH_BYTES_MAX)
