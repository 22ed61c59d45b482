"""The contract's public state at one peer, row by row, for digests that members compare."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable
from hashlib import sha256

import msgspec

from identity.canonical import encode
from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.gateway.endpoint import Endpoint
from ledger_network.fabric.ledger.contract_service import READ, ROWS, Rows, RowsArguments
from ledger_network.port import Conflict

_decoder = msgspec.msgpack.Decoder(Rows)


async def rows(
    gateway: Gateway, endpoint: Endpoint, contract: str
) -> AsyncGenerator[tuple[str, bytes]]:
    """Yield all public rows of a contract at the peer `endpoint` in key order, page by page."""
    start = ""
    while True:
        call = [ROWS.encode(), encode(RowsArguments(start)), READ]
        answer = await gateway.evaluate(
            contract, call, organisations=[endpoint.msp_id], endpoint=endpoint
        )
        page = _decoder.decode(answer)
        for row in page.rows:
            yield row
        if not page.following:
            return
        start = page.following


async def state_hash(
    gateway: Gateway, endpoint: Endpoint, contract: str, counts: Callable[[str], bool]
) -> str:
    """SHA-256 over the rows that count, in key order, lengths before key and value.

    The embedded ledger computes the same hash. Raises `Conflict` when the state changed meanwhile.
    """
    before = await gateway.height(endpoint)
    digest = sha256()
    async for key, value in rows(gateway, endpoint, contract):
        if counts(key):
            raw = key.encode()
            digest.update(len(raw).to_bytes(4, "big") + raw)
            digest.update(len(value).to_bytes(8, "big") + value)
    if await gateway.height(endpoint) != before:
        raise Conflict("the state changed while it was read")
    return digest.hexdigest()
