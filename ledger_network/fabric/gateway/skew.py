"""Remembers the peers' clocks, so that the client does not send proposals with a wrong time.

A peer tells its time only when it refuses a proposal for its timestamp, and a gateway mistakes such
a refusal by another peer for a dead connection, which it closes for all clients. So refusals are
remembered. The clock of one organisation may itself be wrong, but if two refuse the time, this
machine's clock counts as wrong. Proposals are then refused here until the clock agrees with both.
Before a first refusal nothing is known; `Gateway.check_clock` asks the peers.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from ledger_network.fabric.gateway.errors import ClockSkew

CERTAIN_ORGANISATIONS = 2
TOLERANCE_S = 1.0  # peers tell their time in whole seconds


class PeerClocks:
    """The times that peers told, by `monotonic` seconds, which no change of a clock moves."""

    def __init__(self, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._monotonic = monotonic
        self._heard: dict[str, tuple[ClockSkew, float]] = {}

    def learn(self, error: ClockSkew) -> str:
        """Remember the time of the organisation that refused; return its MSP id, if known."""
        said = error.details[-1].msp_id if error.details else error.endpoint
        self._heard[said] = (error, self._monotonic())
        return said

    def agreed(self) -> None:
        """Forget what was said: a proposal was endorsed, so the clock is right enough."""
        self._heard.clear()

    def check(self, seconds: float) -> None:
        """Raise `ClockSkew` if it is certain that a proposal of the time `seconds` is refused."""
        if not self._heard:
            return
        now = self._monotonic()
        against: list[ClockSkew] = []
        for said, (error, heard_at) in list(self._heard.items()):
            peer_seconds = error.peer_seconds + now - heard_at
            if abs(seconds - peer_seconds) <= error.window_s + TOLERANCE_S:
                del self._heard[said]
                continue
            against.append(
                ClockSkew(
                    own_seconds=seconds,
                    peer_seconds=peer_seconds,
                    window_s=error.window_s,
                    details=error.details,
                    endpoint=error.endpoint,
                )
            )
        if len(against) >= CERTAIN_ORGANISATIONS:
            raise against[-1]
