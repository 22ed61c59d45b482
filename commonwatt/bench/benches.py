"""Every bench by its name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from commonwatt.bench import (
    boundary,
    clearing,
    graphql_list,
    guard,
    ledger,
    live,
    memory,
    poll,
    project,
    start,
    write,
)
from commonwatt.bench.contract import age, gate, largest, settle
from commonwatt.bench.fabric.benches import FABRIC_BENCHES
from commonwatt.bench.figure import Figure

BENCHES: Mapping[str, Callable[[], list[Figure]]] = {
    "start": start.start,
    "clearing": clearing.clearing,
    "clearing-columns": clearing.clearing_columns,
    "clearing-growth": clearing.clearing_growth,
    "ledger-orders": ledger.ledger_orders,
    "gate": gate.gate,
    "settle": settle.settle,
    "settle-growth": settle.settle_growth,
    "correct": settle.correct,
    "age": age.age,
    "largest": largest.largest,
    "report": ledger.report,
    "memory": memory.memory,
    "poll": poll.poll,
    "boundary": boundary.boundary,
    "graphql-list": graphql_list.graphql_list,
    "guard": guard.guard,
    "project": project.project,
    "write": write.write,
    "up": live.up,
    "up-memory": live.up_memory,
    **FABRIC_BENCHES,
}
"""Every bench by its name, in the order in which they run."""
