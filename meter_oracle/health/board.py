"""The states of meters and nodes as one node finds them, each with a sentence and a time.

The board passes a finding on only when it differs from the last one on the same meter or node.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Literal

import msgspec

MeterState = Literal["good", "late", "silent", "faulty", "suspect", "refused", "disagreed"]
NodeState = Literal["good", "silent", "clock", "disagrees", "equivocates", "waiting"]


class MeterHealth(msgspec.Struct, frozen=True, tag="meter"):
    """A meter as one node finds it; `at_s` is market time, seconds UTC."""

    meter: str
    node: str
    state: MeterState
    sentence: str
    at_s: int


class NodeHealth(msgspec.Struct, frozen=True, tag="node"):
    """A node as `seen_by` finds it, which may be the node itself.

    `slot` is the last slot that the node reported, 0 if there is none.
    """

    node: str
    seen_by: str
    state: NodeState
    sentence: str
    at_s: int
    slot: int = 0


HealthSink = Callable[[MeterHealth | NodeHealth], Awaitable[None]]


class HealthBoard:
    """Keeps the last finding on each meter and node, and passes new ones on."""

    def __init__(self, node: str, sink: HealthSink | None) -> None:
        self._node = node
        self._sink = sink
        self._meters: dict[str, MeterHealth] = {}
        self._nodes: dict[str, NodeHealth] = {}

    async def meter(self, meter: str, state: MeterState, sentence: str, *, at_s: int) -> None:
        """Put the state of a meter on the board."""
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
        """Put the state of a node on the board; a new report by a good node is passed on too."""
        before = self._nodes.get(node)
        if before is not None:
            slot = max(slot, before.slot)
            if (before.state, before.sentence, before.slot) == (state, sentence, slot):
                return
        said = NodeHealth(node, self._node, state, sentence, at_s, slot)
        self._nodes[node] = said
        if self._sink is not None:
            await self._sink(said)
