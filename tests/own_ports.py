"""Ports for test networks: each worker of a test run has blocks that no other worker takes."""

from __future__ import annotations

import os

from commonwatt.bench.fabric.network import PORTS, on_free_ports
from ledger_network.fabric.consortium.definition import Consortium

WORKER = "PYTEST_XDIST_WORKER"  # `gw0`, `gw1` and so on; not set where there is one process
WORKERS_MAX = 5


def on_own_ports(consortium: Consortium) -> Consortium:
    """The same consortium on ports of this worker.

    A network that is down for a moment keeps its ports: other workers do not look there.
    """
    worker = int(os.environ.get(WORKER, "gw0").removeprefix("gw"))
    return on_free_ports(consortium, PORTS[worker % WORKERS_MAX :: WORKERS_MAX])
