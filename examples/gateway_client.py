r"""The Gateway client alone: submit, evaluate and follow events of any chaincode on any channel.

    python examples/gateway_client.py --msp NorthMSP --user users/User1/msp --roots tls/ca.pem \
        --peer localhost:7051 --channel market --chaincode market submit put key value

`--user` is the MSP folder of a user as cryptogen and Fabric CA write it. Nothing else of this
project is needed: no contract of ours has to run on the channel.
"""

from __future__ import annotations

import argparse
import asyncio
import sys
from pathlib import Path

from ledger_network.fabric.gateway.checkpoint import Checkpoint, FileCheckpointer
from ledger_network.fabric.gateway.client import Gateway
from ledger_network.fabric.gateway.endpoint import Endpoint
from ledger_network.fabric.gateway.errors import GatewayError, Outcome
from ledger_network.fabric.gateway.signing import SigningIdentity

ADVICE = {
    Outcome.NOTHING: "nothing happened; the same may be sent again",
    Outcome.REFUSED: "the contract said no",
    Outcome.INVALID: "it is in a block, without effect",
    Outcome.FORBIDDEN: "a policy or a check of identity turned it away",
    Outcome.UNKNOWN: "it may commit yet: look the transaction up, and do not send it again",
}


async def submit(gateway: Gateway, chaincode: str, arguments: list[bytes]) -> None:
    """Submit, and print where the transaction was committed."""
    done = await gateway.submit(chaincode, arguments)
    print(f"transaction {done.transaction} in block {done.block}")


async def evaluate(gateway: Gateway, chaincode: str, arguments: list[bytes]) -> None:
    """Print what one peer answers."""
    print((await gateway.evaluate(chaincode, arguments)).decode(errors="replace"))


async def follow(gateway: Gateway, chaincode: str, checkpoint: Path, count: int) -> None:
    """Print the next events, each one once: a second run goes on behind the last."""
    kept = FileCheckpointer(checkpoint)
    left = count
    async for event in gateway.chaincode_events(chaincode, after=kept.load() or Checkpoint(0)):
        print(f"{event.checkpoint.block} {event.name} {event.payload.decode(errors='replace')}")
        kept.save(event.checkpoint)
        left -= 1
        if not left:
            return


def parsed() -> argparse.Namespace:
    """The options and the act."""
    parser = argparse.ArgumentParser(description="Talk to a channel through its peers' Gateway.")
    parser.add_argument("--msp", required=True, help="the MSP id of the user and the peer")
    parser.add_argument("--user", required=True, type=Path, help="MSP folder of the user")
    parser.add_argument("--roots", required=True, type=Path, help="TLS roots of the peer, PEM")
    parser.add_argument("--peer", required=True, help="host:port")
    parser.add_argument("--channel", required=True)
    parser.add_argument("--chaincode", required=True)
    acts = parser.add_subparsers(dest="act", required=True)
    for act in ("submit", "evaluate"):
        acts.add_parser(act).add_argument("arguments", nargs="+")
    following = acts.add_parser("follow")
    following.add_argument("--checkpoint", required=True, type=Path)
    following.add_argument("--count", type=int, default=1)
    return parser.parse_args()


async def main(asked: argparse.Namespace) -> int:
    """Do what was asked; the exit code."""
    identity = SigningIdentity.from_msp(asked.msp, asked.user)
    peers = [Endpoint(asked.peer, asked.msp, asked.roots)]
    async with Gateway(identity, peers, channel=asked.channel) as gateway:
        try:
            if asked.act == "follow":
                await follow(gateway, asked.chaincode, asked.checkpoint, asked.count)
            else:
                act = submit if asked.act == "submit" else evaluate
                await act(gateway, asked.chaincode, [text.encode() for text in asked.arguments])
        except GatewayError as error:
            print(f"{error}\n{ADVICE[error.outcome]}", file=sys.stderr)
            return 1
    return 0


if __name__ == "__main__":
    sys.exit(asyncio.run(main(parsed())))
