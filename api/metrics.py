"""The API's metrics for Prometheus; each app has its own registry.

All values of labels are fixed in this code, so a stranger cannot create new time series.
"""

from __future__ import annotations

from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)
CONTENT_TYPE = CONTENT_TYPE_LATEST
TOOK_MAX = 256  # operations that are observed together
KINDS = ("query", "mutation", "subscription", "none")
"""Kinds of operation; `none` if a request was refused before its kind was known."""


class Metrics:
    """The metrics of one app; other parts of the process may share the registry."""

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        operations_s = Histogram(
            "commonwatt_api_operation_seconds",
            "Seconds from a GraphQL request to its answer, by kind of operation.",
            ("kind",),
            buckets=SECONDS,
            registry=self.registry,
        )
        self._operations_s = {kind: operations_s.labels(kind) for kind in KINDS}
        self._took: list[tuple[str, float]] = []
        self.refused = Counter(
            "commonwatt_api_refused",
            "Requests that were refused before anything was executed, by code.",
            ("code",),
            registry=self.registry,
        )
        self.broken = Counter(
            "commonwatt_api_broken",
            "Errors of our own that were answered as INTERNAL.",
            registry=self.registry,
        )
        self.sockets = Gauge(
            "commonwatt_api_sockets", "WebSockets that are open.", registry=self.registry
        )
        self.sockets_dropped = Counter(
            "commonwatt_api_sockets_dropped",
            "WebSockets that the API closed, by reason.",
            ("reason",),
            registry=self.registry,
        )
        self.sessions = Gauge(
            "commonwatt_api_sessions", "Sessions that are kept.", registry=self.registry
        )
        self.block = Gauge(
            "commonwatt_api_block", "Block that the read model reflects.", registry=self.registry
        )
        self.age_s = Gauge(
            "commonwatt_api_age_seconds", "Age of that block.", registry=self.registry
        )
        self.writable = Gauge(
            "commonwatt_api_ledger_writable",
            "1 while the ledger takes writes.",
            registry=self.registry,
        )

    def took(self, kind: str, seconds: float) -> None:
        """Count an operation of one of `KINDS` and its duration.

        The histogram observes several operations at a time, because observing each of them costs
        as much as finding its plan.
        """
        self._took.append((kind, seconds))
        if len(self._took) >= TOOK_MAX:
            self._observe()

    def _observe(self) -> None:
        for kind, seconds in self._took:
            self._operations_s[kind].observe(seconds)
        self._took.clear()

    def written(self) -> bytes:
        """Return all metrics in Prometheus' text format."""
        self._observe()
        return generate_latest(self.registry)
