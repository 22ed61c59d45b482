"""The chaincode of the bench fabric-shim, on our own shim; its twin in Go is in go_chaincode.

`touch <count> <prefix>` reads `count` rows and writes them all, `put 1 <key>` writes one row. Run
as a module, the chaincode serves until SIGTERM, with the settings that every chaincode reads from
its environment.
"""

from __future__ import annotations

import asyncio
import os
import signal

from chaincode.shim import ChaincodeServer, Invocation, Rejected, ServerSettings

VALUE = b"x" * 200


def handle(invocation: Invocation) -> bytes:
    """Answer one call of the twin."""
    match [part.decode("utf-8", "replace") for part in invocation.arguments]:
        case ["touch", count, prefix] if count.isascii() and count.isdigit():
            keys = [f"{prefix}/{number:06d}" for number in range(int(count))]
            invocation.get_many(keys)
            for key in keys:
                invocation.put(key, VALUE)
        case ["put", _, key]:
            invocation.put(key, VALUE)
        case _:
            raise Rejected("call it with touch or put, a number and a prefix")
    return b"done"


async def serve() -> None:
    """Serve peers until SIGTERM."""
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with ChaincodeServer(ServerSettings.from_environment(os.environ), handle):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(serve())
