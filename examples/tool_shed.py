"""Any contract on Fabric: the tools that neighbours lend each other, served by the shim.

The shim knows nothing of energy. A contract is one function from an `Invocation` to bytes; what it
refuses, it raises as `Rejected`. `docs/guides/any-contract.md` lists the environment variables
that the server reads, and how the package for the peers is made.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import signal
from collections.abc import Callable, Mapping

from cryptography import x509
from cryptography.x509.oid import NameOID

from chaincode.shim import ChaincodeServer, Invocation, Rejected, ServerSettings

NAME_BYTES_MAX = 100


def borrow(invocation: Invocation, tool: str) -> bytes:
    """The caller takes a tool home; refused while somebody else has it."""
    key = invocation.composite_key("tool", [tool])
    holder = invocation.get(key)
    if holder is not None:
        raise Rejected(f"{tool} is with {json.loads(holder)['with']}", 409)
    row = {"since": invocation.timestamp_s, "with": neighbour(invocation)}
    invocation.put(key, json.dumps(row, sort_keys=True).encode())
    invocation.emit("borrowed", tool.encode())
    return b""


def bring_back(invocation: Invocation, tool: str) -> bytes:
    """The caller returns a tool; refused for one that is with somebody else."""
    key = invocation.composite_key("tool", [tool])
    holder = invocation.get(key)
    if holder is None or json.loads(holder)["with"] != neighbour(invocation):
        raise Rejected(f"you do not have {tool}", 409)
    invocation.delete(key)
    invocation.emit("returned", tool.encode())
    return b""


def where(invocation: Invocation) -> bytes:
    """Every tool that is not in the shed, and who has it."""
    rows = invocation.composite_range("tool")
    lent = {
        invocation.split_composite_key(row.key)[1][0]: json.loads(row.value)["with"] for row in rows
    }
    return json.dumps(lent, sort_keys=True).encode()


ACTS: Mapping[bytes, Callable[[Invocation, str], bytes]] = {
    b"borrow": borrow,
    b"return": bring_back,
}


def contract(invocation: Invocation) -> bytes:
    """The whole contract: which arguments mean what."""
    match invocation.arguments:
        case [b"where"]:
            return where(invocation)
        case [act, tool] if act in ACTS:
            return ACTS[act](invocation, name(tool))
        case _:
            raise Rejected("the shed knows: borrow <tool>, return <tool>, and where", 404)


def name(argument: bytes) -> str:
    """A tool's name: text of up to 100 bytes."""
    try:
        text = argument.decode()
    except UnicodeDecodeError:
        raise Rejected("a tool's name is UTF-8", 400) from None
    if not text or len(argument) > NAME_BYTES_MAX:
        raise Rejected(f"a tool's name has 1 to {NAME_BYTES_MAX} bytes", 400)
    return text


def neighbour(invocation: Invocation) -> str:
    """Who asks, by organisation and name in the certificate: no caller can give another's."""
    certificate = x509.load_der_x509_certificate(invocation.creator.certificate)
    (common_name,) = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return f"{invocation.creator.msp_id}/{common_name.value}"


async def main() -> None:
    """Serve peers until told to stop."""
    logging.basicConfig(level="INFO")
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    settings = ServerSettings.from_environment(os.environ)
    async with ChaincodeServer(settings, contract):
        await stop.wait()


if __name__ == "__main__":
    asyncio.run(main())
