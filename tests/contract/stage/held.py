"""A contract whose simulation can be held after it has read and before it is handed over."""

from __future__ import annotations

import asyncio
import threading

from chaincode.context import Context
from ledger_network.port import Ledger, Member, Receipt
from tests.contract.stage.cast import Call, Clock
from tests.contract.stage.copying import CopyingContract


class HeldContract(CopyingContract):
    """Holds the next transaction of a name at the end of its simulation, until it is let go."""

    def __init__(self, name: str) -> None:
        self.name = name
        self._held = ""
        self._reached = threading.Event()
        self._release = threading.Event()

    def invoke(self, context: Context, name: str, arguments: bytes) -> bytes:
        """Carry out the transaction; one that is held comes back late."""
        try:
            return super().invoke(context, name, arguments)
        finally:
            if name == self._held:
                self._held = ""
                self._reached.set()
                self._release.wait()

    async def overtake(self, ledger: Ledger, clock: Clock, first: Call, *others: Call) -> Receipt:
        """Simulate `first`, commit the others, then let `first` be committed; its receipt."""
        self._reached.clear()
        self._release.clear()
        self._held = first.name
        clock.now_s = first.at_s
        overtaken = asyncio.ensure_future(
            ledger.submit(first.name, first.arguments, member=Member(first.member))
        )
        await asyncio.to_thread(self._reached.wait)
        try:
            for call in others:
                clock.now_s = call.at_s
                await ledger.submit(call.name, call.arguments, member=Member(call.member))
        finally:
            self._release.set()
        return await overtaken
