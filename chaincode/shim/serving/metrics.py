"""The server's metrics for operators: counts, seconds and bytes, never a value or an argument."""

from __future__ import annotations

from enum import StrEnum

from fabric_protos.peer import chaincode_shim_pb2
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

SECONDS_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)


class InvocationOutcome(StrEnum):
    """The outcome of a transaction for the peer."""

    ANSWERED = "answered"  # the handler's bytes
    REJECTED = "rejected"  # by the contract
    FAILED = "failed"  # a fault of the handler or in a call
    BUSY = "busy"  # not begun
    TIMED_OUT = "timed_out"
    CANCELLED = "cancelled"  # the stream ended before the answer


class Metrics:
    """The server's figures in one registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        transactions = Counter(
            "chaincode_transactions", "Transactions by outcome.", ["outcome"], registry=registry
        )
        self.outcomes = {
            outcome: transactions.labels(outcome.value) for outcome in InvocationOutcome
        }
        self.running = Gauge(
            "chaincode_transactions_running", "Transactions on a thread.", registry=registry
        )
        self.waiting = Gauge(
            "chaincode_transactions_waiting", "Transactions without a thread.", registry=registry
        )
        self.seconds = Histogram(
            "chaincode_transaction_seconds",
            "From the arrival of a transaction to its answer.",
            buckets=SECONDS_BUCKETS,
            registry=registry,
        )
        calls = Counter(
            "chaincode_peer_calls", "Calls to peers by kind.", ["kind"], registry=registry
        )
        kinds = chaincode_shim_pb2.ChaincodeMessage.Type
        self.calls = {value: calls.labels(name.lower()) for name, value in kinds.items()}
        size = Counter(
            "chaincode_stream_bytes", "Bytes of messages.", ["direction"], registry=registry
        )
        self.received_bytes = size.labels("received")
        self.sent_bytes = size.labels("sent")
        self.streams = Gauge("chaincode_streams", "Peers connected.", registry=registry)

    def count_call(self, kind: chaincode_shim_pb2.ChaincodeMessage.Type.ValueType) -> None:
        """Count one more call to a peer; any thread may call this."""
        self.calls[kind].inc()
