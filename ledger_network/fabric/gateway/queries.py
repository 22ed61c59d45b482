"""Questions about the chain itself, which a peer's system chaincode `qscc` answers.

The asked peer always answers itself: the query names the organisation of the endpoint, and a
gateway prefers its own peer.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fabric_protos.common import common_pb2, ledger_pb2
from fabric_protos.peer import transaction_pb2

from ledger_network.fabric.gateway.block import (
    Block,
    BlockTransaction,
    read_block,
    read_transaction,
)
from ledger_network.fabric.gateway.endpoint import Endpoint
from ledger_network.fabric.gateway.errors import EvaluateError

SYSTEM_CHAINCODE = "qscc"

Evaluate = Callable[[str, list[bytes], Endpoint | None], Awaitable[bytes]]


class Chain:
    """Questions about `channel`, each asked by `evaluate` (chaincode, arguments, endpoint)."""

    def __init__(self, channel: str, evaluate: Evaluate) -> None:
        self._channel = channel.encode()
        self._evaluate = evaluate

    async def height(self, endpoint: Endpoint | None) -> int:
        """Return how many blocks the peer has."""
        answer = await self._ask("GetChainInfo", None, endpoint)
        return ledger_pb2.BlockchainInfo.FromString(answer).height

    async def block(self, number: int, endpoint: Endpoint | None) -> Block:
        """The block of that number; raises `EvaluateError` if the peer does not have it."""
        answer = await self._ask("GetBlockByNumber", str(number), endpoint)
        return read_block(common_pb2.Block.FromString(answer))

    async def block_of(self, transaction: str, endpoint: Endpoint | None) -> Block:
        """The block with `transaction`; raises `EvaluateError` if the peer does not know it."""
        answer = await self._ask("GetBlockByTxID", transaction, endpoint)
        return read_block(common_pb2.Block.FromString(answer))

    async def transaction(self, transaction: str, endpoint: Endpoint | None) -> BlockTransaction:
        """A committed transaction; raises `EvaluateError` if the peer does not know it."""
        answer = await self._ask("GetTransactionByID", transaction, endpoint)
        found = transaction_pb2.ProcessedTransaction.FromString(answer)
        return read_transaction(found.transactionEnvelope.SerializeToString(), found.validationCode)

    async def check_clock(self, endpoints: tuple[Endpoint, ...]) -> None:
        """Raise `ClockSkew` when a peer that answers does not take this machine's time."""
        for endpoint in endpoints:
            try:
                await self.height(endpoint)
            except EvaluateError:
                continue  # the peer is unavailable or busy, which says nothing about clocks

    async def _ask(self, question: str, about: str | None, endpoint: Endpoint | None) -> bytes:
        arguments = [question.encode(), self._channel]
        if about is not None:
            arguments.append(about.encode())
        return await self._evaluate(SYSTEM_CHAINCODE, arguments, endpoint)
