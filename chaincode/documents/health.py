"""Words on health: what an oracle node signs about meters, about itself and about other nodes.

They go to the API and never to the ledger; their form stands here because both sides import it.
"""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

from chaincode.documents.document import Document
from chaincode.state import Count

HEALTH_TYP = "commonwatt-health+jws"
HEALTH_BYTES_MAX = 131_072
FINDINGS_MAX = 50  # of a word, which stays below HEALTH_BYTES_MAX whatever its sentences are
SENTENCE_CHARACTERS_MAX = 240


class Finding(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How a meter, or the node of a DID, was found at a market time, s."""

    at_s: Count
    sentence: Annotated[str, msgspec.Meta(max_length=SENTENCE_CHARACTERS_MAX)]
    state: Annotated[str, msgspec.Meta(pattern=r"^[a-z]{1,32}\Z")]
    subject: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]


class HealthWord(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What a node signs; `said_ms` is its own clock, milliseconds UTC."""

    area: str
    channel: str
    contract: str
    findings: Annotated[list[Finding], msgspec.Meta(max_length=FINDINGS_MAX)]
    said_ms: Count
    v: Literal[1]


HEALTH = Document(HEALTH_TYP, HealthWord, bytes_max=HEALTH_BYTES_MAX)
