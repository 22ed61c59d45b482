"""The benches that start a Fabric network, by name."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from commonwatt.bench.fabric import delays as fabric_delays
from commonwatt.bench.fabric import failover as fabric_failover
from commonwatt.bench.fabric import gate as fabric_gate
from commonwatt.bench.fabric import memory as fabric_memory
from commonwatt.bench.fabric import orders as fabric_orders
from commonwatt.bench.fabric import shim as fabric_shim
from commonwatt.bench.figure import Figure

FABRIC_BENCHES: Mapping[str, Callable[[], list[Figure]]] = {
    "fabric-up": fabric_delays.fabric_up,
    "fabric-latency": fabric_delays.fabric_latency,
    "fabric-orders": fabric_orders.fabric_orders,
    "fabric-shim": fabric_shim.fabric_shim,
    "fabric-gate": fabric_gate.fabric_gate,
    "fabric-events": fabric_delays.fabric_events,
    "fabric-failover": fabric_failover.fabric_failover,
    "fabric-memory": fabric_memory.fabric_memory,
}
"""Every bench by its name, in the order in which they run; each has its own network."""
