"""How meters and nodes are, as people are told: a state, a sentence, a time.

A node says something once when it changes, not each time it is so.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

MeterState = Literal["good", "late", "silent", "faulty", "suspect", "refused", "disagreed"]
NodeState = Literal["good", "silent", "clock", "disagrees", "equivocates", "waiting"]


class MeterHealth(msgspec.Struct, frozen=True, tag="meter"):
    """One meter as one node sees it; `at_s` is market time, seconds UTC."""

    meter: str
    node: str
    state: MeterState
    sentence: str
    at_s: int


class NodeHealth(msgspec.Struct, frozen=True, tag="node"):
    """One node as `seen_by` sees it (itself or another); `slot` is its last report, 0 for none."""

    node: str
    seen_by: str
    state: NodeState
    sentence: str
    at_s: int
    slot: int = 0


HealthSink = Callable[[MeterHealth | NodeHealth], Awaitable[None]]


class HealthBoard:
    """What was said last of each meter and node; passes on what is new."""

    def __init__(self, node: str, sink: HealthSink | None) -> None:
        self._node = node
        self._sink = sink
        self._meters: dict[str, MeterHealth] = {}
        self._nodes: dict[str, NodeHealth] = {}

    @property
    def meters(self) -> dict[str, MeterHealth]:
        """The last word on each meter."""
        return dict(self._meters)

    @property
    def nodes(self) -> dict[str, NodeHealth]:
        """The last word on each node."""
        return dict(self._nodes)

    async def meter(self, meter: str, state: MeterState, sentence: str, *, at_s: int) -> None:
        """Say how a meter is."""
        before = self._meters.get(meter)
        if before is not None and (before.state, before.sentence) == (state, sentence):
            return
        said = MeterHealth(meter, self._node, state, sentence, at_s)
        self._meters[meter] = said
        if self._sink is not None:
            await self._sink(said)

    async def node(
        self, node: str, state: NodeState, sentence: str, *, at_s: int, slot: int = 0
    ) -> None:
        """Say how a node is; a new report of a good node is news too."""
        before = self._nodes.get(node)
        if before is not None:
            slot = max(slot, before.slot)
            if (before.state, before.sentence, before.slot) == (state, sentence, slot):
                return
        said = NodeHealth(node, self._node, state, sentence, at_s, slot)
        self._nodes[node] = said
        if self._sink is not None:
            await self._sink(said)
