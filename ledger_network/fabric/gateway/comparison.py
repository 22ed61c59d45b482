"""Finds which organisations endorse different results of one proposal, and where they differ.

The gateway only says that results differ. This module sends the same signed proposal to each
organisation separately, and compares byte by byte what the organisations would sign.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from fabric_protos.ledger.rwset import rwset_pb2
from fabric_protos.ledger.rwset.kvrwset import kv_rwset_pb2

from ledger_network.fabric.gateway.envelope import action_of
from ledger_network.fabric.gateway.errors import GatewayError
from ledger_network.fabric.gateway.requests import SignedProposal
from ledger_network.fabric.gateway.steps import Steps

_READS = ("read ", "range ", "private read ")
ORGANISATIONS_MAX = 64  # of one channel; all are asked at the same time


@dataclass(frozen=True, slots=True)
class Verdict:
    """The answers of organisations (MSP ids) to one proposal.

    Each of `sides` lists the organisations with the same result, the largest side first; `odd` are
    all that are not on the largest side, or all when no side is larger than the next. `differing`
    names what the sides differ in: "result", "event", or "read"/"write" with chaincode and key (of
    a private collection "private read"/"private write" with its name). `failed` tells which
    organisations gave no endorsement, and why.
    """

    sides: tuple[tuple[str, ...], ...]
    differing: tuple[str, ...]
    failed: dict[str, GatewayError]

    @property
    def agreed(self) -> bool:
        """Return whether all that endorsed gave the same result."""
        return len(self.sides) < 2

    @property
    def of_states(self) -> bool:
        """Return whether the peers read different states, so that their contracts may be the same.

        A peer that is behind, or lacks private values that others have, reads otherwise for a while.
        """
        return any(one.startswith(_READS) for one in self.differing)

    @property
    def odd(self) -> tuple[str, ...]:
        """The organisations that are not on the largest side, or all if no side is the largest."""
        if self.agreed:
            return ()
        tied = len(self.sides[0]) == len(self.sides[1])
        return tuple(one for side in self.sides[0 if tied else 1 :] for one in side)


async def compare(steps: Steps, proposal: SignedProposal, organisations: Sequence[str]) -> Verdict:
    """Ask each of `organisations` to endorse `proposal`; nothing is ordered."""
    asked = list(dict.fromkeys(organisations))
    if len(asked) > ORGANISATIONS_MAX:
        raise ValueError(f"{len(asked)} organisations, at most {ORGANISATIONS_MAX}")
    answers = await asyncio.gather(*(_opinion(steps, proposal, one) for one in asked))
    sides: dict[bytes, list[str]] = {}
    failed: dict[str, GatewayError] = {}
    for organisation, answer in zip(asked, answers, strict=True):
        if isinstance(answer, GatewayError):
            failed[organisation] = answer
        else:
            sides.setdefault(answer, []).append(organisation)
    ranked = sorted(sides.items(), key=lambda side: -len(side[1]))
    differing: set[str] = set()
    for response, _ in ranked[1:]:
        differing |= differences(ranked[0][0], response)
    return Verdict(tuple(tuple(side) for _, side in ranked), tuple(sorted(differing)), failed)


async def _opinion(
    steps: Steps, proposal: SignedProposal, organisation: str
) -> bytes | GatewayError:
    try:
        return (await steps.endorse(proposal, (organisation,), tries=1)).response
    except GatewayError as error:
        return error


def differences(one: bytes, other: bytes) -> set[str]:
    """Return what two endorsed responses differ in; raises `DecodeError` if one cannot be read."""
    first, second = action_of(one), action_of(other)
    found: set[str] = set()
    if first.response != second.response:
        found.add("result")
    if first.events != second.events:
        found.add("event")
    if first.chaincode_id != second.chaincode_id:
        found.add("chaincode version")
    mine, theirs = _touched(first.results), _touched(second.results)
    for what in mine.keys() | theirs.keys():
        if mine.get(what) != theirs.get(what):
            found.add(what)
    return found


def _touched(results: bytes) -> dict[str, bytes]:
    """Return the keys that a transaction read or wrote, each with its version or value."""
    found: dict[str, bytes] = {}
    for space in rwset_pb2.TxReadWriteSet.FromString(results).ns_rwset:
        name = space.namespace
        keys = kv_rwset_pb2.KVRWSet.FromString(space.rwset)
        for read in keys.reads:
            found[f"read {name} {read.key!r}"] = read.version.SerializeToString()
        for place, query in enumerate(keys.range_queries_info):
            found[f"range {name} {place}"] = query.SerializeToString(deterministic=True)
        for write in keys.writes:
            found[f"write {name} {write.key!r}"] = write.SerializeToString()
        for change in keys.metadata_writes:
            found[f"metadata {name} {change.key!r}"] = change.SerializeToString()
        for part in space.collection_hashed_rwset:
            hashed = kv_rwset_pb2.HashedRWSet.FromString(part.hashed_rwset)
            reads = kv_rwset_pb2.HashedRWSet(hashed_reads=hashed.hashed_reads)
            hashed.ClearField("hashed_reads")
            place = f"{name} {part.collection_name!r}"
            found[f"private read {place}"] = reads.SerializeToString()
            found[f"private write {place}"] = hashed.SerializeToString() + part.pvt_rwset_hash
    return found
